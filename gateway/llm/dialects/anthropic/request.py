"""A request as the JSON of Anthropic's Messages."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.anthropic.blocks import FIELDS, system_blocks, turns
from gateway.llm.dialects.openai.request import asked_effort
from gateway.llm.messages import ChatRequest, Json, ToolDefinition
from gateway.llm.model import Model

DEFAULT_MAX_TOKENS = 4096
LEAST_THINKING_TOKENS = 1024

_EFFORT = {"minimal": "low"}
_THINKING_TOKENS = {"low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 49_152}
_VERSION = re.compile(r"claude-[a-z]+-(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_ALSO_SENT = frozenset(
    (
        "thinking top_k cache_control container context_management mcp_servers inference_geo "
        "service_tier"
    ).split()
)
_JSON_ONLY = "Answer with one JSON object and with nothing else."


def request_to_json(request: ChatRequest, model: Model) -> dict[str, Any]:
    if request.choices != 1:
        raise InvalidRequest(f"Anthropic gives one answer, not n={request.choices}")
    request = replace(request, extra={**request.extra, **request.extra.get(FIELDS, {})})
    max_tokens = request.max_output_tokens or model.max_output_tokens or DEFAULT_MAX_TOKENS
    tools = _tools(request)
    thinking = _thinking(request, model, max_tokens=max_tokens)
    written: dict[str, Any] = {
        **{name: request.extra[name] for name in _ALSO_SENT & request.extra.keys()},
        **tools,
        **thinking,
        **_output_config(request, model),
        **_who_asks(request.extra),
        "model": model.name,
        "max_tokens": max_tokens,
        "stream": True,
        **_conversation(request),
    }
    if request.stop:
        written["stop_sequences"] = list(request.stop)
    if model.has_temperature is False:
        written.pop("top_k", None)
        return written
    return written | _sampling(request, is_thinking="thinking" in written)


def _conversation(request: ChatRequest) -> dict[str, Any]:
    system, messages = system_blocks(request.messages), turns(request.messages)
    if request.answer_format is not None and request.answer_format.kind == "json_object":
        system.append({"type": "text", "text": _JSON_ONLY})
    if not messages:  # at least one must ask
        return {"messages": [{"role": "user", "content": system}]}
    match system:
        case []:
            return {"messages": messages}
        case [{"type": "text", "text": text, **rest}] if not rest:
            return {"system": text, "messages": messages}
    return {"system": system, "messages": messages}


def _sampling(request: ChatRequest, *, is_thinking: bool) -> dict[str, Any]:
    """Models take a temperature up to 1 or a `top_p`, not both, and neither while they think."""
    if is_thinking:
        return {}
    if request.temperature is not None:
        return {"temperature": min(request.temperature, 1)}
    return {} if request.top_p is None else {"top_p": request.top_p}


def _tools(request: ChatRequest) -> dict[str, Any]:
    tools = [_tool(tool) for tool in request.tools]
    for other in request.other_tools:
        if not isinstance(other.get("name"), str):
            raise InvalidRequest(
                f"Anthropic knows no tool of the type {str(other.get('type'))[:40]!r}; it takes "
                "functions and its own, such as web_search_20250305"
            )
        tools.append(dict(other))
    if not tools:
        return {}
    choice = _tool_choice(request)
    return {"tools": tools, "tool_choice": choice} if choice else {"tools": tools}


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    written: dict[str, Any] = {
        **{name: value for name, value in tool.extra.items() if name != "function"},
        "name": tool.name,
        "input_schema": {"type": "object", **(tool.parameters or {"properties": {}})},
    }
    if tool.description:
        written["description"] = tool.description
    if tool.strict is not None:
        written["strict"] = tool.strict
    return written


def _tool_choice(request: ChatRequest) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if request.tool_choice is not None:
        kind = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}
        written["type"] = kind[request.tool_choice.mode]
        if request.tool_choice.mode == "named":
            written["name"] = request.tool_choice.name
    if request.parallel_tool_calls is False and written.get("type") != "none":
        written.setdefault("type", "auto")
        written["disable_parallel_tool_use"] = True
    return written


def _thinking(request: ChatRequest, model: Model, *, max_tokens: int) -> dict[str, Any]:
    """Thinking only where an effort was asked for, and never beside a forced tool."""
    effort = asked_effort(request)
    choice = request.tool_choice
    is_forced = choice is not None and choice.mode in ("required", "named") and request.tools
    if "thinking" in request.extra or effort in (None, "none") or is_forced:
        return {}
    if model.has_reasoning is False:
        return {}
    if _thinks_adaptively(model):
        return {"thinking": {"type": "adaptive"}}
    wanted = _THINKING_TOKENS.get(_EFFORT.get(effort or "", effort or ""), LEAST_THINKING_TOKENS)
    budget = min(wanted, max_tokens - 1)
    if budget < LEAST_THINKING_TOKENS:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _thinks_adaptively(model: Model) -> bool:
    """From 4.6 on; older models think with a budget. Unknown names are taken for newer ones."""
    if re.search(r"claude-\d", model.name):  # claude-3-7-sonnet and before
        return False
    found = _VERSION.search(model.name)
    return found is None or (int(found[1]), int(found[2] or 0)) >= (4, 6)


def _output_config(request: ChatRequest, model: Model) -> dict[str, Any]:
    config: dict[str, Any] = {}
    wanted, effort = request.answer_format, asked_effort(request)
    if wanted is not None and wanted.kind == "json_schema":
        config["format"] = {"type": "json_schema", "schema": _closed(wanted.schema or {})}
    # A budget says it already, and more exactly.
    has_budget = "budget_tokens" in (request.extra.get("thinking") or {})
    is_adaptive = model.has_reasoning is not False and _thinks_adaptively(model)
    has_effort = is_adaptive and not has_budget
    if effort not in (None, "none") and has_effort:
        config["effort"] = _EFFORT.get(effort or "", effort)
    return {"output_config": config} if config else {}


def _closed(schema: Any) -> Any:
    """Anthropic takes only schemas whose objects say that they have no other properties."""
    if isinstance(schema, list):
        return [_closed(inner) for inner in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {name: _closed(inner) for name, inner in schema.items()}
    kind = schema.get("type", "object")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    if is_object and isinstance(schema.get("properties"), Mapping):
        closed.setdefault("additionalProperties", False)
    return closed


def _who_asks(extra: Json) -> dict[str, Any]:
    metadata = extra.get("metadata")
    inner = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    user = inner or extra.get("safety_identifier") or extra.get("user")
    return {"metadata": {"user_id": user}} if isinstance(user, str) else {}
