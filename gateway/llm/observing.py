"""What becomes of answers in use, as evidence of how good they were.

None of it says much by itself: that an answer came, that the same was asked again soon, that a
tool was called with arguments that it does not take. It is told in small weights, and models are
compared by it with each other only.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from hashlib import blake2b

from gateway.clock import Clock, now
from gateway.evidence.evidence import Evidence
from gateway.evidence.observation import Observation
from gateway.usage.call import Call

ANSWERED_WEIGHT, FAILED_WEIGHT, REPEATED_WEIGHT, BROKEN_CALL_WEIGHT = 0.1, 0.5, 0.5, 0.3
# These say something of the model or its provider; what a caller did wrong does not.
_FAILURES = frozenset({"bad_answer", "deadline_exceeded", "unavailable", "not_found"})
# Who asks the same of an automatic route so soon again was not served.
REPEATED_WITHIN = timedelta(minutes=10)
MOST_REMEMBERED = 2_000


class Observer:
    """Notes what it sees; without evidence it sees nothing."""

    def __init__(self, evidence: Evidence | None, *, clock: Clock = now) -> None:
        self._evidence = evidence
        self._clock = clock
        self._asked: OrderedDict[bytes, tuple[str, datetime]] = OrderedDict()

    def ended(self, call: Call, outcome: str) -> None:
        if outcome == "ok":
            self._note(call.model, call.task, 1.0, ANSWERED_WEIGHT, call.route_id)
        elif outcome in _FAILURES:
            self._note(call.model, call.task, 0.0, FAILED_WEIGHT, call.route_id)

    def answering(self, caller: str, text: str, call: Call) -> None:
        """The model of `call` answers this text; whoever did before did not serve the caller."""
        if self._evidence is None or not text:
            return
        asked = blake2b(f"{caller}\n{text}".encode("utf-8", "replace"), digest_size=16).digest()
        before, at = self._asked.pop(asked, (None, None))
        moment = self._clock()
        if before is not None and at is not None and moment - at < REPEATED_WITHIN:
            self._note(before, call.task, 0.0, REPEATED_WEIGHT, call.route_id)
        self._asked[asked] = (call.model, moment)
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
