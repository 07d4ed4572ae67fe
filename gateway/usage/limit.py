"""What may be used in a window: a Quota counts requests or tokens, a Budget sums money."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Literal
from urllib.parse import quote

from gateway.clock import rfc3339
from gateway.errors import GatewayError, InvalidRequest, LimitExceeded
from gateway.usage.call import Call, Unit
from gateway.usage.window import Window

# Most answers that are under way have ended by then.
HELD_RETRY_SECONDS = 3.0

Dimension = Literal["caller", "tier", "provider", "model", "context", "task", "request_id"]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of a unit in each window, for the calls that it binds.

    `where` maps a dimension of a call to a pattern such as `openrouter/*`; a call is bound when
    all of them match. With `per=("caller",)` each caller has the whole limit for itself. A limit
    that is not hard never refuses a call: it is there for its alerts.
    """

    name: str
    unit: Unit
    most: int
    window: Window
    where: Mapping[Dimension, str] = field(default_factory=dict)
    per: tuple[Dimension, ...] = ()
    is_hard: bool = True
    id: str = field(init=False)

    def __post_init__(self) -> None:
        # What was counted stays right while only `most` changes; anything else counts anew.
        counted = repr((self.unit, str(self.window), sorted(self.where.items()), self.per))
        object.__setattr__(self, "id", f"{self.name}#{sha256(counted.encode()).hexdigest()[:8]}")

    @property
    def is_budget(self) -> bool:
        return self.unit == "microusd"

    @property
    def is_of_runs(self) -> bool:
        """Whether each run has the whole of it: of so many keys nobody keeps a list."""
        return "request_id" in self.per

    @property
    def kind(self) -> str:
        return "budget" if self.is_budget else "quota"

    def binds(self, call: Call) -> bool:
        return all(
            fnmatchcase(getattr(call, dimension) or "", pattern)
            for dimension, pattern in self.where.items()
        )

    def key(self, call: Call) -> str:
        """Whose share of the limit a call uses, such as `caller=alice`; empty if it is one."""
        return "&".join(
            f"{dimension}={quote(getattr(call, dimension) or '', safe='/:@ ')}"
            for dimension in self.per
        )

    def has_room(self, needed: int | None, *, used: int) -> bool:
        """A call that needs nothing always has; one of an unknown cost never, in a hard budget."""
        if not self.is_hard or needed == 0:
            return True
        return needed is not None and used + needed <= self.most

    def shown(self, value: int) -> str:
        if self.is_budget:
            return dollars(value)
        unit = self.unit.replace("_", " ")
        return f"{value:,} {unit.removesuffix('s') if value == 1 else unit}"


@dataclass(frozen=True, slots=True)
class LimitState:
    """How much of a limit is used, now, for one key.

    `settled` is what calls used that have ended, `reserved` the worst case of those that run, and
    `others` what the provider counted beyond ours. `resets_at` is when the first use leaves the
    window; with a calendar window, all use leaves at once.
    """

    limit: Limit
    key: str
    settled: int
    reserved: int
    others: int
    resets_at: datetime
    reported: int | None = None
    reported_at: datetime | None = None
    unknown_costs: int = 0

    @property
    def used(self) -> int:
        return self.settled + self.reserved + self.others

    @property
    def remaining(self) -> int:
        return max(self.limit.most - self.used, 0)

    @property
    def percent(self) -> float:
        return 100 * self.used / self.limit.most if self.limit.most else 100.0


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why a call may not begin: what a limit has left is less than the call may need.

    Of what is `used`, `held` is the worst case of calls under way. `needed` is None where the price
    of `model` is unknown, so that a budget cannot be kept. `resets_at` is when the limit has enough
    left again, if nothing else is used until then and what is held is used up.
    """

    limit: Limit
    key: str
    used: int
    held: int
    needed: int | None
    resets_at: datetime
    model: str

    @property
    def is_only_held(self) -> bool:
        """Whether there is room for the call if those under way give back all that they hold.

        They hold the most tokens and money that they may use, and mostly use less; but a request
        is a request.
        """
        if self.needed is None or self.limit.unit == "requests":
            return False
        return self.used - self.held + self.needed <= self.limit.most

    def __str__(self) -> str:
        limit = self.limit
        of_key = f" of {self.key}" if self.key and not limit.is_of_runs else ""
        name = f"{limit.kind} {limit.name!r}{of_key}"
        if self.needed is None:
            return (
                f"the price of {self.model} is unknown, so the {name} cannot be kept; "
                "set its price in models.yaml"
            )
        needed = f"this call may need {limit.shown(self.needed)}"
        span = "one run" if limit.is_of_runs else limit.window.title
        allowed = f"the {name} allows {limit.shown(limit.most)} in {span}"
        if self.needed > limit.most:
            return f"{allowed}; {needed}, which is more than all of it"
        return f"{allowed}, {self._taken()}; {needed}; {self._room()}"

    def _taken(self) -> str:
        used = f"of which {self._with_verb(self.used)} used"
        if not self.held:
            return used
        return f"{used}, and {self.limit.shown(self.held)} of that is held by calls under way"

    def _with_verb(self, value: int) -> str:
        is_one = self.limit.is_budget or value == 1
        return f"{self.limit.shown(value)} {'is' if is_one else 'are'}"

    def _room(self) -> str:
        if self.is_only_held:
            return "there may be room once they have ended"
        return f"it resets at {rfc3339(self.resets_at)}"

    def retry_after_seconds(self, now: datetime) -> float:
        if self.is_only_held:
            return HELD_RETRY_SECONDS
        return max((self.resets_at - now).total_seconds(), 0.0)

    def error(self, now: datetime) -> GatewayError:
        return InvalidRequest(str(self)) if self.needed is None else self.exceeded(str(self), now)

    def exceeded(self, message: str, now: datetime) -> LimitExceeded:
        return LimitExceeded(
            message,
            limit=self.limit.name,
            retry_after_seconds=self.retry_after_seconds(now),
            is_only_held=self.is_only_held,
        )


def foremost(shortages: Iterable[Shortage]) -> Shortage | None:
    """The one to tell of those that one call meets: what is spent, before what is only held."""
    return min(shortages, key=lambda one: one.is_only_held, default=None)


def dollars(microusd: int) -> str:
    """All that is there and at least whole cents: `$12.50`, `$0.000042`."""
    whole, rest = divmod(abs(microusd), 1_000_000)
    cents = f"{rest:06d}"
    cents = cents[:2] + cents[2:].rstrip("0")
    return f"{'-' if microusd < 0 else ''}${whole:,}.{cents}"
