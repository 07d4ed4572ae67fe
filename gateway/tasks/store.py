"""The task list, kept for all processes on one database."""

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    insert,
    literal,
    select,
    true,
    update,
)

from gateway.clock import Clock, now
from gateway.errors import NotFound, Refused
from gateway.storage.agent_tables import tasks as kept
from gateway.storage.database import Database
from gateway.storage.tables import microseconds, moment
from gateway.tasks.task import (
    MOST_NOTE,
    STATUSES,
    TASK_TOOLS,
    UNFINISHED,
    Change,
    Created,
    Draft,
    Filter,
    Listing,
    Moved,
    Task,
    one_of,
    text_of,
)
from gateway.text import shown

logger = logging.getLogger(__name__)

OnCreated = Callable[[Task], Awaitable[None]]

# Whoever creates them in a loop must not bury what others want done.
MOST_UNFINISHED = 10_000
MOST_CHANGES = 50
_SUGGESTED = 3


class Tasks:
    """The gateway's own task list; where tasks live `elsewhere`, it says so whatever is asked.

    Raises:
        Refused: tasks live elsewhere.
        Unavailable: the database does not answer, and nothing changed.
    """

    def __init__(
        self, database: Database, *, elsewhere: str | None = None, clock: Clock = now
    ) -> None:
        self.elsewhere = elsewhere
        self._database = database
        self._clock = clock

    async def create(
        self,
        draft: Draft,
        *,
        by: str,
        run_id: str | None = None,
        key: str | None = None,
        on_created: OnCreated | None = None,
    ) -> Created:
        """A new task; under a key that was used before, the one that there is.

        `on_created` hears of a new one, after it is stored.

        Raises:
            Refused: too many are unfinished.
        """
        self._check_here()
        add = partial(_add, draft=draft, by=by, run_id=run_id, key=key, at=self._clock())
        created = await self._database.write(add)
        if created.is_new and on_created is not None:
            await _tell(created.task, on_created)
        return created

    async def task(self, task_id: str) -> Task:
        """Raises:
        NotFound: there is none of this ID; suggests others.
        """
        self._check_here()
        return await self._database.read(partial(_one, task_id=task_id))

    async def listed(self, wanted: Filter, *, limit: int) -> Listing:
        """The latest first."""
        self._check_here()
        return await self._database.read(partial(_listed, wanted=wanted, limit=limit))

    async def move(
        self, task_id: str, status: str, *, by: str, note: str = "", key: str | None = None
    ) -> Moved:
        """Give it a status, which may be the one that it has.

        A call under a key that was used before changes nothing, and answers as that one did.

        Raises:
            InvalidRequest: there is no such status.
            NotFound: there is no such task; suggests others.
        """
        self._check_here()
        change = Change(
            time=self._clock(),
            by=by,
            before="open",
            after=one_of("status", status, STATUSES),
            note=text_of("note", note, most=MOST_NOTE),
            occasion=key,
        )
        return await self._database.write(partial(_move, task_id=task_id, change=change))

    def _check_here(self) -> None:
        if self.elsewhere is not None:
            raise Refused(
                f"tasks live in {self.elsewhere}, as tools.yaml says; use its tools, such as "
                f"{TASK_TOOLS[1]}"
            )


async def _tell(task: Task, on_created: OnCreated) -> None:
    try:
        await on_created(task)
    except Exception:
        # The task is stored: to fail now would have it created once more.
        logger.exception("task=%s was created, and its event was not published", task.id)


def _add(
    connection: Connection,
    *,
    draft: Draft,
    by: str,
    run_id: str | None,
    key: str | None,
    at: datetime,
) -> Created:
    if key is not None:
        before = connection.execute(select(kept).where(kept.c.occasion == key)).one_or_none()
        if before is not None:
            return Created(_task(before), is_new=False)
    unfinished = _count(connection, kept.c.status.in_(UNFINISHED))
    if unfinished >= MOST_UNFINISHED:
        raise Refused(f"{unfinished:,} tasks are unfinished already; finish or cancel some first")
    time = microseconds(at)
    row = {
        **asdict(draft),
        "id": _free_id(connection),
        "occasion": key,
        "status": "open",
        "created": time,
        "updated": time,
        "created_by": by,
        "run_id": run_id,
        "labels": json.dumps(draft.labels, ensure_ascii=False),
        "changes": "[]",
    }
    row["commit_id"] = row.pop("commit")
    connection.execute(insert(kept), [row])
    return Created(_one(connection, task_id=row["id"]), is_new=True)


