"""The tool calls of one answer, told apart however a provider numbers them.

A known ID wins. A new ID on a known number is a new call: Ollama and Gemini number every call 0.
Neither ID nor number continues the latest call.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.llm.messages import ToolCallDelta


def new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Piece:
    """What a provider sent of one call; what it did not say, or left empty, is None."""

    number: int | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Call:
    index: int
    name: str | None = None
    arguments: list[str] = field(default_factory=list)
    takes_json: bool = True

    @property
    def is_whole(self) -> bool:
        try:
            json.loads("".join(self.arguments))
        except ValueError:
            return False
        return True


class ToolCalls:
    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_number: dict[int, _Call] = {}
        self._current: _Call | None = None

    def __bool__(self) -> bool:
        return bool(self._calls)

    def delta(self, piece: Piece) -> ToolCallDelta:
        """The piece with our own number; the ID and the name come once, with the first piece."""
        call = self._known(piece)
        call_id = None
        if call is None:
            call = _Call(len(self._calls), takes_json=piece.extra.get("type") != "custom")
            self._calls.append(call)
            call_id = piece.call_id or new_call_id()
        name = piece.name if not call.name else None
        call.name = call.name or piece.name
        if piece.arguments:
            call.arguments.append(piece.arguments)
        self._remember(call, piece)
        return ToolCallDelta(call.index, call_id, name, piece.arguments, piece.extra)

    def completed(self) -> list[ToolCallDelta]:
        """No arguments are an empty object: what is not JSON could never be sent back."""
        empty = [call for call in self._calls if call.takes_json and not call.arguments]
        for call in empty:
            call.arguments.append("{}")
        return [ToolCallDelta(call.index, arguments="{}") for call in empty]

    def _known(self, piece: Piece) -> _Call | None:
        if piece.call_id and (call := self._by_id.get(piece.call_id)):
            return call
        call = self._current if piece.number is None else self._by_number.get(piece.number)
        if call is None:
            return None
        if piece.call_id:
            # Some servers invent a new ID for every piece; a new call has a name too.
            return None if piece.name or not call.name else call
        if piece.name and call.name and (piece.name != call.name or call.is_whole):
            return None
        return call

    def _remember(self, call: _Call, piece: Piece) -> None:
        self._current = call
        if piece.call_id:
            self._by_id[piece.call_id] = call
        if piece.number is not None:
            self._by_number[piece.number] = call
