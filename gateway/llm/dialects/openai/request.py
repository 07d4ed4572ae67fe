"""A request as OpenAI's chat completions JSON, with what each kind of provider wants otherwise."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from gateway.llm.dialects.anthropic import blocks as anthropic_blocks
from gateway.llm.dialects.openai.message import (
    answer_format_to_json,
    message_to_json,
    tool_choice_to_json,
    tool_to_json,
)
from gateway.llm.dialects.responses import items as responses_items
from gateway.llm.messages import ChatRequest, Message, Part, Text, ToolCall, ToolChoice
from gateway.llm.model import Model

Kind = Literal["nanogpt", "openrouter", "openai", "azure", "lmstudio", "vertex", "generic"]

# These answer 400 to fields that they do not know.
_STRICT: frozenset[Kind] = frozenset({"openai", "azure"})
_READ_DETAILS: frozenset[Kind] = frozenset({"nanogpt", "openrouter"})
_KNOWN_TO_STRICT = frozenset({"refusal", "audio", "function_call"})
_ONLY_ANTHROPIC = frozenset({anthropic_blocks.FIELDS})
_OF_ONE_DIALECT = (anthropic_blocks.VERBATIM, responses_items.VERBATIM, responses_items.PHASE)
_VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?![\d])")
# Where calls of another model, which have no signature, are sent to Gemini 3; see
# https://ai.google.dev/gemini-api/docs/thought-signatures
_UNSIGNED = {"google": {"thought_signature": "skip_thought_signature_validator"}}


def request_to_json(request: ChatRequest, model: Model, kind: Kind) -> dict[str, Any]:
    return {
        **_extra(request, kind),
        **_sampling(request, model),
        **_tools(request, kind),
        **_rest(request, kind),
        **_effort(request, model, kind),
        "model": model.name,
        "messages": [_message(one, model, kind) for one in _with_tools_in_text(request.messages)],
        "stream": True,
    }


def asked_effort(request: ChatRequest) -> str | None:
    """As `reasoning_effort`, or in OpenRouter's `reasoning`."""
    reasoning = request.extra.get("reasoning")
    inner = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    return request.reasoning_effort or (inner if isinstance(inner, str) else None)


def _extra(request: ChatRequest, kind: Kind) -> dict[str, Any]:
    extra = {name: value for name, value in request.extra.items() if name not in _ONLY_ANTHROPIC}
    if kind in _STRICT or kind == "vertex":
        extra.pop("reasoning", None)
    if kind != "openrouter":  # which always sends the usage, and calls this deprecated
        options = extra.get("stream_options")
        extra["stream_options"] = {
            **(options if isinstance(options, Mapping) else {}),
            "include_usage": True,
        }
    return extra


def _sampling(request: ChatRequest, model: Model) -> dict[str, Any]:
    """Models without a temperature answer 400 to one, and to `top_p`."""
    if model.has_temperature is False:
        return {}
    chosen = {"temperature": request.temperature, "top_p": request.top_p}
    return {name: value for name, value in chosen.items() if value is not None}


def _tools(request: ChatRequest, kind: Kind) -> dict[str, Any]:
    choice, tools = request.tool_choice, request.tools
    if kind in _STRICT:
        tools = tuple(replace(tool, extra={}) if tool.extra else tool for tool in tools)
    if kind == "lmstudio" and choice is not None and choice.mode == "named":
        # LM Studio takes only a word here: with one tool, a call means that tool.
        tools = tuple(tool for tool in tools if tool.name == choice.name) or tools
        choice = ToolChoice("required")
    written: dict[str, Any] = {}
    if tools or request.other_tools:
        written["tools"] = [*map(tool_to_json, tools), *request.other_tools]
    if choice is not None:
        written["tool_choice"] = tool_choice_to_json(choice)
    if request.parallel_tool_calls is not None:
        written["parallel_tool_calls"] = request.parallel_tool_calls
    return written


