"""Our messages as items of OpenAI's Responses API, where each thought and each call stands alone.

A thought goes back only to whoever sealed it: nobody else can open it, and it would be refused.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.messages import Image, Message, Other, Part, Reasoning, Text, ToolCall

Item = dict[str, Any]

# The name that OpenRouter gave to thoughts of this kind; clients know it.
FORMAT = "openai-responses-v1"
# Where an answer that our messages cannot tell in order is kept as it came.
VERBATIM = "openai_output"
# Whether a text beside calls was a comment or the answer: it is wanted back.
PHASE = "phase"
# Between texts that are items of their own here, and one text in our messages.
BREAK = "\n\n"

_MOST_CALL_ID_CHARACTERS = 64
_OWN_PARTS = frozenset({"input_text", "input_image", "input_file"})
_ONLY_IN_CHAT = ("audio", "function_call")


def items_of(messages: Iterable[Message], issuer: str) -> list[Item]:
    """Raises:
    InvalidRequest: a part of a message is of a kind that has no item.
    """
    custom: set[str] = set()
    items: list[Item] = []
    for message in messages:
        custom |= {call.id for call in message.tool_calls if _is_custom(call)}
        items += _items(message, issuer, custom)
    return items


def can_be_said(message: Message) -> bool:
    """Whether nothing of it is known to chat completions alone, such as audio."""
    if any(message.extra.get(name) for name in _ONLY_IN_CHAT):
        return False
    others = [part.raw.get("type") for part in message.parts if isinstance(part, Other)]
    if message.role == "assistant":
        has_image = any(isinstance(part, Image) for part in message.parts)
        return not has_image and all(kind == "refusal" for kind in others)
    return all(kind == "file" or kind in _OWN_PARTS for kind in others)


def _items(message: Message, issuer: str, custom: set[str]) -> list[Item]:
    if message.role == "tool":
        return [_output(message, custom)]
    if message.role == "assistant":
        return _as_it_came(message, issuer) or list(_said(message, issuer))
    role = "user" if message.role == "user" else "developer"
    return [{"type": "message", "role": role, "content": [_part(part) for part in message.parts]}]


def _as_it_came(message: Message, issuer: str) -> list[Item]:
    """Unless another wrote it, or somebody changed the message since."""
    kept = message.extra.get(VERBATIM)
    if not isinstance(kept, Mapping) or kept.get("issuer") != issuer:
        return []
    items = kept.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return []
    calls = [item["call_id"] for item in items if "call_id" in item]
    if calls != [call.id for call in message.tool_calls]:
        return []
    if _letters(_text_of(items)) != _letters(message.text):
        return []
    return [item for item in items if item.get("type") != "reasoning" or _is_sealed(item)]


def _text_of(items: list[Item]) -> str:
    contents = [item["content"] for item in items if isinstance(item.get("content"), list)]
    return "".join(_text(part) for content in contents for part in content)


def _text(part: object) -> str:
    if not isinstance(part, Mapping) or part.get("type") != "output_text":
        return ""
    return str(part.get("text"))


def _letters(text: str) -> str:
    return "".join(text.split())


def _is_sealed(item: Item) -> bool:
    return isinstance(item.get("encrypted_content"), str)


def _said(message: Message, issuer: str) -> Iterator[Item]:
    yield from _thoughts(message.reasoning, issuer)
    content = [_output_part(part) for part in message.parts if not _is_empty(part)]
    if isinstance(refusal := message.extra.get("refusal"), str) and refusal:
        content.append({"type": "refusal", "refusal": refusal})
    if content:
        phase = message.extra.get(PHASE)
        marked = {PHASE: phase} if isinstance(phase, str) else {}
        yield {"type": "message", "role": "assistant", "content": content, **marked}
    for call in message.tool_calls:
        yield _call(call)


def _thoughts(blocks: Iterable[Reasoning], issuer: str) -> Iterator[Item]:
    """The seal comes last of what one item had; without it there is nothing to send back."""
    own = (FORMAT, issuer)
    summary: list[str] = []
    content: list[str] = []
    for block in blocks:
        if (block.extra.get("format"), block.extra.get("issuer")) != own:
            continue
        if block.redacted is None:
            (summary if block.extra.get("type") == "reasoning.summary" else content).append(
                block.text
            )
            continue
        yield _thought(block, summary, content)
        summary, content = [], []


def _thought(seal: Reasoning, summary: list[str], content: list[str]) -> Item:
    item: Item = {"type": "reasoning"}
    if isinstance(seal.extra.get("id"), str):
        item["id"] = seal.extra["id"]
    item["summary"] = [
        {"type": "summary_text", "text": text.removeprefix(BREAK) if at else text}
        for at, text in enumerate(summary)
    ]
    if content:
        item["content"] = [{"type": "reasoning_text", "text": text} for text in content]
    return item | {"encrypted_content": seal.redacted}


def _is_empty(part: Part) -> bool:
    return isinstance(part, Text) and not part.text


def _output_part(part: Part) -> Item:
    if isinstance(part, Text):
        return {"type": "output_text", "text": part.text, "annotations": []}
    if isinstance(part, Other) and part.raw.get("type") == "refusal":
        return {"type": "refusal", "refusal": str(part.raw.get("refusal") or "refused")}
    raise InvalidRequest("an assistant's message holds text here, and no images or files")


def _call(call: ToolCall) -> Item:
    named = {"call_id": _call_id(call.id), "name": call.name}
    if _is_custom(call):
        return {"type": "custom_tool_call", **named, "input": call.arguments}
    return {"type": "function_call", **named, "arguments": call.arguments}


def _is_custom(call: ToolCall) -> bool:
    return call.extra.get("type") == "custom"


def _output(message: Message, custom: set[str]) -> Item:
    answered = message.tool_call_id or ""
    kind = "custom_tool_call_output" if answered in custom else "function_call_output"
    is_plain = len(message.parts) < 2 and all(isinstance(part, Text) for part in message.parts)
    output = message.text if is_plain else [_part(part) for part in message.parts]
    return {"type": kind, "call_id": _call_id(answered), "output": output}


def _call_id(call_id: str) -> str:
    """Longer ones, as other providers give them, would be refused."""
    if len(call_id) <= _MOST_CALL_ID_CHARACTERS:
        return call_id
    told_apart = f"_{zlib.crc32(call_id.encode('utf-8', 'replace')):08x}"
    return call_id[: _MOST_CALL_ID_CHARACTERS - len(told_apart)] + told_apart


def _part(part: Part) -> Item:
    match part:
        case Text():
            return {**_cached(part.extra), "type": "input_text", "text": part.text}
        case Image():
            image = {"type": "input_image", "image_url": part.url, "detail": part.detail or "auto"}
            return {**_cached(part.extra), **image}
        case Other():
            return _other(part.raw)


def _cached(extra: Mapping[str, Any]) -> Item:
    name = "prompt_cache_breakpoint"
    return {name: extra[name]} if name in extra else {}


def _other(raw: Mapping[str, Any]) -> Item:
    kind, file = raw.get("type"), raw.get("file")
    if kind in _OWN_PARTS:
        return dict(raw)
    if kind == "file" and isinstance(file, Mapping):
        names = ("file_data", "file_id", "filename")
        return {"type": "input_file"} | {name: file[name] for name in names if name in file}
    raise InvalidRequest(
        f"the Responses API takes no part of the type {str(kind)[:40]!r}; it takes text, "
        "image_url and file"
    )
