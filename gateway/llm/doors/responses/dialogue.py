"""Puts items, of which each stands alone, together to the messages of a conversation."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.json_fields import said
from gateway.llm.messages import Message, Part, Reasoning, Text, ToolCall

_NOT_YET_ALLOWED = "Error: the user has not allowed this call."


@dataclass(slots=True)
class _Turn:
    """What the model said in one go, and what is known already of its calls."""

    thoughts: list[Reasoning] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """All that it called has answered, so that whatever follows was said later."""
        return bool(self.calls) and len(self.results) == len(self.calls)

    def messages(self) -> list[Message]:
        if not (self.thoughts or self.parts or self.calls):
            return []
        thoughts, parts, calls = tuple(self.thoughts), tuple(self.parts), tuple(self.calls)
        said = Message("assistant", parts, calls, thoughts, extra=self.extra)
        return [said, *self.results]


class Dialogue:
    """What follows each other belongs to one message of the model, until it is answered."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._turn = _Turn()
        self._calls: set[str] = set()
        self._answered: set[str] = set()

    def has_call(self, call_id: str) -> bool:
        return call_id in self._calls

    def think(self, thoughts: Sequence[Reasoning]) -> None:
        self._after_results()
        self._turn.thoughts += thoughts

    def say(self, parts: Sequence[Part], extra: Mapping[str, Any]) -> None:
        self._after_results()
        # Two messages in a row are two paragraphs of one.
        is_next = self._turn.parts and parts and isinstance(parts[0], Text)
        if is_next and isinstance(self._turn.parts[-1], Text):
            self._turn.parts.append(Text("\n\n"))
        self._turn.parts += parts
        self._turn.extra.update(extra)

    def call(self, call: ToolCall, result: Message | None = None) -> None:
        """With its result, if it was answered before the model said anything else."""
        self._calls.add(call.id)
        self._turn.calls.append(call)
        if result is not None:
            self._answered.add(call.id)
            self._turn.results.append(result)

    def hear(self, message: Message) -> None:
        """From anybody but the model."""
        self._end_turn()
        if message.tool_call_id is not None:
            self._answered.add(message.tool_call_id)
        self._messages.append(message)

    def end(self, requests: Set[str], *, approved: Set[str]) -> tuple[Message, ...]:
        """The messages; providers take no call without a result, so each of `requests` gets one.

        But for those that are `approved` now: they are about to run.

        Raises:
            InvalidRequest: another call has none, which should be known before anything runs.
        """
        self._end_turn()
        with_calls = [message for message in self._messages if message.tool_calls]
        running = {call.id for message in with_calls[-1:] for call in message.tool_calls} & approved
        for call_id in sorted(self._calls - requests - self._answered):
            raise InvalidRequest(
                f"input: the call {said(call_id)} has no result; send its output with this call_id"
            )
        never_ran = requests - running - self._answered
        whole: list[Message] = []
        due: list[Message] = []
        for message in self._messages:
            if message.role != "tool":
                whole += due
                due = []
            whole.append(message)
            due += [_refused(call) for call in message.tool_calls if call.id in never_ran]
        return (*whole, *due)

    def _after_results(self) -> None:
        if self._turn.is_over:
            self._end_turn()

    def _end_turn(self) -> None:
        self._messages += self._turn.messages()
        self._turn = _Turn()


def _refused(call: ToolCall) -> Message:
    return Message("tool", (Text(_NOT_YET_ALLOWED),), tool_call_id=call.id, is_error=True)
