"""What was said before, kept for each caller under IDs of its own users."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, or_, select

from gateway.clock import Clock, now
from gateway.storage.database import Database
from gateway.storage.tables import conversation_messages as kept
from gateway.storage.tables import microseconds, moment

Role = Literal["system", "developer", "user", "assistant", "tool"]

MOST_MESSAGES = 1_000
# All of them are read for each request that continues them.
MOST_CHARACTERS = 16_000_000
# PostgreSQL has no NUL in a text, and no database half a surrogate.
_UNKEEPABLE = re.compile(r"[\x00\ud800-\udfff]")


class Saying(NamedTuple):
    """What is to be kept; `message` is the whole of it as JSON, where it is more than its text."""

    role: Role
    content: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One message; `created` is when it was kept."""

    role: Role
    content: str
    created: datetime
    message: str | None = None


class Conversations:
    """Each caller has its own: the same user ID of another caller is another conversation.

    Of one conversation the last `most_messages` are kept, and no more than `most_characters`.
    """

    def __init__(
        self,
        database: Database,
        *,
        most_messages: int = MOST_MESSAGES,
        most_characters: int = MOST_CHARACTERS,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._most_messages = most_messages
        self._most_characters = most_characters
        self._clock = clock

    async def last(self, caller: str, user_id: str, *, most: int) -> Sequence[Said]:
        """At most so many messages, the newest last."""

        def work(connection: Connection) -> list[Said]:
            rows = connection.execute(
                select(kept.c.role, kept.c.content, kept.c.created, kept.c.message)
                .where(_of(caller, user_id))
                .order_by(kept.c.position.desc())
                .limit(most)
            ).all()
            return [
                Said(row.role, row.content, moment(row.created), row.message)
                for row in reversed(rows)
            ]

        return await self._database.read(work)

    async def add(
        self, caller: str, user_id: str, *, messages: Sequence[Saying | tuple[Role, str]]
    ) -> None:
        """All of them together, in this order, behind what was said before."""
        created = microseconds(self._clock())

        def work(connection: Connection) -> None:
            newest = select(func.max(kept.c.position)).where(_of(caller, user_id))
            begin = (connection.scalar(newest) or 0) + 1
            rows = [
                {
                    "caller": caller,
                    "user_id": user_id,
                    "position": position,
                    "role": said.role,
                    "content": _UNKEEPABLE.sub("", said.content),
                    "created": created,
                    "message": said.message,
                }
                for position, said in enumerate((Saying(*one) for one in messages), begin)
            ]
            connection.execute(insert(kept), rows)
            oldest = begin + len(messages) - self._most_messages
            surplus = _beyond(self._most_characters, _of(caller, user_id))
            connection.execute(
                delete(kept).where(
                    _of(caller, user_id),
                    or_(kept.c.position < oldest, kept.c.position.in_(surplus)),
                )
            )

        if messages:
            await self._database.write(work)

    async def forget(self, caller: str, user_id: str) -> int:
        """Remove a conversation; how many messages it had."""
        return await self._database.write(
            lambda connection: connection.execute(delete(kept).where(_of(caller, user_id))).rowcount
        )


def _of(caller: str, user_id: str) -> ColumnElement[bool]:
    return (kept.c.caller == caller) & (kept.c.user_id == user_id)


def _beyond(characters: int, conversation: ColumnElement[bool]) -> Select[int]:
    """The places of the messages that are too many, counted from the newest."""
    size = func.length(kept.c.content) + func.coalesce(func.length(kept.c.message), 0)
    newest_first = func.sum(size).over(order_by=kept.c.position.desc())
    counted = select(kept.c.position, newest_first.label("characters")).where(conversation)
    each = counted.subquery()
    return select(each.c.position).where(each.c.characters > characters)
