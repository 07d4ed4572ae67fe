"""The ledger: what calls used, and whether the next one may begin."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import uuid4

from sqlalchemy import Connection

from gateway.clock import Clock, now
from gateway.errors import ConfigurationError, NotFound, Unavailable
from gateway.storage.database import Database
from gateway.usage import observations, outlook, routes, tool_calls, workload
from gateway.usage.alerts import Alert, GivenAlert
from gateway.usage.books import Known, Page, Terms
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.counting import count_new_limits
from gateway.usage.entries import Booked, Observe, Release, Reserve, Settle, Told
from gateway.usage.forecast import Forecast
from gateway.usage.limit import Limit, LimitState, Shortage
from gateway.usage.observations import Observation
from gateway.usage.report import Column, Grouping, UsageLine, report
from gateway.usage.reservation import Reservation
from gateway.usage.returns import Returns
from gateway.usage.standing import Standing, state
from gateway.usage.tally import Pair, Use, every_use
from gateway.usage.tool_call import ToolCall
from gateway.usage.tool_calls import ToolLine
from gateway.usage.unusual import Unusual
from gateway.usage.upkeep import expire, prune, renew
from gateway.usage.workload import Workload
from gateway.usage.writer import Writer

logger = logging.getLogger(__name__)

_RESERVE_SECONDS = 10.0
_REFRESH_SECONDS = 5.0
# So often a ledger vouches for its calls.
VOUCH_SECONDS = 60.0
_PRUNE_SECONDS = 86_400.0
_MOST_REMEMBERED_ALERTS = 10_000


class Ledger:
    """Reserve the worst case before a call, settle the truth after it.

    All ledgers on one database together never let the calls that ended and the worst cases of
    those that run exceed a hard limit. A call that never settles is charged in full, once its
    lease is over. The database is opened and closed by whoever made it.
    """

    def __init__(
        self,
        database: Database,
        limits: Sequence[Limit] = (),
        *,
        clock: Clock = now,
        owner: str | None = None,
        lease_seconds: float = 900,
        alert_percents: tuple[int, ...] = (50, 80, 100),
        on_alert: Sequence[Callable[[Alert], None]] = (),
        retention_days: int | None = None,
    ) -> None:
        self.limits = tuple(limits)
        names = [limit.name for limit in limits]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ConfigurationError(f"two limits have the name {min(twice)!r}; name each its own")
        self._database = database
        self._clock = clock
        self._lease = timedelta(seconds=lease_seconds)
        self.owner = owner or uuid4().hex
        self._terms = Terms(self.limits, self.owner, self._lease, alert_percents)
        self._on_alert = tuple(on_alert)
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._standing = Standing(self.limits)
        self._given: set[GivenAlert] = set()
        self._running: set[str] = set()
        self.returns = Returns()
        self._writer = Writer(database, page=self._page, booked=self._learn)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._database.write(self._count)
            await self.refresh()
            await self.sweep()
            await self.prune()
            await stack.enter_async_context(self._writer)
            await stack.enter_async_context(_repeating(self.refresh, seconds=_REFRESH_SECONDS))
            await stack.enter_async_context(
                _repeating(self._vouch_and_sweep, seconds=VOUCH_SECONDS)
            )
            await stack.enter_async_context(_repeating(self.prune, seconds=_PRUNE_SECONDS))
            self._closing = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def reserve(self, call: Call, worst: Amount) -> Reservation:
        """Hold the worst case of a call in every limit that binds it, or in none.

        Raises:
            LimitExceeded: a limit has less left than the call may need.
            InvalidRequest: a budget binds the call, and its price is not known.
            Unavailable: the database does not answer; the call holds nothing.
        """
        entry = Reserve(uuid4().hex, call, worst)
        try:
            async with asyncio.timeout(_RESERVE_SECONDS):
                reservation = await self._writer.submit(entry)
        except TimeoutError as error:
            self._give_back(entry.reservation_id)
            raise Unavailable(
                "the ledger's database does not answer in time", retry_after_seconds=5
            ) from error
        except (asyncio.CancelledError, Unavailable):
            # It may have been written all the same.
            self._give_back(entry.reservation_id)
            raise
        assert reservation is not None
        self._running.add(reservation.id)
        return reservation

    async def settle(self, reservation: Reservation, settlement: Settlement) -> None:
        """Charge what a call used in place of what it held, and write its line.

        It is done even if whoever waits for it is cancelled. If the database does not answer, it
        is written once it does, and until then the worst case stays charged.
        """
        await asyncio.shield(self.settling(reservation, settlement))

    def settling(self, reservation: Reservation, settlement: Settlement) -> asyncio.Future[Any]:
        """The same, done once the future is; it need not be waited for."""
        self._running.discard(reservation.id)
        return self._writer.submit(Settle(reservation, settlement))

    async def release(self, reservation: Reservation) -> None:
        """Give back all that a call held, because it never began; it leaves no line."""
        self._running.discard(reservation.id)
        await asyncio.shield(self._writer.submit(Release(reservation.id, reservation)))

    async def add(self, limit: Limit) -> None:
        """Keep one more limit from here on, in place of one with its name; it is counted anew."""
        if limit in self.limits:
            return
        limits = (*(one for one in self.limits if one.name != limit.name), limit)

        def count(connection: Connection) -> None:
            count_new_limits(connection, limits, now=self._clock())
            # In the writer's thread: the next transaction already keeps to it.
            self._terms = replace(self._terms, limits=limits)

        await self._database.write(count)
        self.limits = limits
        self._standing.limits = limits
        await self.refresh()

    def tell_of_alerts(self, listener: Callable[[Alert], None]) -> None:
        """One more that hears of each alert that this process gives."""
        self._on_alert = (*self._on_alert, listener)

    async def observe(
        self,
        limit_name: str,
        used: int,
        *,
        at: datetime,
        resets_at: datetime | None = None,
        key: str = "",
    ) -> None:
        """A provider says so much of a quota is used.

        What it counts beyond ours is taken as used by others, until it says something else or
        its window resets.
        """
        limit = self._limit(limit_name)
        until = resets_at or limit.window.resets_at(at)
        await asyncio.shield(self._writer.submit(Observe(limit, key, used, at, until)))

    def note(self, call: ToolCall) -> None:
        """Keep the line of a tool's call that ended; nobody waits for it to be written."""
        # Once the ledger is closed there is nobody to write it.
        with suppress(Unavailable):
            self._writer.note(call)

    async def tell(self, told: Told) -> None:
        with suppress(Unavailable):
            await asyncio.shield(self._writer.submit(told))

    async def tool_report(
        self, start: datetime, end: datetime, *, caller: str | None = None
    ) -> Sequence[ToolLine]:
        """The calls of each tool that ended in `[start, end)`, the most called first."""
        return await self._database.read(
            lambda connection: tool_calls.report(connection, start, end, caller=caller)
        )

    def remaining(self, call: Call, worst: Amount) -> Shortage | None:
        """Which limit would refuse the call now, as far as is known; only `reserve` is exact."""
        return self._standing.shortage(call, worst, now=self._clock())

    def standing(self, call: Call) -> Sequence[LimitState]:
        """The limits that bind a call, as far as is known; `states` is exact."""
        return self._standing.states(call, self._clock())

    def all_standing(self) -> Sequence[LimitState]:
        """Every limit and key that was heard of, as far as is known."""
        return self._standing.all_states(self._clock())

    async def states(self) -> Sequence[LimitState]:
        """Every limit, and every key that has used something of it."""
        return await self._database.read(self._states)

    async def report(
        self,
        start: datetime,
        end: datetime,
        *,
        group_by: Sequence[Grouping] = (),
        where: Mapping[Column, str] | None = None,
    ) -> Sequence[UsageLine]:
        """The sums of the calls that began in `[start, end)`, one line for each group."""
        return await self._database.read(
            lambda connection: report(connection, start, end, group_by=group_by, where=where or {})
        )

    async def forecasts(self) -> Sequence[Forecast]:
        """How long each limit, and each key of it, lasts at its pace; in the order of `states`."""
        return await self._database.read(
            lambda connection: outlook.forecasts(
                connection, self._states(connection), limits=self.limits, now=self._clock()
            )
        )

    async def unusual(
        self, start: datetime, end: datetime, *, caller: str | None = None
    ) -> Sequence[Unusual]:
        """What stands out on the days in `[start, end)`, the dearest first."""
        return await self._database.read(
            lambda connection: outlook.odd_days(
                connection, start, end, now=self._clock(), caller=caller
            )
        )

    async def workloads(
        self,
        start: datetime,
        end: datetime,
        *,
        above_tokens: Sequence[int] = (),
        caller: str | None = None,
    ) -> Sequence[Workload]:
        """What was asked of each model, for telling what it would have cost elsewhere."""
        return await self._database.read(
            lambda connection: workload.read(
                connection, start, end, above_tokens=above_tokens, caller=caller
            )
        )

    async def route(self, route_id: str) -> Mapping[str, Any] | None:
        return await self._database.read(lambda connection: routes.read(connection, route_id))

    async def routes(self, most: int = 20) -> Sequence[Mapping[str, Any]]:
        """The latest first."""
        return await self._database.read(lambda connection: routes.latest(connection, most))

    async def sweep(self) -> None:
        """Charge in full what was reserved by processes that do not vouch for it any more."""
        self._learn(
            await self._database.write(lambda connection: self._page(connection).write_off())
        )

    async def expire(self, owner: str, *, in_seconds: float) -> None:
        """Charge in full what another ledger holds, unless it vouches for it until then."""
        at = self._clock() + timedelta(seconds=in_seconds)
        await self._database.write(lambda connection: expire(connection, owner, at=at))
        await self.sweep()

    async def renew(self) -> None:
        """Vouch for the calls that run in this process, for another lease."""
        until, ids = self._clock() + self._lease, frozenset(self._running)
        await self._database.write(lambda connection: renew(connection, ids, until=until))

    async def prune(self) -> None:
        """Remove what is older than the retention, and totals of windows that are over."""
        await self._database.write(
            lambda connection: prune(
                connection, self.limits, now=self._clock(), retention=self._retention
            )
        )

    async def refresh(self) -> None:
        """See what other processes have used."""
        since, moment = self._standing.revision, self._clock()
        states, seen = await self._database.read(
            lambda connection: (
                list(every_use(connection, self._listed, now=moment)),
                observations.read(connection),
            )
        )
        uses = {(limit.id, key): use for limit, key, use, _ in states}
        self._standing.learn_all(uses, now=moment, since=since)
        self._standing.observations = seen

    async def _vouch_and_sweep(self) -> None:
        await self.renew()
        await self.sweep()

    @property
    def _listed(self) -> Sequence[Limit]:
        return [limit for limit in self.limits if not limit.is_of_runs]

    def _limit(self, name: str) -> Limit:
        for limit in self.limits:
            if limit.name == name:
                return limit
        raise NotFound(
            f"there is no limit {name!r}", suggestions=[each.name for each in self.limits]
        )

    def _count(self, connection: Connection) -> None:
        count_new_limits(connection, self.limits, now=self._clock())

    def _page(self, connection: Connection) -> Page:
        known = Known(self._standing.observations, self._given)
        return Page(connection, self._terms, now=self._clock(), known=known)

    def _give_back(self, reservation_id: str) -> None:
        # Without a writer there is nobody to give it back; then its lease ends.
        with suppress(Unavailable):
            self._writer.submit(Release(reservation_id))

    def _learn(self, booked: Booked) -> None:
        self._standing.learn(booked.uses, now=self._clock())
        self.returns.tell(booked.freed)
        if booked.observations:
            self._standing.observations = {**self._standing.observations, **booked.observations}
        if len(self._given) > _MOST_REMEMBERED_ALERTS:
            self._given.clear()
        self._given.update(booked.given)
        for alert in booked.alerts:
            self._alert(alert)

    def _alert(self, alert: Alert) -> None:
        logger.warning("%s", alert)
        for listener in self._on_alert:
            try:
                listener(alert)
            except Exception:
                # What one listener cannot do must not keep the ledger from its work.
                logger.exception("an alert was not taken")

    def _states(self, connection: Connection) -> list[LimitState]:
        moment = self._clock()
        seen = observations.read(connection)
        used = {
            (limit.id, key): state(
                limit, key, use, now=moment, first=first, seen=seen.get((limit.id, key))
            )
            for limit, key, use, first in every_use(connection, self._listed, now=moment)
        }
        unused = {
            (limit.id, key): state(
                limit, key, Use(), now=moment, first=moment, seen=seen.get((limit.id, key))
            )
            for limit in self._listed
            for key in self._keys_without_use(limit, seen)
            if (limit.id, key) not in used
        }
        return [found for _, found in sorted({**used, **unused}.items(), key=lambda item: item[0])]

    @staticmethod
    def _keys_without_use(limit: Limit, seen: Mapping[Pair, Observation]) -> list[str]:
        observed = [key for limit_id, key in seen if limit_id == limit.id]
        return observed if limit.per else [*observed, ""]


@asynccontextmanager
async def _repeating(work: Callable[[], Awaitable[None]], *, seconds: float) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:
                # The next time may be better; what was to be done stays to be done.
                logger.exception("the ledger could not %s", work.__name__)

    task = asyncio.create_task(repeat(), name=f"ledger {work.__name__}")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
