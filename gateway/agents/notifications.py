"""Notifications as they are stored and told: each listener reads them from its own place on.

Nothing is kept in memory for a listener, however slow it is.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from datetime import timedelta
from typing import Any, Self

from sqlalchemy import Connection, delete, func, insert, or_, select

from gateway.agents.notification import Notification, NotificationKind
from gateway.agents.storable import one_line, storable_json
from gateway.clock import Clock, now
from gateway.errors import Unavailable
from gateway.storage.agent_tables import notifications as kept
from gateway.storage.database import Database
from gateway.storage.tables import microseconds, moment

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
KEPT_FOR = timedelta(days=30)
MOST_KEPT = 100_000
MOST_TITLE_CHARACTERS = 300
MOST_DATA_BYTES = 64 * 1024
_READ_AT_ONCE = 100
_LARGEST = 2**63 - 1
# More than one comes with each new one, so that what is too old shrinks.
_PRUNED_AT_ONCE = 100


class Notifications:
    """Open for as long as anybody may listen; those of other processes are seen within a second."""

    def __init__(
        self, database: Database, *, clock: Clock = now, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._database = database
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._last = 0
        self._listeners = 0
        self._is_closed = False

    async def __aenter__(self) -> Self:
        self._news = asyncio.Event()
        self._listened = asyncio.Event()
        self._last = await self.position()
        self._looking = asyncio.create_task(self._look(), name="notifications")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closed = True
        self._wake()
        self._looking.cancel()
        with suppress(asyncio.CancelledError):
            await self._looking

    async def tell(
        self, kind: NotificationKind, title: str, data: Mapping[str, Any] | None = None
    ) -> Notification:
        """Stored when it returns; a title that is too long is cut.

        Raises:
            InvalidRequest: the data is no JSON, or too long.
        """
        row = self._row(kind, title, data)
        told = await self._database.write(lambda connection: _put(connection, row))
        self.is_told(told)
        return told

    def put(
        self,
        connection: Connection,
        kind: NotificationKind,
        title: str,
        data: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Within the transaction of what it tells of; once that is committed, it `is_told`."""
        return _put(connection, self._row(kind, title, data))

    def is_told(self, told: Notification) -> None:
        """It is stored: whoever listens here reads it now."""
        logger.info("notification=%d kind=%s", told.position, told.kind)
        self._heard_of(told.position)

    async def since(self, after: int = 0, limit: int = _READ_AT_ONCE) -> Sequence[Notification]:
        """What was told after the notification at this position, the first one first."""
        beyond = kept.c.position > min(after, _LARGEST)
        rest = select(kept).where(beyond).order_by(kept.c.position).limit(limit)
        return await self._database.read(
            lambda connection: [_notification(row) for row in connection.execute(rest)]
        )

    async def position(self) -> int:
        """Of the last one; 0 where there is none."""
        last = select(func.coalesce(func.max(kept.c.position), 0))
        return await self._database.read(lambda connection: int(connection.scalar(last) or 0))

    async def told(self, *, after: int | None = None) -> AsyncGenerator[Notification, None]:
        """What was stored after that position, then all that comes, until this is closed.

        None is the last position at the moment at which somebody begins to read.
        """
        async with aclosing(self.pages(after=after)) as pages:
            async for page in pages:
                for one in page:
                    yield one

    async def pages(
        self, *, after: int | None = None
    ) -> AsyncGenerator[Sequence[Notification], None]:
        """The same, as many at once as there are."""
        with self._listening():
            last = await self.position()
            # A place beyond the last is one in a database that is no longer there.
            place = last if after is None else min(after, last)
            while not self._is_closed:
                # Taken before it is read: what comes meanwhile sets this very one.
                news = self._news
                if page := await self.since(place):
                    place = page[-1].position
                    yield page
                else:
                    await news.wait()

    def _row(
        self, kind: NotificationKind, title: str, data: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        return {
            "time": microseconds(self._clock()),
            "kind": kind,
            "title": one_line(title, MOST_TITLE_CHARACTERS),
            "data": storable_json("data", data or {}, most_bytes=MOST_DATA_BYTES),
        }

    @contextmanager
    def _listening(self) -> Iterator[None]:
        self._listeners += 1
        self._listened.set()
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._listened.clear()

    async def _look(self) -> None:
        """For what other processes told, while anybody here listens."""
        while True:
            await self._listened.wait()
            try:
                self._heard_of(await self.position())
            except Unavailable as error:
                logger.warning("notifications of other processes are not seen: %s", error)
            except Exception:
                logger.exception("notifications of other processes are not seen")
            await asyncio.sleep(self._poll_seconds)

    def _heard_of(self, position: int) -> None:
        if position > self._last:
            self._last = position
            self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _put(connection: Connection, row: Mapping[str, Any]) -> Notification:
    result = connection.execute(insert(kept).values(row).returning(kept.c.position))
    position = int(result.scalar_one())
    oldest = select(kept.c.position).order_by(kept.c.position).limit(_PRUNED_AT_ONCE)
    too_many = kept.c.position <= position - MOST_KEPT
    too_old = kept.c.time < row["time"] - KEPT_FOR // timedelta(microseconds=1)
    connection.execute(delete(kept).where(kept.c.position.in_(oldest), or_(too_many, too_old)))
    return _notification((position, *row.values()))


def _notification(row: Any) -> Notification:
    position, time, kind, title, data = row
    return Notification(position, moment(time), kind, title, json.loads(data))
