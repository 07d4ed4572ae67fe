"""A request as OpenAI's Responses API wants it, and which requests are better asked there."""

from collections.abc import Mapping
from typing import Any

from gateway.llm.dialects.openai.request import Kind, asked_effort, refuses_tools_with_reasoning
from gateway.llm.dialects.responses.items import can_be_said, items_of
from gateway.llm.messages import AnswerFormat, ChatRequest, Json, ToolChoice, ToolDefinition
from gateway.llm.model import Model

SEALED = "reasoning.encrypted_content"

# Fewer are refused here, while chat completions take any number.
_LEAST_OUTPUT_TOKENS = 16
_PASSED_ON = (
    "metadata user safety_identifier prompt_cache_key prompt_cache_retention "
    "prompt_cache_options service_tier store moderation truncation max_tool_calls".split()
)
_OF_REASONING = ("summary", "generate_summary", "context", "mode")
_ONLY_IN_CHAT = ("logprobs", "top_logprobs", "audio", "web_search_options")


def is_for_responses(request: ChatRequest, model: Model, kind: Kind) -> bool:
    """Whether chat completions would refuse it, or take it only without reasoning."""
    return (
        bool(request.tools)
        and refuses_tools_with_reasoning(model, kind)
        and _may_reason(request)
        and _can_be_asked(request)
    )


def _may_reason(request: ChatRequest) -> bool:
    is_off = _mapping(request.extra.get("reasoning")).get("enabled") is False
    return asked_effort(request) != "none" and not is_off


def _can_be_asked(request: ChatRequest) -> bool:
    """Whether there is nothing in it that only chat completions can answer."""
    most, modalities = request.max_output_tokens, request.extra.get("modalities")
    return (
        request.choices == 1
        and (most is None or most >= _LEAST_OUTPUT_TOKENS)
        and not any(request.extra.get(name) for name in _ONLY_IN_CHAT)
        and not (isinstance(modalities, list) and "audio" in modalities)
        and all(map(can_be_said, request.messages))
    )


def request_to_json(request: ChatRequest, model: Model, issuer: str) -> dict[str, Any]:
    """`stop`, `seed` and penalties are left out: the models that are asked here take none."""
    return {
        "store": False,
        **_passed_on(request),
        **_sampling(request, model),
        **_tools(request),
        **_reasoning(request),
        **_text(request),
        "model": model.name,
        "input": items_of(request.messages, issuer),
        "include": [SEALED],
        "stream": True,
    }


def _passed_on(request: ChatRequest) -> dict[str, Any]:
    written = {name: request.extra[name] for name in _PASSED_ON if name in request.extra}
    options = _mapping(request.extra.get("stream_options"))
    if "include_obfuscation" in options:
        written["stream_options"] = {"include_obfuscation": options["include_obfuscation"]}
    if request.max_output_tokens is not None:
        written["max_output_tokens"] = request.max_output_tokens
    return written


def _sampling(request: ChatRequest, model: Model) -> dict[str, Any]:
    if model.has_temperature is False:
        return {}
    chosen = {"temperature": request.temperature, "top_p": request.top_p}
    return {name: value for name, value in chosen.items() if value is not None}


def _tools(request: ChatRequest) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if request.tools or request.other_tools:
        others = map(_other_tool, request.other_tools)
        written["tools"] = [*map(_tool, request.tools), *others]
    if request.tool_choice is not None:
        written["tool_choice"] = _choice(request.tool_choice)
    elif isinstance(other := request.extra.get("tool_choice"), Mapping):
        written["tool_choice"] = _other_choice(other)
    if request.parallel_tool_calls is not None:
        written["parallel_tool_calls"] = request.parallel_tool_calls
    return written


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    """Strict is the default here, and would refuse most schemas that chat completions take."""
    described = {"description": tool.description} if tool.description else {}
    parameters = (
        {"type": "object", "properties": {}} if tool.parameters is None else tool.parameters
    )
    return {
        "type": "function",
        "name": tool.name,
        **described,
        "parameters": parameters,
        "strict": bool(tool.strict),
    }


def _other_tool(raw: Json) -> dict[str, Any]:
    """A custom tool without the envelope that it has in chat completions; others as they are."""
    custom = raw.get("custom")
    if raw.get("type") != "custom" or not isinstance(custom, Mapping):
        return dict(raw)
    written = {"type": "custom", **custom}
    form = _mapping(custom.get("format"))
    if isinstance(grammar := form.get("grammar"), Mapping):
        written["format"] = {"type": "grammar", **grammar}
    return written


def _choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "named":
        return {"type": "function", "name": choice.name}
    return choice.mode


def _other_choice(raw: Json) -> dict[str, Any]:
    inner = raw.get(str(raw.get("type")))
    if not isinstance(inner, Mapping):
        return dict(raw)
    written = {"type": raw.get("type"), **inner}
    if isinstance(tools := inner.get("tools"), list):
        written["tools"] = [_unwrapped(tool) for tool in tools]
    return written


def _unwrapped(tool: object) -> object:
    if not isinstance(tool, Mapping):
        return tool
    inner = tool.get(str(tool.get("type")))
    return {"type": tool.get("type"), **inner} if isinstance(inner, Mapping) else tool


def _reasoning(request: ChatRequest) -> dict[str, Any]:
    asked = _mapping(request.extra.get("reasoning"))
    written = {name: asked[name] for name in _OF_REASONING if asked.get(name) is not None}
    if (effort := asked_effort(request)) is not None:
        written["effort"] = effort
    return {"reasoning": written} if written else {}


def _text(request: ChatRequest) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if request.answer_format is not None:
        written["format"] = _format(request.answer_format)
    elif isinstance(other := request.extra.get("response_format"), Mapping):
        written["format"] = other
    if request.extra.get("verbosity") is not None:
        written["verbosity"] = request.extra["verbosity"]
    return {"text": written} if written else {}


def _format(wanted: AnswerFormat) -> dict[str, Any]:
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    schema: dict[str, Any] = {**wanted.extra, "type": "json_schema", "name": wanted.name}
    schema["schema"] = {"type": "object"} if wanted.schema is None else wanted.schema
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return schema


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
