"""The books: what was asked at the same time is reserved, settled and observed as one."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete

from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds, reservations, usage
from gateway.usage import observations, routes, tool_calls
from gateway.usage.alerts import Alert, GivenAlert, is_first, reached
from gateway.usage.call import Amount, Settlement
from gateway.usage.entries import Answer, Booked, Entry, Observe, Release, Reserve, Settle, Told
from gateway.usage.limit import Limit, Shortage, foremost
from gateway.usage.lines import LOST, line, lost
from gateway.usage.observations import Observation
from gateway.usage.reservation import READ, Hold, Reservation
from gateway.usage.tally import Pair, Tally, Use
from gateway.usage.tool_call import ToolCall

logger = logging.getLogger(__name__)

_HOLD = Statement(lambda insert: insert(reservations))
_TAKE = Statement(
    lambda _: delete(reservations).where(reservations.c.id == bindparam("id")).returning(*READ)
)
_TAKE_EXPIRED = Statement(
    lambda _: (
        delete(reservations).where(reservations.c.lease_until <= bindparam("now")).returning(*READ)
    )
)
_ADD_LINE = Statement(lambda insert: insert(usage))
_REMOVE_LOST = Statement(
    lambda _: (
        delete(usage)
        .where(usage.c.reservation_id == bindparam("id"), usage.c.outcome == bindparam("lost"))
        .returning(usage.c.reservation_id)
    )
)


@dataclass(frozen=True, slots=True)
class Terms:
    """By what the books are kept; `lease` is how long a process vouches for a running call."""

    limits: Sequence[Limit]
    owner: str
    lease: timedelta
    percents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier transactions read and did, so that this one need not look."""

    observations: Mapping[Pair, Observation] = field(default_factory=dict)
    alerts: Collection[GivenAlert] = ()


