"""Our messages as the JSON of OpenAI's chat completions, which is what most providers read."""

from collections.abc import Mapping
from typing import Any

from gateway.llm.dialects.reasoning_details import details_of
from gateway.llm.messages import (
    AnswerFormat,
    Image,
    Message,
    Other,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolChoice,
    ToolDefinition,
)


def message_to_json(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {
        **message.extra,
        "role": message.role,
        "content": content_to_json(message),
    }
    if message.name is not None:
        written["name"] = message.name
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        written["tool_calls"] = [tool_call_to_json(call) for call in message.tool_calls]
    return written | reasoning_to_json(message.reasoning)


def content_to_json(message: Message) -> str | list[Mapping[str, Any]] | None:
    """One plain text is a string; nothing is null beside tool calls, and else an empty text."""
    match message.parts:
        case ():
            return None if message.tool_calls else ""
        case (Text(text, extra),) if not extra:
            return text
    return [part_to_json(part) for part in message.parts]


def part_to_json(part: Part) -> Mapping[str, Any]:
    match part:
        case Text():
            return {**part.extra, "type": "text", "text": part.text}
        case Image():
            detail = {} if part.detail is None else {"detail": part.detail}
            return {**part.extra, "type": "image_url", "image_url": {"url": part.url, **detail}}
        case Other():
            return part.raw


def tool_call_to_json(call: ToolCall) -> dict[str, Any]:
    written = {**call.extra, "id": call.id}
    if call.extra.get("type") == "custom":
        return written | {"custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": call.arguments}
    return written | {"type": "function", "function": function}


def reasoning_to_json(blocks: tuple[Reasoning, ...]) -> dict[str, Any]:
    """`reasoning_content` for whoever shows it, `reasoning_details` to send back as they are."""
    written: dict[str, Any] = {}
    if text := "".join(block.text for block in blocks):
        written["reasoning_content"] = text
    if details := details_of(blocks):
        written["reasoning_details"] = details
    return written


def tool_to_json(tool: ToolDefinition) -> dict[str, Any]:
    outer = {name: value for name, value in tool.extra.items() if name != "function"}
    function: dict[str, Any] = {**tool.extra.get("function", {}), "name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {**outer, "type": "function", "function": function}


def tool_choice_to_json(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def answer_format_to_json(wanted: AnswerFormat) -> dict[str, Any]:
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    schema: dict[str, Any] = {**wanted.extra, "name": wanted.name}
    if wanted.schema is not None:
        schema["schema"] = wanted.schema
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}
