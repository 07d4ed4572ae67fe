"""The pieces of an answer, put together: a plain answer is a stream that was gathered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.llm.dialects.reasoning_details import continues
from gateway.llm.messages import (
    Chunk,
    FinishReason,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice; `finish_reason` is None as long as it is not complete."""

    choice: int
    message: Message
    finish_reason: FinishReason | None
    logprobs: Mapping[str, Any] | None = None


class Gathering:
    """Add every chunk, in order; what is there so far can be read at any time."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.frame: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    def add(self, chunk: Chunk) -> None:
        self.usage = chunk.usage or self.usage
        self.model = chunk.model or self.model
        self.frame.update(chunk.frame)
        if chunk.says_something or chunk.extra or chunk.logprobs:
            if chunk.choice not in self._choices:
                self._choices[chunk.choice] = _Choice()
            self._choices[chunk.choice].add(chunk)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """By number of the choice."""
        return tuple(self._choices[number].answer(number) for number in sorted(self._choices))


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Choice:
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    reasoning: list[list[Reasoning]] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    logprobs: dict[str, Any] | None = None
    finish_reason: FinishReason | None = None

    def add(self, chunk: Chunk) -> None:
        if chunk.text:
            self.text.append(chunk.text)
        if chunk.refusal:
            self.refusal.append(chunk.refusal)
        for piece in chunk.reasoning:
            self._think(piece)
        for delta in chunk.tool_calls:
            self._call(delta)
        if chunk.extra:
            _merge(self.extra, chunk.extra)
        if chunk.logprobs:
            self.logprobs = self.logprobs or {}
            _merge(self.logprobs, chunk.logprobs)
        self.finish_reason = chunk.finish_reason or self.finish_reason

    def answer(self, number: int) -> Answer:
        refusal = {"refusal": "".join(self.refusal)} if self.refusal else {}
        message = Message(
            role="assistant",
            parts=(Text("".join(self.text)),) if self.text else (),
            tool_calls=tuple(
                ToolCall(call.id, call.name, "".join(call.arguments), call.extra)
                for _, call in sorted(self.calls.items())
            ),
            reasoning=tuple(map(_joined, self.reasoning)),
            extra={**self.extra, **refusal},
        )
        return Answer(number, message, self.finish_reason, self.logprobs)

    def _think(self, piece: Reasoning) -> None:
        if self.reasoning and continues(_seal(self.reasoning[-1]), piece):
            self.reasoning[-1].append(piece)
        else:
            self.reasoning.append([piece])

    def _call(self, delta: ToolCallDelta) -> None:
        call = self.calls.setdefault(delta.index, _Call())
        call.id = delta.id or call.id
        call.name = delta.name or call.name
        call.arguments.append(delta.arguments)
        call.extra.update(delta.extra)


def _seal(pieces: list[Reasoning]) -> Reasoning:
    """What tells a block apart: the first piece names it, the last may have sealed it."""
    return pieces[0] if len(pieces) == 1 else replace(pieces[0], signature=pieces[-1].signature)


def _joined(pieces: list[Reasoning]) -> Reasoning:
    if len(pieces) == 1:
        return pieces[0]
    extra: dict[str, Any] = {}
    for piece in pieces:
        extra.update({name: value for name, value in piece.extra.items() if value is not None})
    signatures = [piece.signature for piece in pieces if piece.signature is not None]
    return Reasoning(
        "".join(piece.text for piece in pieces),
        signatures[-1] if signatures else None,
        pieces[0].redacted,
        {**pieces[0].extra, **extra},
    )


def _merge(known: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Lists, such as annotations and logprobs, come in pieces; of all else the last counts."""
    for name, value in more.items():
        before = known.get(name)
        if isinstance(before, list) and isinstance(value, list):
            known[name] = [*before, *value]
        else:
            known[name] = value