class Page:
    """One transaction of the books; nobody else writes until it ends."""

    def __init__(
        self,
        connection: Connection,
        terms: Terms,
        *,
        now: datetime,
        known: Known,
    ) -> None:
        self._connection = connection
        self._terms = terms
        self._now = now
        self._known = known
        self._observed: dict[Pair, Observation] = {}
        self._limits = {limit.id: limit for limit in terms.limits}
        self._tally = Tally(connection, self._limits, now=now)
        self._charged: set[Pair] = set()
        self._freed: set[str] = set()
        self._routes: dict[str, dict[str, Any]] = {}
        self._lines: list[dict[str, Any]] = []
        self._begun: list[Reservation] = []

    def book(self, entries: Sequence[Entry]) -> Booked:
        """Ends come first, because they make room for what begins at the same time."""
        bindings = {
            number: self._binding(entry)
            for number, entry in enumerate(entries)
            if isinstance(entry, Reserve)
        }
        observing = [entry for entry in entries if isinstance(entry, Observe)]
        bound = [(limit.id, key) for limits in bindings.values() for limit, key in limits]
        self._tally.read([*bound, *((entry.limit.id, entry.key) for entry in observing)])
        self._end(entries)
        for entry in observing:
            self._observe(entry)
        tool_calls.write(self._connection, [one for one in entries if isinstance(one, ToolCall)])
        for told in entries:
            if isinstance(told, Told):
                self._tell(told)
        answers: list[Answer] = [
            self._begin(entry, bindings[number]) if isinstance(entry, Reserve) else None
            for number, entry in enumerate(entries)
        ]
        return self._write(answers)

    def write_off(self) -> Booked:
        """Charge the worst case of each call whose process has not vouched for it in time."""
        rows = _TAKE_EXPIRED.rows(self._connection, [{"now": microseconds(self._now)}])
        expired = [Reservation.read(row) for row in rows]
        self._read_holds(expired)
        for reservation in expired:
            self._free(reservation)
            self._settle(reservation, lost(reservation.worst))
            logger.warning(
                "a call was lost and is charged in full: request=%s caller=%s model=%s",
                reservation.call.request_id,
                reservation.call.caller,
                reservation.call.model,
            )
        return self._write()

    def _binding(self, entry: Reserve) -> list[tuple[Limit, str]]:
        call = entry.call
        return [(limit, limit.key(call)) for limit in self._terms.limits if limit.binds(call)]

    def _read_holds(self, held: Iterable[Reservation]) -> None:
        self._tally.read(hold.pair for reservation in held for hold in reservation.holds)

    def _end(self, entries: Sequence[Entry]) -> None:
        settling = {entry.reservation.id: entry for entry in entries if isinstance(entry, Settle)}
        releasing = {entry.reservation_id: entry for entry in entries if isinstance(entry, Release)}
        ending: dict[str, Settle | Release] = {**releasing, **settling}
        if not ending:
            return
        rows = _TAKE.rows(self._connection, [{"id": ended} for ended in ending])
        taken = [Reservation.read(row) for row in rows]
        self._read_holds(taken)
        for reservation in taken:
            self._free(reservation)
            if isinstance(entry := ending.pop(reservation.id), Settle):
                self._settle(reservation, entry.settlement)
        if ending:
            self._correct(ending)

    def _settle(self, reservation: Reservation, settlement: Settlement) -> None:
        charged = settlement.charged(reservation.worst)
        self._charge(reservation, charged)
        self._lines.append(line(reservation, settlement))
        call, time = reservation.call, reservation.time
        if settlement.route is not None and call.route_id is not None:
            self._tell(Told(call.route_id, call.caller, time, settlement.route))
        _warn_if_above(reservation, charged)

    def _tell(self, told: Told) -> None:
        self._routes[told.route_id] = routes.row(told)

    def _correct(self, ending: Mapping[str, Settle | Release]) -> None:
        """A call that was written off ends after all: the truth takes the place of the worst."""
        held = {one: entry.reservation for one, entry in ending.items() if entry.reservation}
        asked = [{"id": reservation_id, "lost": LOST} for reservation_id in sorted(held)]
        late = [held[row[0]] for row in _REMOVE_LOST.rows(self._connection, asked)]
        self._read_holds(late)
        for reservation in late:
            self._charge(reservation, reservation.worst, sign=-1)
            if isinstance(entry := ending[reservation.id], Settle):
                self._settle(reservation, entry.settlement)

    def _free(self, reservation: Reservation) -> None:
        for hold in reservation.holds:
            self._freed.add(hold.limit_id)
            self._tally.add(hold.pair, hold.bucket, Use(reserved=-(hold.reserved or 0)))

    def _charge(self, reservation: Reservation, amount: Amount, *, sign: int = 1) -> None:
        for hold in reservation.holds:
            part = amount.of(hold.unit)
            use = Use(settled=sign * (part or 0), unknown_costs=sign * (part is None))
            self._tally.add(hold.pair, hold.bucket, use)
            self._charged.add(hold.pair)

    def _observe(self, entry: Observe) -> None:
        pair = (entry.limit.id, entry.key)
        # Against what has ended: whether a provider counts calls that still run, nobody knows.
        others = max(entry.reported - self._tally.uses[pair].settled, 0)
        self._observed[pair] = Observation(entry.reported, others, entry.at, entry.resets_at)
        self._charged.add(pair)

    def _begin(self, entry: Reserve, binding: Sequence[tuple[Limit, str]]) -> Answer:
        """All limits of the call have room for its worst case, or none holds any of it."""
        shortages = [self._shortage(entry, limit, key) for limit, key in binding]
        if shortage := foremost(one for one in shortages if one is not None):
            return shortage.error(self._now)
        holds = tuple(
            Hold(
                limit.id,
                key,
                microseconds(limit.window.bucket(self._now)),
                limit.unit,
                entry.worst.of(limit.unit),
            )
            for limit, key in binding
        )
        reservation = Reservation(entry.reservation_id, entry.call, entry.worst, self._now, holds)
        for hold in holds:
            self._tally.add(hold.pair, hold.bucket, Use(reserved=hold.reserved or 0))
        self._begun.append(reservation)
        return reservation

    def _shortage(self, entry: Reserve, limit: Limit, key: str) -> Shortage | None:
        use = self._tally.uses[limit.id, key]
        used = use.settled + use.reserved + self._others((limit.id, key))
        needed = entry.worst.of(limit.unit)
        if limit.has_room(needed, used=used):
            return None
        excess = used + (needed or 0) - limit.most
        resets_at = self._tally.room_at(limit, key, excess=excess)
        return Shortage(limit, key, used, use.reserved, needed, resets_at, entry.call.model)

    def _others(self, pair: Pair) -> int:
        seen = self._observed.get(pair) or self._known.observations.get(pair)
        return seen.others_at(self._now) if seen else 0

    def _write(self, answers: Sequence[Answer] = ()) -> Booked:
        self._tally.write()
        if self._begun:
            lease_until = self._now + self._terms.lease
            rows = [begun.row(self._terms.owner, lease_until) for begun in self._begun]
            _HOLD.run(self._connection, rows)
        _ADD_LINE.run(self._connection, self._lines)
        routes.write(self._connection, list(self._routes.values()))
        observations.write(self._connection, self._observed)
        candidates = self._candidates()
        return Booked(
            answers,
            self._tally.uses,
            self._observed,
            [alert for alert in candidates if is_first(self._connection, alert)],
            [alert.given for alert in candidates],
            {self._limits[freed].name for freed in self._freed if freed in self._limits},
        )

    def _candidates(self) -> list[Alert]:
        """What some process has to say, if none has said it."""
        alerts = (
            Alert(self._limits[limit_id], key, percent, used, self._now)
            for limit_id, key in sorted(self._charged)
            if limit_id in self._limits and not self._limits[limit_id].is_of_runs
            for used in (self._tally.uses[limit_id, key].settled + self._others((limit_id, key)),)
            for percent in reached(self._limits[limit_id], used, self._terms.percents)
        )
        return [alert for alert in alerts if alert.given not in self._known.alerts]


def _warn_if_above(reservation: Reservation, charged: Amount) -> None:
    for hold in reservation.holds:
        used, reserved = charged.of(hold.unit), hold.reserved
        if used is not None and reserved is not None and used > reserved:
            logger.warning(
                "a call used more than its worst case: request=%s model=%s limit=%s "
                "unit=%s used=%d reserved=%d",
                reservation.call.request_id,
                reservation.call.model,
                hold.limit_id,
                hold.unit,
                used,
                reserved,
            )
