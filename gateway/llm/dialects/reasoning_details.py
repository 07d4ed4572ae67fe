"""Reasoning as OpenRouter writes it in `reasoning_details`, which clients send back unchanged."""

from collections.abc import Iterable
from typing import Any

from gateway.llm.messages import Json, Reasoning

_TEXT, _SUMMARY, _ENCRYPTED = "reasoning.text", "reasoning.summary", "reasoning.encrypted"
_TOLD_APART_BY = ("type", "index", "id")


def details_of(blocks: Iterable[Reasoning]) -> list[dict[str, Any]]:
    """Of all blocks, or of none if all are plain text, which needs no more than its text."""
    written = tuple(blocks)
    return [_detail(block) for block in written] if any(map(_is_sealed, written)) else []


def _is_sealed(block: Reasoning) -> bool:
    return bool(block.extra) or block.signature is not None or block.redacted is not None


def blocks_of(details: Iterable[object]) -> tuple[Reasoning, ...]:
    return tuple(_block(detail) for detail in details if isinstance(detail, dict))


def continues(block: Reasoning, piece: Reasoning) -> bool:
    """Whether a piece belongs to the block before it, or begins one of its own."""
    if block.redacted is not None or piece.redacted is not None:
        return False
    if block.signature is not None and (piece.text or "index" not in block.extra):
        return False
    return all(
        block.extra.get(name) == piece.extra.get(name)
        or (name != "index" and None in (block.extra.get(name), piece.extra.get(name)))
        for name in _TOLD_APART_BY
    )


def _detail(block: Reasoning) -> dict[str, Any]:
    kind = block.extra.get("type") or (_TEXT if block.redacted is None else _ENCRYPTED)
    detail = {"type": kind, **block.extra}
    if kind == _SUMMARY:
        detail["summary"] = block.text
    elif block.text or kind == _TEXT:
        detail["text"] = block.text
    if block.signature is not None:
        detail["signature"] = block.signature
    if block.redacted is not None:
        detail["data"] = block.redacted
    return detail


def _block(detail: Json) -> Reasoning:
    named = "summary" if detail.get("type") == _SUMMARY else "text"
    text, signature, data = detail.get(named), detail.get("signature"), detail.get("data")
    taken = {
        name
        for name, value in ((named, text), ("signature", signature), ("data", data))
        if value is None or isinstance(value, str)
    }
    return Reasoning(
        text if isinstance(text, str) else "",
        signature if isinstance(signature, str) else None,
        data if isinstance(data, str) else None,
        {name: value for name, value in detail.items() if name not in taken},
    )
