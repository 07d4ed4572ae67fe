"""The time that a limit looks back on: a calendar day, week or month in UTC, or rolling days."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from gateway.errors import ConfigurationError

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_ROLLING = re.compile(r"rolling_([1-9]\d{0,2})_days?")


@dataclass(frozen=True, slots=True)
class Window:
    """`month`, `week` (from Monday), `day`, or `rolling_30_days`; all of them in UTC.

    Use is counted in buckets. A calendar window is one bucket. A rolling one has a bucket for each
    hour and begins with the whole hour in which its first moment lies: it looks back up to an
    hour further than it says, so that no span of its length ever holds more than a limit allows.
    """

    kind: Literal["day", "week", "month", "rolling"]
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> "Window":
        if text in ("day", "week", "month"):
            return cls(text)  # type: ignore[arg-type]  # mypy does not narrow a str by `in`
        if found := _ROLLING.fullmatch(text):
            return cls("rolling", int(found[1]))
        raise ConfigurationError(
            f"{text!r} is not a window; it takes day, week, month or rolling_N_days, "
            "such as rolling_30_days"
        )

    def __str__(self) -> str:
        return f"rolling_{self.days}_days" if self.kind == "rolling" else self.kind

    @property
    def title(self) -> str:
        """How a sentence says it: `a month`, `any 30 days`."""
        return f"any {self.days} days" if self.kind == "rolling" else f"a {self.kind}"

    @property
    def most_days(self) -> int:
        """How far it may look back."""
        calendar = {"day": 1, "week": 7, "month": 31}
        return self.days + 1 if self.kind == "rolling" else calendar[self.kind]

    def bucket(self, moment: datetime) -> datetime:
        """The beginning of the bucket that counts what happens at this moment."""
        moment = moment.astimezone(UTC)
        if self.kind == "rolling":
            return moment.replace(minute=0, second=0, microsecond=0)
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.kind == "month":
            return midnight.replace(day=1)
        return midnight - midnight.weekday() * _DAY if self.kind == "week" else midnight

    def start(self, now: datetime) -> datetime:
        """The beginning of the first bucket that still counts."""
        return self.bucket(now) - self.days * _DAY

    def leaves_at(self, bucket: datetime) -> datetime:
        """When what this bucket counted does not count any more."""
        if self.kind == "rolling":
            return bucket + self.days * _DAY + _HOUR
        # Longer than any of them, and shorter than any two.
        return self.bucket(bucket + {"day": 1, "week": 7, "month": 31}[self.kind] * _DAY)

    def resets_at(self, now: datetime) -> datetime:
        """When nothing that was used until now counts any more."""
        return self.leaves_at(self.bucket(now))
