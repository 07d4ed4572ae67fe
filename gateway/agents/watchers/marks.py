"""How far each watcher has come, kept so that a restart loses nothing and repeats nothing."""

from functools import partial

from sqlalchemy import Connection, insert, select, update

from gateway.clock import Clock, now
from gateway.storage.agent_tables import watch_marks
from gateway.storage.database import Database
from gateway.storage.tables import microseconds


class Marks:
    """One text for each watcher, whose meaning only the watcher knows."""

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def mark(self, watcher: str) -> str | None:
        """None where it never began."""
        return await self._database.read(partial(_mark, watcher=watcher))

    async def set(self, watcher: str, mark: str) -> None:
        """Whatever it was before."""
        at = microseconds(self._clock())
        await self._database.write(partial(_put, watcher=watcher, mark=mark, at=at))

    async def advance(self, watcher: str, old: str | None, new: str) -> bool:
        """Set it only where it still is the old one, which None is of one that never began.

        Of several processes with one old mark, this is true of one.
        """
        at = microseconds(self._clock())
        return await self._database.write(
            partial(_advance, watcher=watcher, old=old, new=new, at=at)
        )


def _mark(connection: Connection, *, watcher: str) -> str | None:
    return connection.scalar(select(watch_marks.c.mark).where(watch_marks.c.watcher == watcher))


def _put(connection: Connection, *, watcher: str, mark: str, at: int) -> None:
    same = watch_marks.c.watcher == watcher
    changed = connection.execute(update(watch_marks).where(same).values(mark=mark, time=at))
    if not changed.rowcount:
        connection.execute(insert(watch_marks).values(watcher=watcher, mark=mark, time=at))


def _advance(connection: Connection, *, watcher: str, old: str | None, new: str, at: int) -> bool:
    # Transactions that write come in turn, so nobody comes between the look and the change.
    if _mark(connection, watcher=watcher) != old:
        return False
    _put(connection, watcher=watcher, mark=new, at=at)
    return True
