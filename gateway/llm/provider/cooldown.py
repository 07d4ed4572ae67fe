"""When to leave a provider, or one of its models, alone for a while, and when to try it again."""

from dataclasses import dataclass

FIRST_SECONDS = 5.0
MOST_SECONDS = 300.0
FAILURES_IN_A_ROW = 3
# A trial that never ends must not keep everybody else away for ever.
TRIAL_SECONDS = 30.0


@dataclass(slots=True)
class Cooldown:
    """Times are of a monotonic clock, in seconds.

    After three failures in a row nobody calls for 5 s, and for twice as long after each further
    one. Then one call is let through as a trial: what becomes of it decides for all.
    """

    reason: str = ""
    _failures: int = 0
    _until: float = 0.0
    _is_cooled: bool = False
    _trial_since: float | None = None

    def wait_seconds(self, now: float) -> float:
        """How long a call must wait; 0 means that it may go."""
        if now < self._until:
            return self._until - now
        if self._trial_since is None:
            return 0.0
        return max(self._trial_since + TRIAL_SECONDS - now, 0.0)

    def seconds_left(self, now: float) -> float:
        return max(self._until - now, 0.0)

    def begin(self, now: float) -> bool:
        """A call goes; True if it is the trial, whose end must be told."""
        if not self._is_cooled:
            return False
        self._trial_since = now
        return True

    def succeed(self) -> None:
        self._failures = 0
        self._until = 0.0
        self._is_cooled = False
        self._trial_since = None
        self.reason = ""

    def fail(self, reason: str, now: float) -> None:
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            growth = 2.0 ** min(self._failures - FAILURES_IN_A_ROW, 16)
            self.cool(FIRST_SECONDS * growth, reason, now)
        else:
            self._trial_since = None

    def cool(self, seconds: float, reason: str, now: float) -> None:
        """At once, as when a provider says how long it wants to be left alone."""
        self._until = max(self._until, now + min(seconds, MOST_SECONDS))
        self._is_cooled = True
        self._trial_since = None
        self.reason = reason

    def abandon(self) -> None:
        """A trial that ended without telling anything, such as one whose caller left."""
        self._trial_since = None
