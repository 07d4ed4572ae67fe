"""A request as the JSON of Ollama's own chat, which can say how much context it needs."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.anthropic.blocks import arguments_object
from gateway.llm.dialects.data_url import inline
from gateway.llm.dialects.openai.message import tool_to_json
from gateway.llm.dialects.openai.request import asked_effort
from gateway.llm.messages import ChatRequest, Image, Message, Other, Text, ToolDefinition
from gateway.llm.model import Model
from gateway.llm.tokens import request_tokens

# Ollama loads a model anew for another context, so there are few sizes.
LEAST_CONTEXT_TOKENS = 4096
DEFAULT_OUTPUT_TOKENS = 2048
# A guess may be a fifth too low, and Ollama cuts off silently what does not fit.
_SAFETY = 1.25

_OPTIONS = frozenset(
    "seed top_k min_p typical_p repeat_penalty repeat_last_n presence_penalty frequency_penalty "
    "mirostat mirostat_eta mirostat_tau num_gpu num_thread".split()
)
_THINK: Mapping[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}


def request_to_json(request: ChatRequest, model: Model) -> dict[str, Any]:
    if request.choices != 1:
        raise InvalidRequest(f"Ollama gives one answer, not n={request.choices}")
    if request.other_tools:
        kinds = ", ".join(sorted({str(tool.get("type"))[:40] for tool in request.other_tools}))
        raise InvalidRequest(f"Ollama takes tools of the type function, not {kinds}")
    written: dict[str, Any] = {
        "model": model.name,
        "messages": _messages(request.messages),
        "stream": True,
        "options": _options(request, model),
    }
    if tools := _tools(request):
        written["tools"] = [tool_to_json(tool) for tool in tools]
    if request.answer_format is not None:
        written["format"] = request.answer_format.schema or "json"
    if "keep_alive" in request.extra:
        written["keep_alive"] = request.extra["keep_alive"]
    return written | _think(request, model)


def context_tokens(request: ChatRequest, model: Model) -> int:
    """What the request and its answer need, doubled from the least up to what the model has."""
    needed = request_tokens(request) * _SAFETY + (
        request.max_output_tokens or DEFAULT_OUTPUT_TOKENS
    )
    size = LEAST_CONTEXT_TOKENS
    while size < needed:
        size *= 2
    return min(size, model.context_tokens or size)


def _options(request: ChatRequest, model: Model) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "num_ctx": context_tokens(request, model),
        "num_predict": request.max_output_tokens,
        "stop": list(request.stop) or None,
        **{name: request.extra[name] for name in _OPTIONS & request.extra.keys()},
    }
    if model.has_temperature is not False:
        chosen |= {"temperature": request.temperature, "top_p": request.top_p}
    own = request.extra.get("options")
    if isinstance(own, Mapping):
        chosen |= own
    return {name: value for name, value in chosen.items() if value is not None}


def _tools(request: ChatRequest) -> tuple[ToolDefinition, ...]:
    """Ollama has no `tool_choice`: what may not be called is not offered."""
    choice = request.tool_choice
    if choice is None or choice.mode in ("auto", "required"):
        return request.tools
    return tuple(tool for tool in request.tools if tool.name == choice.name)


def _think(request: ChatRequest, model: Model) -> dict[str, Any]:
    if "think" in request.extra:
        return {"think": request.extra["think"]}
    effort = asked_effort(request)
    if effort is None or model.has_reasoning is False:  # which would be an error there
        return {}
    return {"think": _THINK.get(effort, True)}


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    return [_message(message, names) for message in messages]


def _message(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    role = "system" if message.role == "developer" else message.role
    written: dict[str, Any] = {"role": role, "content": message.text}
    if images := [_image(part) for part in message.parts if not isinstance(part, Text)]:
        written["images"] = images
    if thought := "".join(block.text for block in message.reasoning):
        written["thinking"] = thought
    if message.tool_calls:
        written["tool_calls"] = [
            {
                "id": call.id,
                "function": {"name": call.name, "arguments": arguments_object(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
        written["tool_name"] = names.get(message.tool_call_id, message.name or "")
    return written


def _image(part: Image | Other) -> str:
    if isinstance(part, Other):
        raise InvalidRequest(
            f"Ollama takes text and images, no part of the type {str(part.raw.get('type'))[:40]!r}"
        )
    held = inline(part.url)
    if held is None:
        raise InvalidRequest(
            "Ollama fetches no images from elsewhere; send the image itself as a "
            "data:image/png;base64,… URL"
        )
    return held.base64
