"""One of a caller's Messages, read into one or more of ours.

Results of tools are messages of their own with us. An answer in which the gateway's own tools
ran comes back as one message, and is several: what was said, what the tools gave, what was said.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.anthropic.blocks import VERBATIM, tool_use_id
from gateway.llm.dialects.json_fields import Fields, as_flag, as_name, as_object, wrong
from gateway.llm.doors.messages.parts import (
    CACHE,
    cached,
    content_from_json,
    content_of,
    system_from_json,
)
from gateway.llm.doors.messages.thinking import KINDS as THINKING
from gateway.llm.doors.messages.thinking import is_sealed_here, thought_from_json
from gateway.llm.doors.messages.work import is_work, work_of
from gateway.llm.loop.piece import labelled
from gateway.llm.messages import Json, Message, Text, ToolCall

_CALLS = ("tool_use", "mcp_tool_use")
_RESULT_OF_OURS = "mcp_tool_result"
# A list of tools, as Anthropic's own connector tells it; ours are offered anew each time.
_SKIPPED = frozenset({"mcp_tool_listing"})
_ORDER = {"thinking": 0, "redacted_thinking": 0, "text": 1, "tool_use": 2, "mcp_tool_use": 2}

Placed = tuple[Json, str]


def messages_from_json(value: object, where: str) -> Iterator[Message]:
    """Raises `InvalidRequest` with the way to the field."""
    fields = Fields(value, where)
    role = fields.need("role", as_name, is_what="user or assistant")
    content, path = fields.take("content"), fields.path("content")
    match role:
        case "user":
            return _asked(content, path)
        case "assistant":
            return _answered(content, path)
        case "system":
            parts, extra = system_from_json(content, path)
            return iter((Message("system", parts, extra=extra),))
    raise wrong(role, fields.path("role"), "user, assistant or system")


def _blocks(content: object, where: str) -> list[Placed]:
    if isinstance(content, str):
        return [({"type": "text", "text": content}, where)]
    if not isinstance(content, list):
        raise wrong(content, where, "a string or a list of blocks")
    placed = [(one, f"{where}[{at}]") for at, one in enumerate(content)]
    return [(as_object(one, place), place) for one, place in placed]


def _asked(content: object, where: str) -> Iterator[Message]:
    """What tools gave stands first, as providers want it."""
    blocks = _blocks(content, where)
    results = [one for one in blocks if one[0].get("type") == "tool_result"]
    said = [one for one in blocks if one[0].get("type") != "tool_result"]
    yield from (_result(raw, place) for raw, place in results)
    if said or not results:
        parts, extra = content_of([raw for raw, _ in said], [place for _, place in said])
        yield Message("user", parts, extra=extra)


def _result(raw: Json, where: str) -> Message:
    fields = Fields(raw, where)
    call_id = fields.need("tool_use_id", as_name, is_what="the ID of the call that it answers")
    content = content_from_json(raw.get("content") or [], fields.path("content"))
    return Message(
        "tool",
        content.parts,
        tool_call_id=call_id,
        is_error=fields.read("is_error", as_flag) or False,
        extra={**content.extra, **cached(raw)},
    )


def _result_of_ours(result: Message, use: Json) -> Message:
    """As the model read it, and not as it was shown to the caller."""
    name, server = str(use.get("name")), str(use.get("server_name"))
    said = f"Error: {result.text}" if result.is_error else labelled(name, server, result.text)
    return replace(result, parts=(Text(said),), name=name)


@dataclass(slots=True)
class _Said:
    """What a model said in one go, and what our tools then gave it."""

    blocks: list[Placed] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)


def _answered(content: object, where: str) -> Iterator[Message]:
    blocks = _blocks(content, where)
    if work := work_of(raw for raw, _ in blocks):
        yield from work
        return
    for said in _rounds([one for one in blocks if not is_work(one[0])]):
        yield _message(said.blocks)
        yield from said.results


def _rounds(blocks: Sequence[Placed]) -> Sequence[_Said]:
    ours = {raw.get("id"): raw for raw, _ in blocks if raw.get("type") == "mcp_tool_use"}
    ended = {raw.get("tool_use_id") for raw, _ in blocks if raw.get("type") == _RESULT_OF_OURS}
    rounds = [_Said()]
    for raw, place in blocks:
        kind = raw.get("type")
        if kind == _RESULT_OF_OURS:
            if (use := ours.get(raw.get("tool_use_id"))) is None:
                raise InvalidRequest(f"{place}.tool_use_id: no mcp_tool_use has this ID")
            rounds[-1].results.append(_result_of_ours(_result(raw, place), use))
            continue
        if kind in _SKIPPED or (kind == "mcp_tool_use" and raw.get("id") not in ended):
            # A call whose answer broke off: providers take none without a result.
            continue
        if rounds[-1].results:
            rounds.append(_Said())
        rounds[-1].blocks.append((raw, place))
    return rounds


def _message(blocks: Sequence[Placed]) -> Message:
    """Where the order tells more than our messages can, Anthropic gets the blocks as they are."""
    texts = [one for one in blocks if one[0].get("type") == "text"]
    extra = cached(blocks[-1][0]) if blocks else {}
    if not _is_plain([raw for raw, _ in blocks]):
        extra[VERBATIM] = [kept for raw, _ in blocks if (kept := _kept(raw)) is not None]
    parts = content_of([raw for raw, _ in texts], [place for _, place in texts]).parts
    return Message(
        "assistant",
        tuple(Text(one.text, _only_cache(one.extra)) for one in parts if isinstance(one, Text)),
        tool_calls=tuple(_call(*one) for one in blocks if one[0].get("type") in _CALLS),
        reasoning=tuple(
            thought_from_json(*one) for one in blocks if one[0].get("type") in THINKING
        ),
        extra=extra,
    )


def _call(raw: Json, where: str) -> ToolCall:
    fields = Fields(raw, where)
    return ToolCall(
        fields.need("id", as_name, is_what="the ID that came with the block"),
        fields.need("name", as_name, is_what="the name of a tool"),
        json.dumps(fields.read("input", as_object) or {}, ensure_ascii=False),
    )


def _is_plain(blocks: Sequence[Json]) -> bool:
    """Whether thoughts, then texts, then calls are all there is, and nothing hangs on them."""
    order = [_ORDER.get(str(raw.get("type")), -1) for raw in blocks if not is_sealed_here(raw)]
    return -1 not in order and order == sorted(order) and not any(map(_is_cited, blocks))


def _is_cited(raw: Json) -> bool:
    return bool(raw.get("citations"))


def _kept(raw: Json) -> dict[str, Any] | None:
    """A block as Anthropic takes it back; none for what others thought, or said in no words."""
    kind = raw.get("type")
    if is_sealed_here(raw) or (kind == "text" and not str(raw.get("text", "")).strip()):
        return None
    kept = {name: value for name, value in raw.items() if name != "server_name"}
    if kind in _CALLS:
        kept |= {"type": "tool_use", "id": tool_use_id(str(raw.get("id", "")))}
    return kept


def _only_cache(extra: Mapping[str, Any]) -> dict[str, Any]:
    return {CACHE: extra[CACHE]} if CACHE in extra else {}
