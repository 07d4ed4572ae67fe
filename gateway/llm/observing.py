"""What becomes of answers in use, as evidence of how good they were.

None of it says much by itself: that an answer came, that the same was asked again soon, that a
tool was called with arguments that it does not take. It is told in small weights, and models are
compared by it with each other only.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from gateway.clock import Clock, now
from gateway.evidence.evidence import Evidence
from gateway.evidence.observation import Observation
from gateway.llm.messages import Image, Message, Other, Text
from gateway.usage.call import Call

ANSWERED_WEIGHT, FAILED_WEIGHT, REPEATED_WEIGHT, BROKEN_CALL_WEIGHT = 0.1, 0.5, 0.5, 0.3
# These say something of the model or its provider; what a caller did wrong does not.
_FAILURES = frozenset({"bad_answer", "deadline_exceeded", "unavailable", "not_found"})
# Who asks the same of an automatic route so soon again was not served.
REPEATED_WITHIN = timedelta(minutes=10)
MOST_REMEMBERED = 2_000
# Of a long conversation and of a long text, the beginning and the end tell it from others.
_MESSAGES, _CHARACTERS = 100, 2_000


class _Asked(NamedTuple):
    model: str
    at: datetime
    is_repeated: bool


class Observer:
    """Notes what it sees; without evidence it sees nothing."""

    def __init__(self, evidence: Evidence | None, *, clock: Clock = now) -> None:
        self._evidence = evidence
        self._clock = clock
        self._asked: OrderedDict[bytes, _Asked] = OrderedDict()

    def ended(self, call: Call, outcome: str) -> None:
        if outcome == "ok":
            self._note(call.model, call.task, 1.0, ANSWERED_WEIGHT, call.route_id)
        elif outcome in _FAILURES:
            self._note(call.model, call.task, 0.0, FAILED_WEIGHT, call.route_id)

    def answering(self, caller: str, asked: str, call: Call) -> None:
        """The model of `call` answers what `conversation` tells as `asked`.

        Whoever did before did not serve the caller. That is noted once: who goes on asking the
        same, as a batch or a monitor does, judges nobody by it.
        """
        if self._evidence is None or not asked:
            return
        key = blake2b(f"{caller}\n{asked}".encode("utf-8", "replace"), digest_size=16).digest()
        before = self._asked.pop(key, None)
        moment = self._clock()
        is_again = before is not None and moment - before.at < REPEATED_WITHIN
        if before is not None and is_again and not before.is_repeated:
            self._note(before.model, call.task, 0.0, REPEATED_WEIGHT, call.route_id)
        self._asked[key] = _Asked(call.model, moment, is_again)
        while len(self._asked) > MOST_REMEMBERED:
            self._asked.popitem(last=False)

    def broke_a_call(self, call: Call) -> None:
        """Its model called a tool with arguments that the tool does not take."""
        self._note(call.model, call.task, 0.0, BROKEN_CALL_WEIGHT, call.route_id)

    def _note(
        self, model: str, task: str | None, quality: float, weight: float, route_id: str | None
    ) -> None:
        if self._evidence is not None and task is not None:
            source = f"route:{route_id}"
            self._evidence.note(
                Observation(model, task, "use", quality, weight, source, self._clock())
            )


def conversation(messages: Sequence[Message]) -> str:
    """What tells a conversation from others, where a user speaks last; otherwise nothing.

    Where a tool or a model spoke last, an agent goes on with what it was asked before.
    """
    if not messages or messages[-1].role != "user":
        return ""
    if any(isinstance(part, Other) for part in messages[-1].parts):
        # Nobody here can tell two recordings or files from each other.
        return ""
    digest = blake2b(str(len(messages)).encode(), digest_size=16)
    told = messages if len(messages) <= 2 * _MESSAGES else _ends(messages)
    for message in told:
        for text in (message.role, *_texts(message)):
            few = text if len(text) <= 3 * _CHARACTERS else _samples(text)
            digest.update(f"{len(text)}:{few}".encode("utf-8", "replace"))
    return digest.hexdigest()


def _ends(messages: Sequence[Message]) -> Sequence[Message]:
    return [*messages[:_MESSAGES], *messages[-_MESSAGES:]]


def _texts(message: Message) -> Sequence[str]:
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    return [*texts, *(part.url for part in message.parts if isinstance(part, Image))]


def _samples(text: str) -> str:
    middle = len(text) // 2
    return text[:_CHARACTERS] + text[middle : middle + _CHARACTERS] + text[-_CHARACTERS:]
