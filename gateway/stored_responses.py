"""Answers of `/v1/responses` and what they answered, kept for each caller to be continued."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from gateway.clock import Clock, now
from gateway.errors import InvalidRequest, NotFound
from gateway.storage.database import Database
from gateway.storage.tables import microseconds
from gateway.storage.tables import stored_responses as kept
from gateway.text import shown

Json = Mapping[str, Any]

KEPT_FOR = timedelta(days=30)
MOST_RESPONSES = 1_000
MOST_BYTES = 256 * 1024 * 1024
# As much as one request may bring by itself.
MOST_HISTORY_BYTES = 32 * 1024 * 1024
MOST_LINKS = 1_000

# ASCII only: PostgreSQL has no NUL in a text, and no database half a surrogate.
_written = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Stored:
    """One answer, as JSON, and the items that its request brought, without those before it."""

    id: str
    input: Sequence[Json]
    answer: Json


class StoredResponses:
    """Each caller has its own: the ID of another caller's answer is as good as none.

    An answer is kept for `kept_for` since it was last continued. Of one caller, those that were
    used last are kept, at most `most_responses` and `most_bytes` of them.
    """

    def __init__(
        self,
        database: Database,
        *,
        kept_for: timedelta = KEPT_FOR,
        most_responses: int = MOST_RESPONSES,
        most_bytes: int = MOST_BYTES,
        most_history_bytes: int = MOST_HISTORY_BYTES,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._kept_for = kept_for
        self._most_responses = most_responses
        self._most_bytes = most_bytes
        self._most_history_bytes = most_history_bytes
        self._clock = clock

    async def add(self, caller: str, stored: Stored, *, previous_id: str | None = None) -> None:
        """Behind the one that it continues, which stays as young as what was made of it."""
        used = microseconds(self._clock())
        written_input, written_answer = _written(stored.input), _written(stored.answer)
        row = {
            "id": stored.id,
            "caller": caller,
            "previous_id": previous_id,
            "created": used,
            "used": used,
            "size_bytes": len(written_input) + len(written_answer),
            "input": written_input,
            "answer": written_answer,
        }

        def work(connection: Connection) -> None:
            connection.execute(insert(kept), row)
            chain = _chain(caller, stored.id)
            connection.execute(
                update(kept).where(kept.c.id.in_(select(chain.c.id))).values(used=used)
            )
            self._forget_the_oldest(connection, caller, used)

        await self._database.write(work)

    async def one(self, caller: str, response_id: str) -> Stored:
        """Raises:
        NotFound: the caller has no such answer, or no longer.
        """

        def work(connection: Connection) -> Stored | None:
            row = connection.execute(_columns().where(_is(caller, response_id))).first()
            return None if row is None else _stored(row)

        found = await self._database.read(work)
        if found is None:
            raise _unknown(response_id)
        return found

    async def history(self, caller: str, response_id: str) -> Sequence[Stored]:
        """All answers that led to this one, and this one itself, the first one first.

        Raises:
            NotFound: this one, or one before it, is not kept, or no longer.
            InvalidRequest: together they are more than one request may hold.
        """
        links, rows = await self._database.read(
            lambda each: self._linked(each, caller, response_id)
        )
        if not links:
            raise _unknown(response_id)
        if (missing := links[-1].previous_id) is not None:
            raise NotFound(
                f"the response {shown(response_id)!r} continues {missing!r}, which is no longer "
                "kept; send the items of the conversation as input instead",
                what="response",
            )
        if rows is None:
            raise InvalidRequest(
                f"previous_response_id: what led to {response_id!r} is more than "
                f"{self._most_history_bytes} bytes; begin anew with the items that still matter"
            )
        by_id = {row.id: _stored(row) for row in rows}
        return [by_id[link.id] for link in reversed(links)]

    async def forget(self, caller: str, response_id: str) -> None:
        """What continued it can still be read, and can no longer be continued.

        Raises:
            NotFound: the caller has no such answer, or no longer.
        """

        def work(connection: Connection) -> int:
            return connection.execute(delete(kept).where(_is(caller, response_id))).rowcount

        if not await self._database.write(work):
            raise _unknown(response_id)

    def _linked(self, connection: Connection, caller: str, response_id: str) -> Any:
        """The chain, the newest first, and its rows, unless they are too big together."""
        chain = _chain(caller, response_id)
        links = connection.execute(select(chain).order_by(chain.c.depth)).all()
        if sum(link.size_bytes for link in links) > self._most_history_bytes:
            return links, None
        ids = [link.id for link in links]
        return links, connection.execute(_columns().where(kept.c.id.in_(ids))).all()

    def _forget_the_oldest(self, connection: Connection, caller: str, used: int) -> None:
        """Of one conversation the first goes first, though all of it was used at once."""
        newest_first = (kept.c.used.desc(), kept.c.created.desc(), kept.c.id)
        ranked = (
            select(
                kept.c.id,
                func.row_number().over(order_by=newest_first).label("number"),
                func.sum(kept.c.size_bytes).over(order_by=newest_first).label("bytes"),
            )
            .where(kept.c.caller == caller)
            .subquery()
        )
        surplus = select(ranked.c.id).where(
            or_(ranked.c.number > self._most_responses, ranked.c.bytes > self._most_bytes)
        )
        oldest = used - self._kept_for // timedelta(microseconds=1)
        connection.execute(delete(kept).where(or_(kept.c.id.in_(surplus), kept.c.used < oldest)))


def _chain(caller: str, response_id: str) -> CTE:
    """Links only, without what they hold."""
    columns = (kept.c.id, kept.c.previous_id, kept.c.size_bytes)
    newest = select(*columns, literal(0).label("depth")).where(_is(caller, response_id))
    chain = newest.cte("chain", recursive=True)
    before = select(*columns, chain.c.depth + 1).where(
        kept.c.id == chain.c.previous_id,
        kept.c.caller == caller,
        chain.c.depth < MOST_LINKS,
    )
    return chain.union_all(before)


def _columns() -> Any:
    return select(kept.c.id, kept.c.input, kept.c.answer)


def _stored(row: Any) -> Stored:
    return Stored(row.id, json.loads(row.input), json.loads(row.answer))


def _is(caller: str, response_id: str) -> ColumnElement[bool]:
    if not response_id.isascii():
        # All IDs are; and half a character cannot even be asked for.
        return false()
    return (kept.c.caller == caller) & (kept.c.id == response_id)


def _unknown(response_id: str) -> NotFound:
    return NotFound(
        f"no response {shown(response_id)!r} is kept for this caller; it was not stored, was "
        "deleted, or has not been continued for too long",
        what="response",
    )
