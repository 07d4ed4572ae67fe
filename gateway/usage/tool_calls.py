"""The lines of tools' calls, and their sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds
from gateway.storage.tables import tool_calls as kept
from gateway.usage.tool_call import ToolCall

_ADD = Statement(lambda insert: insert(kept))


@dataclass(frozen=True, slots=True)
class ToolLine:
    """The calls of one tool in a time; `milliseconds` is what one took on average."""

    tool: str
    origin: str
    calls: int
    failed: int
    milliseconds: float


def write(connection: Connection, calls: Sequence[ToolCall]) -> None:
    _ADD.run(connection, [_row(call) for call in calls])


def report(
    connection: Connection, start: datetime, end: datetime, *, caller: str | None
) -> Sequence[ToolLine]:
    in_time = (kept.c.time >= microseconds(start)) & (kept.c.time < microseconds(end))
    count, failed = func.count(), func.count().filter(kept.c.outcome != "ok")
    asked = (
        select(kept.c.tool, kept.c.origin, count, failed, func.avg(kept.c.milliseconds))
        .where(in_time)
        .group_by(kept.c.tool, kept.c.origin)
        .order_by(count.desc(), kept.c.tool, kept.c.origin)
    )
    if caller is not None:
        asked = asked.where(kept.c.caller == caller)
    return [ToolLine(*row) for row in connection.execute(asked)]


def _row(call: ToolCall) -> dict[str, object]:
    row = {name: getattr(call, name) for name in call.__dataclass_fields__}
    return {**row, "time": microseconds(call.time), "effect": str(call.effect)}
