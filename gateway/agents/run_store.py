"""The runs of all agents and their steps, shared by all processes on one database."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from gateway.agents.event import Event
from gateway.agents.pauses import ALL
from gateway.agents.run import ENDED, Run, Status, Step, Wanted
from gateway.agents.run_reading import RunReading
from gateway.agents.run_rows import (
    RUN_COLUMNS,
    run_of,
    run_row,
    step_row,
    written,
)
from gateway.errors import Refused
from gateway.storage.agent_tables import agent_runs as runs
from gateway.storage.agent_tables import agent_steps as steps
from gateway.storage.agent_tables import paused_agents, suggestions
from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds

_ADD = Statement(lambda insert: insert(runs).on_conflict_do_nothing(index_elements=["occasion"]))
_EARLIER, _ASKER, _ASKED = (runs.alias(name) for name in ("earlier", "asker", "asked"))
_TO_END: tuple[Wanted, ...] = ("cancel", "kill")
OPEN: tuple[Status, ...] = ("waiting", "running", "paused")
_PRUNED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Room:
    """How many more runs of an agent may begin in this process, if there are places for it."""

    agent: str
    concurrency: int


class RunStore(RunReading):
    """What is recorded is written here, alone by whoever carries the run."""

    def new(self, agent: str, event: Event, **more: Any) -> Run:
        """A run that is not stored yet, and waits."""
        moment = self._clock()
        run_id = f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(5)}"
        return Run(run_id, agent, event.id, "waiting", moment, **more)

    async def add(
        self,
        wanted: Sequence[tuple[str, Run]],
        *,
        beside: Callable[[Connection], None] | None = None,
    ) -> None:
        """Store each run whose occasion has none yet, and do what is to be done beside."""
        rows = [_new(occasion, run) for occasion, run in wanted]

        def work(connection: Connection) -> None:
            _ADD.run(connection, rows)
            if beside is not None:
                beside(connection)

        await self._database.write(work)

    async def ask(
        self, asker: Run, question: Callable[[Connection], tuple[str, Run]]
    ) -> Run | None:
        """Store the run that answers what a run asks, or read the one that its occasion has.

        `question` stores what is asked, in the same transaction. It is None, and nothing is stored,
        if the asker has ended or is to end: whoever ends it later finds all that it has asked.
        """

        def work(connection: Connection) -> Run | None:
            if not _goes_on(connection, asker.id):
                return None
            occasion, run = question(connection)
            _ADD.run(connection, [_new(occasion, run)])
            is_it = runs.c.occasion == occasion
            return run_of(connection.execute(select(*RUN_COLUMNS).where(is_it)).one())

        return await self._database.write(work)

    async def claim(self, rooms: Sequence[Room], executor: str, *, most: int) -> Sequence[Run]:
        """The oldest runs that may begin, which from now on are this process's.

        Of an agent that is paused, or has as many runs as it may, there are none; nor is there what
        a run asked that is to end. In place of runs that wait for answers, it may answer questions.
        """

        def work(connection: Connection) -> Sequence[Run]:
            # In this transaction: what is claimed after all were stopped would be missed.
            paused = set(connection.scalars(select(paused_agents.c.agent)))
            if ALL in paused:
                return ()
            busy, idle = _running(connection), _running(connection, _waits_for_an_answer())
            found: list[tuple[int, Run]] = []
            for room in rooms:
                free = room.concurrency - busy.get(room.agent, 0)
                of: list[ColumnElement[bool]] = [runs.c.agent == room.agent]
                if free <= 0:
                    # Or agents that ask each other would wait for each other for ever.
                    free += idle.get(room.agent, 0)
                    of.append(runs.c.parent.is_not(None))
                if free > 0 and room.agent not in paused:
                    found += _first(connection, *of, limit=min(free, most))
            oldest = sorted(found, key=lambda one: one[0])[:most]
            return [self._begun(connection, run, executor) for _, run in oldest]

        return await self._database.write(work)

    def _begun(self, connection: Connection, run: Run, executor: str) -> Run:
        begun = replace(run, status="running", started=self._clock(), attempt=run.attempt + 1)
        changed = {"status": begun.status, "started": begun.started, "attempt": begun.attempt}
        _set(connection, run.id, {**changed, "executor": executor})
        return begun

    async def begin_step(self, step: Step, executor: str) -> bool:
        """A step that began before, and did not end, begins anew; False if the run is not ours."""

        def work(connection: Connection) -> bool:
            if not _is_carried(connection, step.run_id, executor):
                return False
            is_it = and_(steps.c.run_id == step.run_id, steps.c.number == step.number)
            row = step_row(step)
            if not connection.execute(update(steps).where(is_it).values(row)).rowcount:
                connection.execute(insert(steps), row)
            return True

        return await self._database.write(work)

    async def end_step(self, step: Step, executor: str) -> bool:
        """Record what came of it, and count it; a step that ended stays as it is.

        Whoever does not carry the run any more records nothing: another process makes the step.
        Then it is False.
        """

        def work(connection: Connection) -> bool:
            if not _is_carried(connection, step.run_id, executor):
                return False
            is_it = and_(
                steps.c.run_id == step.run_id,
                steps.c.number == step.number,
                steps.c.ended.is_(None),
            )
            if connection.execute(update(steps).where(is_it).values(step_row(step))).rowcount:
                _count(connection, step)
            return True

        return await self._database.write(work)

    async def end(
        self,
        run: Run,
        *,
        of: Iterable[Status] = OPEN,
        beside: Callable[[Connection, Run], None] | None = None,
    ) -> Sequence[Run]:
        """Write how it ended, and read what it came to; nothing if it is in no state of `of`.

        What it asked of others, and nobody has begun, is cancelled with it, and comes behind it.
        `beside` writes in this transaction what follows from each of those that have ended.
        """

        def work(connection: Connection) -> Sequence[Run]:
            if (first := _end(connection, run, of)) is None:
                return ()
            ended = [first, *_end_questions(connection, first)] if first.has_ended else [first]
            for one in ended:
                if one.has_ended and beside is not None:
                    beside(connection, one)
            return ended

        return await self._database.write(work)

    async def want(
        self, wanted: Wanted, *, run_id: str | None = None, agent: str | None = None
    ) -> Sequence[str]:
        """Ask of one run, an agent's, or all that they stop; tells of which none is carried out."""

        def work(connection: Connection) -> Sequence[str]:
            open_runs: list[ColumnElement[bool]] = [runs.c.status.in_(OPEN)]
            if run_id is not None:
                open_runs.append(runs.c.id == run_id)
            if agent is not None:
                open_runs.append(runs.c.agent == agent)
            found = connection.execute(select(runs.c.id, runs.c.status).where(*open_runs)).all()
            changed = [one for one, status in found if status == "running"]
            if changed:
                connection.execute(update(runs).where(runs.c.id.in_(changed)).values(wanted=wanted))
            return [one for one, status in found if status != "running"]

        return await self._database.write(work)

    async def set_status(self, run_id: str, status: Status, *, of: Iterable[Status]) -> None:
        """Raises:
        NotFound: there is no such run.
        Refused: it is in none of the states `of`.
        """

        def work(connection: Connection) -> bool:
            is_it = and_(runs.c.id == run_id, runs.c.status.in_(tuple(of)))
            reopened = {"ended": None, "guard": None, "because": None}
            changed: dict[str, Any] = {"status": status, "wanted": None, "executor": None}
            changed |= reopened if status == "waiting" else {}
            return bool(connection.execute(update(runs).where(is_it).values(changed)).rowcount)

        if not await self._database.write(work):
            run = await self.run(run_id)
            raise Refused(
                f"run {run.id} is {run.status}; that can be done to one that is {' or '.join(of)}"
            )

    async def release(self, run: Run, executor: str) -> None:
        """Let a run wait again that this process carried, unless another one does by now."""

        def work(connection: Connection) -> None:
            is_left = and_(
                runs.c.id == run.id,
                runs.c.status == "running",
                runs.c.executor == executor,
                runs.c.attempt == run.attempt,
            )
            changed = {"status": "waiting", "executor": None}
            connection.execute(update(runs).where(is_left).values(changed))

        await self._database.write(work)

    async def adopt(self, run_id: str, executor: str) -> None:
        """Carry on with what another process began; the time that nobody did does not count."""

        def work(connection: Connection) -> None:
            is_others = and_(
                runs.c.id == run_id, runs.c.status == "running", runs.c.executor != executor
            )
            changed = {"executor": executor, "started": microseconds(self._clock())}
            connection.execute(update(runs).where(is_others).values(changed))

        await self._database.write(work)

    async def copy(self, run: Run, copied: Sequence[Step]) -> None:
        """Store a run that repeats another's first steps, at no cost."""

        def work(connection: Connection) -> None:
            row = {**run_row(run), "occasion": f"replay:{run.id}"}
            connection.execute(insert(runs), row)
            rows = [step_row(one) | {"run_id": run.id, "cost_microusd": 0} for one in copied]
            if rows:
                connection.execute(insert(steps), rows)

        await self._database.write(work)

    async def prune(self, *, before: datetime) -> None:
        """Remove runs of so long ago, with all that is kept of them; what waits, waited in vain."""

        def work(connection: Connection) -> None:
            old = select(runs.c.id).where(
                runs.c.status != "running", runs.c.created < microseconds(before)
            )
            some = old.order_by(runs.c.position).limit(_PRUNED_AT_ONCE)
            gone = list(connection.scalars(some))
            for table, column in ((steps, "run_id"), (suggestions, "run_id"), (runs, "id")):
                connection.execute(delete(table).where(table.c[column].in_(gone)))

        await self._database.write(work)