def _rest(request: ChatRequest, kind: Kind) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if request.answer_format is not None:
        written["response_format"] = answer_format_to_json(request.answer_format)
    if request.max_output_tokens is not None:
        name = "max_completion_tokens" if kind in _STRICT else "max_tokens"
        written[name] = request.max_output_tokens
    if request.stop:
        written["stop"] = list(request.stop)
    if request.choices != 1:
        written["n"] = request.choices
    return written


def _effort(request: ChatRequest, model: Model, kind: Kind) -> dict[str, Any]:
    if model.has_reasoning is False and kind in _STRICT:  # which answer 400 to one
        return {}
    effort = request.reasoning_effort
    if kind in _STRICT or kind == "vertex":
        effort = asked_effort(request)
        if effort is None and request.tools and refuses_tools_with_reasoning(model, kind):
            # What can be asked at the Responses API is asked there; this is the rest.
            effort = "none"
    return {} if effort is None else {"reasoning_effort": effort}


def refuses_tools_with_reasoning(model: Model, kind: Kind) -> bool:
    """From gpt-5.4 on, chat completions take function tools only with the effort `none`."""
    # The name of an Azure deployment is free; its title is the model's.
    names = (model.name, model.id, model.title.lower())
    found = next(filter(None, map(_VERSION.search, names)), None)
    if kind not in _STRICT or model.has_reasoning is False or found is None:
        return False
    return (int(found[1]), int(found[2] or 0)) >= (5, 4)


def _with_tools_in_text(messages: Sequence[Message]) -> Iterator[Message]:
    """What else than text a tool gave is said by the user, behind all results of its round."""
    shown: list[Part] = []
    for message in messages:
        if shown and message.role != "tool":
            yield Message("user", tuple(shown))
            shown.clear()
        others = [part for part in message.parts if not isinstance(part, Text)]
        if message.role != "tool" or not others:
            yield message
            continue
        shown += others
        texts = tuple(part for part in message.parts if isinstance(part, Text))
        yield replace(message, parts=texts or (Text("See the next message."),))
    if shown:
        yield Message("user", tuple(shown))


def _message(message: Message, model: Model, kind: Kind) -> dict[str, Any]:
    written = message_to_json(_for_kind(message, model, kind))
    for name in _OF_ONE_DIALECT:
        written.pop(name, None)
    if kind not in _READ_DETAILS:
        written.pop("reasoning_details", None)
    return written


def _for_kind(message: Message, model: Model, kind: Kind) -> Message:
    role = message.role
    if kind in _STRICT:
        if role == "system" and model.has_reasoning:
            role = "developer"
        message = _strict(message)
    elif role == "developer":
        role = "system"
    if kind in _READ_DETAILS:
        message = _without_sealed_elsewhere(message)
    if kind == "vertex":
        message = replace(message, reasoning=(), tool_calls=_signed(message.tool_calls, model))
    return message if role == message.role else replace(message, role=role)


def _without_sealed_elsewhere(message: Message) -> Message:
    """What OpenAI sealed for a key of ours, it opens for no other key."""
    kept = tuple(block for block in message.reasoning if "issuer" not in block.extra)
    return message if len(kept) == len(message.reasoning) else replace(message, reasoning=kept)


def _strict(message: Message) -> Message:
    """Without what a caller sends back of other providers' answers."""
    if not (message.extra or message.reasoning or message.tool_calls or message.parts):
        return message
    return replace(
        message,
        reasoning=(),
        extra={name: message.extra[name] for name in _KNOWN_TO_STRICT & message.extra.keys()},
        parts=tuple(
            replace(part, extra={}) if isinstance(part, Text) and part.extra else part
            for part in message.parts
        ),
        tool_calls=tuple(
            replace(call, extra={name: call.extra[name] for name in call.extra if name == "type"})
            for call in message.tool_calls
        ),
    )


def _signed(calls: tuple[ToolCall, ...], model: Model) -> tuple[ToolCall, ...]:
    """Gemini 3 demands a thought signature on the first of the calls of a message."""
    if not calls or "gemini-3" not in model.name or "extra_content" in calls[0].extra:
        return calls
    first = replace(calls[0], extra={**calls[0].extra, "extra_content": _UNSIGNED})
    return (first, *calls[1:])
