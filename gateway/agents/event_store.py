"""Events as they are stored: all that wait at once in one transaction, each before it is told.

Of two with one delivery from one source only the first is stored, whichever process has it.
"""

import asyncio
import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    true,
    update,
)

from gateway.agents.event import Event, News, Stored
from gateway.agents.storable import storable_json, within
from gateway.agents.topic import checked_pattern, checked_topic, matches
from gateway.clock import Clock, now
from gateway.errors import GatewayError, NotFound
from gateway.storage.agent_tables import agent_runs, events
from gateway.storage.database import Database
from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds, moment
from gateway.text import shown

MOST_DATA_BYTES = 256 * 1024
MOST_SUBJECT_CHARACTERS = 300
MOST_DELIVERY_CHARACTERS = 200
MOST_NAME_CHARACTERS = 200
MOST_CHAIN = 100
RETENTION_DAYS = 90
_MOST_AT_ONCE = 500
_READ_AT_ONCE = 500
_PRUNE_EVERY = timedelta(hours=1)
_PRUNED_AT_ONCE = 1_000

_ADD = Statement(
    lambda insert: (
        insert(events)
        .on_conflict_do_nothing(index_elements=["source", "delivery"])
        .returning(events.c.id, events.c.position)
    )
)
_DELIVERED = Statement(
    lambda _: select(*events.c).where(
        events.c.source == bindparam("source"), events.c.delivery == bindparam("delivery")
    )
)

_Row = dict[str, Any]
_Waiting = tuple[_Row, "asyncio.Future[Stored]"]


class EventStore:
    """What was stored longer ago than `retention_days`, and has no runs left, is removed."""

    def __init__(
        self, database: Database, *, clock: Clock = now, retention_days: int | None = RETENTION_DAYS
    ) -> None:
        self._database = database
        self._clock = clock
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._prune_next: datetime | None = None

    async def store(self, news: News) -> Stored:
        """Returns once it is committed; what came before is told as the event of then.

        Raises:
            InvalidRequest: says what is too long, or is no topic.
            Unavailable: the database does not answer, and as far as is known it is not stored.
        """
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._row(news), future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="event store")
        return await future

    async def store_all(self, newses: Sequence[News]) -> Sequence[Stored]:
        """All of them, or none.

        Raises:
            InvalidRequest: says what is too long, or is no topic.
        """
        rows = [self._row(news) for news in newses]
        return await self._database.write(lambda connection: self._add(connection, rows))

    def add(self, connection: Connection, news: News) -> Stored:
        """Within the transaction of what it tells of: both are stored, or neither."""
        return self._add(connection, [self._row(news)])[0]

    async def event(self, event_id: str) -> Event:
        """Raises:
        NotFound: there is no such event, or no longer.
        """
        return await self._database.read(lambda connection: self.read(connection, event_id))

    def read(self, connection: Connection, event_id: str) -> Event:
        """The same, within a transaction.

        Raises:
            NotFound: there is no such event, or no longer.
        """
        row = connection.execute(select(events).where(_is(event_id))).first()
        if row is None:
            raise NotFound(f"there is no event {shown(event_id)!r}{self._kept_for()}", what="event")
        return _event(row)

    async def latest(
        self, *, pattern: str | None = None, since: datetime | None = None, limit: int = 50
    ) -> Sequence[Event]:
        """The last one first; `since` is the earliest time.

        Raises:
            InvalidRequest: no topic can match the pattern.
        """
        wanted = None if pattern is None else checked_pattern(pattern)
        where = true() if wanted is None else _may_match(wanted)
        if since is not None:
            where &= events.c.time >= microseconds(since)
        return await self._database.read(
            lambda connection: _latest(connection, where, pattern=wanted, limit=limit)
        )

    async def to_share_out(self, limit: int = 200) -> Sequence[Event]:
        """Those of which nobody has made runs yet, in the order in which they were stored."""
        waiting = select(events).where(events.c.is_shared_out == 0)
        first = waiting.order_by(events.c.position).limit(limit)
        return await self._database.read(
            lambda connection: [_event(row) for row in connection.execute(first)]
        )

    async def position(self) -> int:
        """Of the event that was stored last; 0 where there is none."""
        last = select(func.coalesce(func.max(events.c.position), 0))
        return await self._database.read(lambda connection: int(connection.scalar(last) or 0))

    def _row(self, news: News) -> _Row:
        """All columns but the position, in their order."""
        return {
            "id": f"evt_{secrets.token_hex(10)}",
            "time": microseconds(self._clock()),
            "topic": checked_topic(news.topic),
            "source": within("source", news.source, MOST_NAME_CHARACTERS),
            "subject": within("subject", news.subject, MOST_SUBJECT_CHARACTERS),
            "delivery": _optional("delivery", news.delivery, MOST_DELIVERY_CHARACTERS),
            "data": storable_json("data", news.data, most_bytes=MOST_DATA_BYTES),
            "chain": storable_json(
                "chain", news.chain, most_bytes=MOST_CHAIN * MOST_NAME_CHARACTERS
            ),
            "cause": _optional("cause", news.cause, MOST_NAME_CHARACTERS),
            "said_by": within("by", news.by, MOST_NAME_CHARACTERS),
            "only_for": _optional("only", news.only, MOST_NAME_CHARACTERS),
            "is_shared_out": 0,
        }

    async def _write(self) -> None:
        """Until nobody waits; while one transaction runs, the next fills."""
        try:
            while self._waiting:
                batch, self._waiting = (
                    self._waiting[:_MOST_AT_ONCE],
                    self._waiting[_MOST_AT_ONCE:],
                )
                # Who left while it waited may send its event again.
                await self._write_batch([one for one in batch if not one[1].cancelled()])
        finally:
            self._writing = None

    async def _write_batch(self, batch: Sequence[_Waiting]) -> None:
        rows = [row for row, _ in batch]
        try:
            stored = await self._database.write(lambda connection: self._add(connection, rows))
        except Exception as error:
            await self._refuse(batch, error)
        else:
            for (_, future), one in zip(batch, stored, strict=True):
                if not future.done():
                    future.set_result(one)

    async def _refuse(self, batch: Sequence[_Waiting], error: Exception) -> None:
        if len(batch) > 1 and not isinstance(error, GatewayError):
            # What cannot be written costs only itself.
            for waiting in batch:
                await self._write_batch([waiting])
            return
        for _, future in batch:
            if not future.done():
                future.set_exception(error)

    def _add(self, connection: Connection, rows: Sequence[_Row]) -> list[Stored]:
        self._prune(connection)
        new: dict[str, int] = dict(_ADD.rows(connection, rows))
        return [_stored(connection, row, new.get(row["id"])) for row in rows]

    def _kept_for(self) -> str:
        days = self._retention and self._retention.days
        return f"; events are kept for {days} days" if days else ""

    def _prune(self, connection: Connection) -> None:
        at = self._clock()
        if self._retention is None or (self._prune_next is not None and at < self._prune_next):
            return
        gone = prune(connection, before=at - self._retention)
        # So many at once hold up nobody; the rest goes with the next events.
        self._prune_next = at if gone == _PRUNED_AT_ONCE else at + _PRUNE_EVERY


