"""What models thought, as thinking blocks with a signature, whoever thought it.

Anthropic's own signatures stay as they are. Around what others thought goes a seal of ours, so
that clients that insist on a signature have one, and so that it is never shown to Anthropic.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.llm.dialects.anthropic.blocks import FORMAT
from gateway.llm.dialects.json_fields import Fields, as_text
from gateway.llm.doors.seal import opened, sealed
from gateway.llm.messages import Json, Reasoning

KINDS = ("thinking", "redacted_thinking")


def thought_from_json(raw: Json, where: str) -> Reasoning:
    """A block of one of these kinds, as it was before the door wrote it.

    Raises:
        InvalidRequest: with the way to the field.
    """
    fields = Fields(raw, where)
    if raw.get("type") == "redacted_thinking":
        data = fields.need("data", as_text, is_what="the data that came with the block")
        return Reasoning(redacted=data, extra={"format": FORMAT})
    text = fields.read("thinking", as_text) or ""
    signature = fields.read("signature", as_text)
    if (seal := opened(signature)) is not None and seal.thoughts:
        return replace(seal.thoughts[0], text=text)
    return Reasoning(text, signature or None, extra={"format": FORMAT})


def is_sealed_here(raw: Json) -> bool:
    return raw.get("type") == "thinking" and opened(raw.get("signature")) is not None


def is_redacted(piece: Reasoning) -> bool:
    """Whether it has a block of Anthropic's own, in which nothing can be read."""
    return piece.redacted is not None and piece.extra.get("format") == FORMAT


def signature_of(pieces: Sequence[Reasoning]) -> str:
    """Of the block that these pieces are."""
    extra: dict[str, Any] = {}
    for piece in pieces:
        extra.update({name: value for name, value in piece.extra.items() if value is not None})
    given = [piece.signature for piece in pieces if piece.signature]
    signature = given[-1] if given else None
    if signature is not None and extra.get("format") == FORMAT:
        return signature
    return sealed((Reasoning("", signature, pieces[0].redacted, extra),))
