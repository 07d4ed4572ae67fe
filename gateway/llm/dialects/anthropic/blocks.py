"""Our messages as Anthropic's, whose turns alternate and hold blocks of content."""

import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.data_url import inline
from gateway.llm.messages import Image, Message, Other, Part, Reasoning, Text, ToolCall

Block = dict[str, Any]

# Marks the reasoning of this dialect; OpenRouter gives the same name to what Claude thought.
FORMAT = "anthropic-claude-v1"
# Where an answer that our messages cannot tell in order is kept as it came.
VERBATIM = "anthropic_content"
# Fields of a request that only Anthropic is sent.
FIELDS = "anthropic_fields"

_UNUSUAL_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
# Ours, to tell blocks apart; Anthropic would refuse them.
_NOT_SENT = frozenset({"type", "format", "index", "id"})
_TAKEN_AS_IT_IS = frozenset({"document", "search_result", "container_upload", "image"})


def system_blocks(messages: Iterable[Message]) -> list[Block]:
    """What stands above the conversation here, wherever it stood in it."""
    return [
        block
        for message in messages
        if message.role in ("system", "developer")
        for block in _cached(_content(message.parts), message)
    ]


def turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """All but system messages; those of one role in a row are one, results of tools first."""
    written: list[dict[str, Any]] = []
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not (blocks := _blocks(message)):
            continue
        if not written or written[-1]["role"] != role:
            written.append({"role": role, "content": []})
        written[-1]["content"] += blocks
    for turn in written:
        turn["content"].sort(key=lambda block: block.get("type") != "tool_result")
    return written


def _blocks(message: Message) -> list[Block]:
    if message.role == "tool":
        return _cached([_tool_result(message)], message)
    if message.role == "user":
        return _cached(_content(message.parts), message)
    verbatim = message.extra.get(VERBATIM)
    if isinstance(verbatim, list) and all(isinstance(block, dict) for block in verbatim):
        return [dict(block) for block in verbatim]
    blocks = [block for one in message.reasoning if (block := _thinking(one)) is not None]
    blocks += _content(message.parts)
    blocks += [_tool_use(call) for call in message.tool_calls]
    return _cached(blocks, message)


def _content(parts: Iterable[Part]) -> list[Block]:
    """Anthropic refuses texts that are empty or blank."""
    return [_part(part) for part in parts if not (isinstance(part, Text) and not part.text.strip())]


def _part(part: Part) -> Block:
    match part:
        case Text():
            return {**part.extra, "type": "text", "text": part.text}
        case Image():
            kept = (
                {"cache_control": part.extra["cache_control"]}
                if "cache_control" in part.extra
                else {}
            )
            return {**kept, "type": "image", "source": _source(part.url)}
        case Other():
            return _other(part.raw)


def _source(url: str) -> dict[str, str]:
    held = inline(url)
    if held is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": held.media_type, "data": held.base64}


def _other(raw: Mapping[str, Any]) -> Block:
    kind = raw.get("type")
    if kind in _TAKEN_AS_IT_IS:
        return dict(raw)
    file = raw.get("file")
    if kind == "file" and isinstance(file, Mapping) and isinstance(file.get("file_data"), str):
        title = {"title": file["filename"]} if file.get("filename") else {}
        return {"type": "document", "source": _source(file["file_data"]), **title}
    if kind == "refusal":
        return {"type": "text", "text": str(raw.get("refusal") or "refused")}
    raise InvalidRequest(
        f"Anthropic takes no part of the type {str(kind)[:40]!r}; it takes text, image_url, and "
        "file with file_data"
    )


def _thinking(block: Reasoning) -> Block | None:
    """As it came; what has no seal, or another provider's, Anthropic would refuse."""
    if block.extra.get("format", FORMAT) != FORMAT:
        return None
    kept = {name: value for name, value in block.extra.items() if name not in _NOT_SENT}
    if block.redacted is not None:
        return {**kept, "type": "redacted_thinking", "data": block.redacted}
    if block.signature is None:
        return None
    return {**kept, "type": "thinking", "thinking": block.text, "signature": block.signature}


def _tool_use(call: ToolCall) -> Block:
    return {
        "type": "tool_use",
        "id": tool_use_id(call.id),
        "name": call.name,
        "input": arguments_object(call.arguments),
    }


def _tool_result(message: Message) -> Block:
    blocks = _content(message.parts)
    result: Block = {"type": "tool_result", "tool_use_id": tool_use_id(message.tool_call_id or "")}
    match blocks:
        case []:
            pass
        case [{"type": "text", "text": text, **rest}] if not rest:
            result["content"] = text
        case _:
            result["content"] = blocks
    if message.is_error:
        result["is_error"] = True
    return result


def tool_use_id(call_id: str) -> str:
    """Anthropic takes letters, digits, `_` and `-`; others also write `functions.find:0`."""
    if call_id and not _UNUSUAL_IN_ID.search(call_id):
        return call_id
    told_apart = zlib.crc32(call_id.encode("utf-8", "replace"))
    return f"{_UNUSUAL_IN_ID.sub('_', call_id)}_{told_apart:08x}"


def arguments_object(arguments: str) -> dict[str, Any]:
    """The arguments as an object; a model that wrote nonsense sees its own text again."""
    try:
        read = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        read = arguments
    return read if isinstance(read, dict) else {"arguments": read}


def _cached(blocks: list[Block], message: Message) -> list[Block]:
    """A message that is to be cached is so from its last block on."""
    control = message.extra.get("cache_control")
    if control and blocks and blocks[-1]["type"] not in ("thinking", "redacted_thinking"):
        blocks[-1] = {**blocks[-1], "cache_control": control}
    return blocks
