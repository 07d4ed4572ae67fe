"""What tools told models when they were seen last: a description that changed is reported."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select

from gateway.clock import Clock, now
from gateway.storage.database import Database
from gateway.storage.tables import microseconds, moment, tool_pins

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told about one tool; `digest` is the hash by which it is pinned."""

    name: str
    description: str
    schema: Mapping[str, object]
    effect: str = "read"
    origin: str = "gateway"

    @property
    def digest(self) -> str:
        told = [self.name, self.description, self.schema, self.effect, self.origin]
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pin:
    """The hash of what a tool says, and since when it has said that."""

    sha256: str
    since: datetime


class ToolPins:
    """The pins of all tools, shared by all processes on one database."""

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def check(self, tools: Sequence[Told]) -> Sequence[str]:
        """The names of those that say something else than when they were seen last.

        Each is reported in the log, once; from then on what it says now is what counts.
        """
        digests = {tool.name: tool.digest for tool in tools}
        before = await self._database.read(_pins)
        if all(name in before and before[name].sha256 == one for name, one in digests.items()):
            return ()
        changed = await self._database.write(lambda connection: self._pin(connection, digests))
        for name, (old, new) in changed.items():
            logger.warning(
                "tool=%s says something else than before: sha256 was %s, is %s; look at it before "
                "models use it (`gateway tools`)",
                name,
                old[:16],
                new[:16],
            )
        return tuple(changed)

    async def pins(self) -> Mapping[str, Pin]:
        return await self._database.read(_pins)

    def _pin(
        self, connection: Connection, digests: Mapping[str, str]
    ) -> Mapping[str, tuple[str, str]]:
        # Read again: another process may have written meanwhile.
        before = _pins(connection)
        others = {
            name: digest
            for name, digest in digests.items()
            if name not in before or before[name].sha256 != digest
        }
        if others:
            since = microseconds(self._clock())
            rows = [{"name": name, "sha256": one, "since": since} for name, one in others.items()]
            connection.execute(delete(tool_pins).where(tool_pins.c.name.in_(list(others))))
            connection.execute(insert(tool_pins), rows)
        return {
            name: (before[name].sha256, digest) for name, digest in others.items() if name in before
        }


def _pins(connection: Connection) -> Mapping[str, Pin]:
    rows = connection.execute(select(tool_pins)).all()
    return {row.name: Pin(row.sha256, moment(row.since)) for row in rows}