def _free_id(connection: Connection) -> str:
    while True:
        task_id = f"task_{secrets.token_hex(4)}"
        if not _count(connection, kept.c.id == task_id):
            return task_id


def _one(connection: Connection, *, task_id: str) -> Task:
    row = connection.execute(select(kept).where(kept.c.id == task_id)).one_or_none()
    if row is not None:
        return _task(row)
    latest = select(kept.c.id).order_by(kept.c.position.desc()).limit(_SUGGESTED)
    suggestions = connection.scalars(latest).all()
    raise NotFound(f"there is no task {shown(task_id)!r}", what="task", suggestions=suggestions)


def _listed(connection: Connection, *, wanted: Filter, limit: int) -> Listing:
    where = and_(true(), *_conditions(wanted))
    rows = connection.execute(
        select(kept).where(where).order_by(kept.c.position.desc()).limit(limit)
    )
    return Listing([_task(row) for row in rows], _count(connection, where))


def _move(connection: Connection, *, task_id: str, change: Change) -> Moved:
    task = _one(connection, task_id=task_id)
    key = change.occasion
    if key and (same := next((one for one in task.changes if one.occasion == key), None)):
        return Moved(task, same.before)
    if change.after == task.status and not (change.note or key):
        return Moved(task, task.status)
    # Clocks of several processes differ; what is later stands later.
    time = max(change.time, task.updated + timedelta(microseconds=1))
    changes = (*task.changes, replace(change, time=time, before=task.status))[-MOST_CHANGES:]
    values = {"status": change.after, "updated": microseconds(time), "changes": _to_json(changes)}
    connection.execute(update(kept).where(kept.c.id == task_id).values(values))
    return Moved(
        replace(task, status=change.after, updated=time, changes=changes), before=task.status
    )


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.statuses:
        yield kept.c.status.in_(wanted.statuses)
    if wanted.priorities:
        yield kept.c.priority.in_(wanted.priorities)
    if wanted.created_by is not None:
        yield _named(wanted.created_by)
    if wanted.assignee is not None:
        yield func.lower(kept.c.assignee) == wanted.assignee.lower()
    if wanted.label is not None:
        label = json.dumps(wanted.label.lower(), ensure_ascii=False)
        yield kept.c.labels.contains(label, autoescape=True)
    if wanted.commit is not None:
        # Either may be the beginning of the other; a hash holds nothing that LIKE would read.
        begins = kept.c.commit_id.startswith(wanted.commit)
        yield begins | literal(wanted.commit).like(kept.c.commit_id + "%")
    if wanted.since is not None:
        yield kept.c.created >= microseconds(wanted.since)
    if wanted.until is not None:
        yield kept.c.created < microseconds(wanted.until)


def _named(name: str) -> ColumnElement[bool]:
    if name.endswith("*"):
        return kept.c.created_by.startswith(name[:-1], autoescape=True)
    return kept.c.created_by == name


def _count(connection: Connection, where: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(kept).where(where)) or 0


def _task(row: Row[Any]) -> Task:
    return Task(
        id=row.id,
        title=row.title,
        description=row.description,
        status=row.status,
        priority=row.priority,
        created=moment(row.created),
        updated=moment(row.updated),
        created_by=row.created_by,
        assignee=row.assignee,
        run_id=row.run_id,
        repository=row.repository,
        commit=row.commit_id,
        labels=tuple(json.loads(row.labels)),
        changes=_of_json(row.changes),
    )


def _to_json(changes: Iterable[Change]) -> str:
    rows = [{**asdict(one), "time": microseconds(one.time)} for one in changes]
    return json.dumps(rows, ensure_ascii=False)


def _of_json(text: str) -> tuple[Change, ...]:
    return tuple(Change(**{**one, "time": moment(one["time"])}) for one in json.loads(text))
