"""The lines of evidence in the database: read as far as they are new, and merged when a day ends.

Every function takes a connection, and belongs into `Database.read` or `Database.write`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    true,
)

from gateway.evidence.observation import Observation
from gateway.evidence.sums import Sums
from gateway.storage.tables import evidence, microseconds, moment

_DAY = 86_400_000_000
_READ_AT_ONCE = 500
# Use is told by its last route; a benchmark's looks by their run, and a thumb can be changed.
_SOURCE_APART = case((evidence.c.kind == "use", literal("")), else_=evidence.c.source)
_TOGETHER = ("model", "task", "kind", "caller", "most_weight", "apart", "day")

Look = tuple[Observation, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What was read so far: `rows` lines, of which the last has `last_id`."""

    sums: Sums
    rows: int = 0
    last_id: int = 0


def row(one: Observation, *, looks: int) -> dict[str, Any]:
    return {
        "time": microseconds(one.at),
        "model": _storable(one.model),
        "task": _storable(one.task),
        "kind": one.kind,
        "quality": one.quality,
        "weight": one.weight,
        "looks": looks,
        "source": _storable(one.source),
        "caller": _storable(one.caller),
        "most_weight": one.most_weight,
    }


def write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(insert(evidence), rows)


def exchange(connection: Connection, new: Mapping[str, Any]) -> Sequence[tuple[int, Look]]:
    """Write it in place of what the same source told before; gives that with its IDs."""
    same = (evidence.c.source == new["source"]) & (evidence.c.kind == new["kind"])
    found = connection.execute(select(evidence).where(same)).all()
    connection.execute(delete(evidence).where(same))
    write(connection, [new])
    return [(one.id, _look(one, quality=one.quality)) for one in found]


def learned(connection: Connection, known: Known, now: datetime) -> Known:
    """`known` with what was written since; all of it anew where lines are gone."""
    counted = select(func.count(), func.coalesce(func.max(evidence.c.id), 0))
    rows, last_id = connection.execute(counted.select_from(evidence)).one()
    known = replace(known, sums=known.sums.faded_to(now))
    if (rows, last_id) == (known.rows, known.last_id):
        return known
    is_new = evidence.c.id > known.last_id
    added = connection.scalar(select(func.count()).select_from(evidence).where(is_new)) or 0
    if known.rows + added == rows:
        return Known(known.sums.plus(_read(connection, is_new)), rows, last_id)
    return Known(Sums(now).plus(_read(connection, true())), rows, last_id)


def unmerged_days(connection: Connection, before: datetime) -> Sequence[int]:
    """The days that ended and have lines that could be one; in microseconds, as they began."""
    is_over = evidence.c.time < microseconds(before) // _DAY * _DAY
    lines = _marked(is_over, _SOURCE_APART).subquery()
    several = (
        select(lines.c.day)
        .group_by(*(lines.c[one] for one in _TOGETHER))
        .having(func.count() > 1)
        .subquery()
    )
    return connection.scalars(select(several.c.day).distinct().order_by(several.c.day)).all()


def merge_day(connection: Connection, day: int) -> None:
    of_day = evidence.c.time.between(day, day + _DAY - 1)
    merged = [row(one, looks=looks) for one, looks in _read(connection, of_day, _SOURCE_APART)]
    connection.execute(delete(evidence).where(of_day))
    if merged:
        write(connection, merged)


def drop_older(connection: Connection, than: datetime) -> None:
    connection.execute(delete(evidence).where(evidence.c.time < microseconds(than)))


def drop_models(connection: Connection, models: Sequence[str]) -> int:
    """How many lines that were."""
    return connection.execute(delete(evidence).where(evidence.c.model.in_(models))).rowcount


def _read(
    connection: Connection, which: ColumnElement[bool], apart: ColumnElement[str] | None = None
) -> Iterator[Look]:
    """A day's looks of one voice are one; it is as old as the last, and told where that is."""
    marked = _marked(which, literal("") if apart is None else apart).subquery()
    together = [marked.c[one] for one in _TOGETHER]
    rank = func.row_number().over(
        partition_by=together, order_by=(marked.c.time.desc(), marked.c.id.desc())
    )
    lines = select(marked, rank.label("rank")).subquery()
    statement = select(
        *(lines.c[one] for one in _TOGETHER[:5]),
        func.sum(lines.c.weight).label("weight"),
        func.sum(lines.c.weight * lines.c.quality).label("good"),
        func.sum(lines.c.looks).label("looks"),
        func.max(lines.c.time).label("time"),
        func.max(case((lines.c.rank == 1, lines.c.source))).label("source"),
    ).group_by(*(lines.c[one] for one in _TOGETHER))
    # All at once, they would keep the event loop from its turn while Python looks after them.
    for one in connection.execute(statement, execution_options={"yield_per": _READ_AT_ONCE}):
        yield _look(one, quality=one.good / one.weight if one.weight else 0.0)


def _marked(which: ColumnElement[bool], apart: ColumnElement[str]) -> Select[Any]:
    """Each line with its day, and with what keeps it apart from others of that day."""
    day = evidence.c.time - evidence.c.time % _DAY
    return select(evidence, apart.label("apart"), day.label("day")).where(which)


def _look(line: Any, *, quality: float) -> Look:
    one = Observation(
        line.model,
        line.task,
        line.kind,
        quality,
        line.weight,
        line.source,
        moment(line.time),
        line.caller,
        line.most_weight,
    )
    return one, int(line.looks)


def _storable(text: str) -> str:
    """No database keeps half a surrogate, and PostgreSQL no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")