def _running(connection: Connection, *of: ColumnElement[bool]) -> Mapping[str, int]:
    query = select(runs.c.agent, func.count()).where(runs.c.status == "running", *of)
    return dict(map(tuple, connection.execute(query.group_by(runs.c.agent))))


def _waits_for_an_answer() -> ColumnElement[bool]:
    return exists().where(_ASKED.c.parent == runs.c.id, _ASKED.c.status.not_in(ENDED))


def _first(connection: Connection, *of: ColumnElement[bool], limit: int) -> list[tuple[int, Run]]:
    """With the place of each among all runs."""
    open_before = select(_EARLIER.c.id).where(
        _EARLIER.c.id == runs.c.after, _EARLIER.c.status.not_in(ENDED)
    )
    in_vain = select(_ASKER.c.id).where(_ASKER.c.id == runs.c.parent, _ASKER.c.wanted.in_(_TO_END))
    query = (
        select(runs.c.position, *RUN_COLUMNS)
        .where(
            runs.c.status == "waiting",
            *of,
            ~exists(open_before),
            ~exists(in_vain),
        )
        .order_by(runs.c.position)
        .limit(limit)
    )
    return [(row[0], run_of(row[1:])) for row in connection.execute(query)]


def _new(occasion: str, run: Run) -> dict[str, Any]:
    return {**run_row(run), "occasion": occasion, "executor": None}