def mark_shared_out(connection: Connection, event_ids: Sequence[str]) -> None:
    """The runs that they are to have are there, once this transaction is committed."""
    if event_ids:
        which = events.c.id.in_(event_ids)
        connection.execute(update(events).where(which).values(is_shared_out=1))


def prune(connection: Connection, *, before: datetime) -> int:
    """Removes some of the old ones that were shared out and have no runs; says how many."""
    old = (
        select(events.c.position)
        .where(
            events.c.time < microseconds(before),
            events.c.is_shared_out == 1,
            ~exists().where(agent_runs.c.event_id == events.c.id),
        )
        .order_by(events.c.time)
        .limit(_PRUNED_AT_ONCE)
    )
    return connection.execute(delete(events).where(events.c.position.in_(old))).rowcount


def _stored(connection: Connection, row: _Row, position: int | None) -> Stored:
    if position is not None:
        return Stored(_event((position, *row.values())), is_new=True)
    (before,) = _DELIVERED.rows(connection, [row])
    return Stored(_event(before), is_new=False)


def _latest(
    connection: Connection, where: ColumnElement[bool], *, pattern: str | None, limit: int
) -> list[Event]:
    """SQL may find more than the pattern matches, so it is asked until there are enough."""
    found: list[Event] = []
    rest: Select[Any] = select(events).where(where).order_by(events.c.position.desc())
    page = rest.limit(_READ_AT_ONCE if pattern and "*" in pattern else limit)
    while len(found) < limit and (rows := connection.execute(page).all()):
        found += [_event(row) for row in rows if pattern is None or matches(pattern, row.topic)]
        page = rest.where(events.c.position < rows[-1].position).limit(_READ_AT_ONCE)
    return found[:limit]


def _may_match(pattern: str) -> ColumnElement[bool]:
    """What begins like the pattern, up to its first star."""
    before, star, _ = pattern.partition("*")
    if not star:
        return events.c.topic == pattern
    if not before:
        return true()
    # `git:**` matches `git`, too.
    begins = events.c.topic.startswith(before, autoescape=True)
    return or_(begins, events.c.topic == before.removesuffix(":"))


def _event(row: Any) -> Event:
    position, id_, time, topic, source, subject, delivery, data, chain, cause, by, only, _ = row
    news = News(
        topic=topic,
        data=json.loads(data),
        source=source,
        subject=subject,
        delivery=delivery,
        chain=tuple(json.loads(chain)),
        cause=cause,
        by=by,
        only=only,
    )
    return Event(id_, position, moment(time), news)


def _is(event_id: str) -> ColumnElement[bool]:
    # All IDs are ASCII; and half a character cannot even be asked for.
    return events.c.id == event_id if event_id.isascii() else false()


def _optional(name: str, text: str | None, most_characters: int) -> str | None:
    return None if text is None else within(name, text, most_characters)
