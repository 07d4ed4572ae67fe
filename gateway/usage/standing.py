"""What is used of each limit as far as this process knows: a hint, a moment old."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.usage.call import Amount, Call
from gateway.usage.limit import Limit, LimitState, Shortage, foremost
from gateway.usage.observations import Observation
from gateway.usage.tally import Pair, Use


class Standing:
    """Kept current by what this process books, and now and then by what all have booked."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.limits = tuple(limits)
        self._uses: dict[Pair, tuple[Use, datetime, int]] = {}
        self._revision = 0
        self.observations: Mapping[Pair, Observation] = {}

    @property
    def revision(self) -> int:
        return self._revision

    def learn(self, uses: Mapping[Pair, Use], *, now: datetime) -> None:
        """What this process has booked."""
        self._revision += 1
        self._uses.update({pair: (use, now, self._revision) for pair, use in uses.items()})

    def learn_all(self, uses: Mapping[Pair, Use], *, now: datetime, since: int) -> None:
        """All that is used; but what was booked after the revision `since` is newer."""
        newer = {pair: known for pair, known in self._uses.items() if known[2] > since}
        self._uses = {pair: (use, now, since) for pair, use in uses.items()} | newer

    def states(self, call: Call, now: datetime) -> list[LimitState]:
        """Of the limits that bind a call."""
        return [
            self._state(limit, limit.key(call), now) for limit in self.limits if limit.binds(call)
        ]

    def all_states(self, now: datetime) -> list[LimitState]:
        """One for each key that was heard of; of a limit that is one for all, always one."""
        ids = {limit.id: limit for limit in self.limits if not limit.is_of_runs}
        whole = [(limit.id, "") for limit in ids.values() if not limit.per]
        heard = dict.fromkeys([*whole, *self._uses])
        return [self._state(ids[one], key, now) for one, key in heard if one in ids]

    def shortage(self, call: Call, worst: Amount, *, now: datetime) -> Shortage | None:
        return foremost(
            Shortage(
                state.limit,
                state.key,
                state.used,
                state.reserved,
                needed,
                state.resets_at,
                call.model,
            )
            for state in self.states(call, now)
            for needed in (worst.of(state.limit.unit),)
            if not state.limit.has_room(needed, used=state.used)
        )

    def _state(self, limit: Limit, key: str, now: datetime) -> LimitState:
        use, as_of, _ = self._uses.get((limit.id, key), (Use(), now, 0))
        if limit.window.kind != "rolling" and as_of < limit.window.start(now):
            use = Use()
        return state(
            limit, key, use, now=now, first=now, seen=self.observations.get((limit.id, key))
        )


def state(
    limit: Limit, key: str, use: Use, *, now: datetime, first: datetime, seen: Observation | None
) -> LimitState:
    is_current = seen is not None and now < seen.resets_at
    return LimitState(
        limit,
        key,
        use.settled,
        use.reserved,
        seen.others_at(now) if seen else 0,
        limit.window.leaves_at(limit.window.bucket(first)),
        reported=seen.reported if seen and is_current else None,
        reported_at=seen.at if seen and is_current else None,
        unknown_costs=use.unknown_costs,
    )