def _goes_on(connection: Connection, run_id: str) -> bool:
    """One that is to pause goes on later, and what it asks is asked."""
    is_it = and_(runs.c.id == run_id, runs.c.status == "running")
    to_end = func.coalesce(runs.c.wanted, "").in_(_TO_END)
    return connection.execute(select(runs.c.id).where(is_it, ~to_end)).first() is not None


def _end(connection: Connection, run: Run, of: Iterable[Status] = OPEN) -> Run | None:
    is_it = and_(runs.c.id == run.id, runs.c.status.in_(tuple(of)))
    how = {name: getattr(run, name) for name in ("status", "ended", "result", "guard", "because")}
    changed = written({**how, "wanted": None, "executor": None})
    change = update(runs).where(is_it).values(changed).returning(*RUN_COLUMNS)
    row = connection.execute(change).first()
    return None if row is None else run_of(row)


def _end_questions(connection: Connection, asker: Run) -> Iterator[Run]:
    """End what a run that has ended asked, as far as nobody began it, and what that asked."""
    because = f"the run that asked it, {asker.id}, is {asker.status}"
    is_it = and_(runs.c.parent == asker.id, runs.c.status == "waiting")
    for row in connection.execute(select(*RUN_COLUMNS).where(is_it)).all():
        question = replace(run_of(row), status="cancelled", ended=asker.ended, because=because)
        if (ended := _end(connection, question)) is not None:
            yield ended
            yield from _end_questions(connection, ended)


def _is_carried(connection: Connection, run_id: str, executor: str) -> bool:
    is_it = and_(runs.c.id == run_id, runs.c.status == "running", runs.c.executor == executor)
    return connection.execute(select(runs.c.id).where(is_it)).first() is not None


def _set(connection: Connection, run_id: str, changed: Mapping[str, Any]) -> None:
    connection.execute(update(runs).where(runs.c.id == run_id).values(written(changed)))


def _count(connection: Connection, step: Step) -> None:
    changed: dict[str, Any] = {
        "rounds": runs.c.rounds + int(step.kind == "ask" and step.outcome == "ok"),
        "calls": runs.c.calls + int(step.kind == "call"),
        "input_tokens": runs.c.input_tokens + step.input_tokens,
        "output_tokens": runs.c.output_tokens + step.output_tokens,
    }
    if step.kind == "ask":
        # What is unknown once stays unknown: NULL and anything is NULL.
        changed["cost_microusd"] = runs.c.cost_microusd + step.cost_microusd
    connection.execute(update(runs).where(runs.c.id == step.run_id).values(changed))
