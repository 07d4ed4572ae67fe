"""The runs and results of benchmarks in the database, and what a run has cost by the ledger."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.benchmarks import sums
from gateway.benchmarks.case_json import case_from_json, case_to_json
from gateway.benchmarks.lease import is_free
from gateway.benchmarks.record import PASSING, Result, Run, Settings, Status
from gateway.storage.database import Database
from gateway.storage.tables import (
    benchmark_results,
    benchmark_runs,
    microseconds,
    moment,
    reservations,
)

_IN_DETAIL = ("detail", "route_id")
_KEY = ("run_id", "case_id", "model", "attempt")
# In one go; what is left goes with the next run.
_MOST_PRUNED = 50


class BenchmarkStore:
    """Runs and results; whatever is added is written when the call returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, run: Run, *, most: int, oldest_beat: int) -> None:
        """Keep it, and of its caller's others the latest: `most` in all, and those that go on."""

        def write(connection: Connection) -> None:
            connection.execute(benchmark_runs.insert(), _run_row(run))
            _prune(connection, run.caller, most=most, oldest_beat=oldest_beat)

        await self._database.write(write)

    async def change(
        self, run: Run, status: Status, *, ended: datetime | None, settings: Settings | None = None
    ) -> Run:
        """Of a run that nothing carries out."""
        changed = replace(run, status=status, ended=ended, settings=settings or run.settings)
        await self._update(changed, carrier=None)
        return changed

    async def leave(
        self, run: Run, status: Status, *, ended: datetime, spent_microusd: int | None, holder: str
    ) -> None:
        """Of a run that this holder carried out; nothing, if another one does now."""
        changed = replace(run, status=status, ended=ended, spent_microusd=spent_microusd)
        await self._update(changed, carrier=holder)

    async def save(self, result: Result) -> bool:
        """Whether it is new; it takes the place of an outage, and of no other result."""
        row = _result_row(result)
        return await self._database.write(lambda connection: _save(connection, row))

    async def run(self, run_id: str) -> Run | None:
        found = await self._runs(run_id=run_id, most=1)
        return found[0] if found else None

    async def runs(self, most: int, *, caller: str | None = None) -> Sequence[Run]:
        """The latest first; those of one caller, if it is given."""
        return await self._runs(most=most, caller=caller)

    async def results(self, *run_ids: str) -> Sequence[Result]:
        """In the order in which they came."""
        statement = (
            select(benchmark_results)
            .where(benchmark_results.c.run_id.in_(run_ids))
            .order_by(benchmark_results.c.time, benchmark_results.c.attempt)
        )
        return await self._database.read(
            lambda connection: [_result(row) for row in connection.execute(statement)]
        )

    async def counts(self, *run_ids: str) -> Mapping[str, sums.Count]:
        return await self._database.read(lambda connection: sums.counts(connection, run_ids))

    async def qualities(self, *run_ids: str) -> Mapping[str, Mapping[str, float]]:
        return await self._database.read(lambda connection: sums.qualities(connection, run_ids))

    async def held_microusd(self, run: Run) -> int:
        """The worst cases of its calls that the ledger has not settled, also of dead processes."""
        return await self._database.read(lambda connection: _held(connection, run))

    async def _update(self, run: Run, *, carrier: str | None) -> None:
        columns = benchmark_runs.c
        statement = (
            update(benchmark_runs)
            .where(columns.id == run.id, columns.carrier.is_not_distinct_from(carrier))
            .values({**_run_row(run), "carrier": None})
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def _runs(
        self, *, most: int, run_id: str | None = None, caller: str | None = None
    ) -> Sequence[Run]:
        columns = benchmark_runs.c
        statement = select(benchmark_runs).order_by(columns.started.desc(), columns.id.desc())
        if run_id is not None:
            statement = statement.where(columns.id == run_id)
        if caller is not None:
            statement = statement.where(columns.caller == caller)
        return await self._database.read(
            lambda connection: [_run(row) for row in connection.execute(statement.limit(most))]
        )


def _prune(connection: Connection, caller: str, *, most: int, oldest_beat: int) -> None:
    columns = benchmark_runs.c
    latest = (
        select(columns.id)
        .where(columns.caller == caller)
        .order_by(columns.started.desc(), columns.id.desc())
        .offset(most)
        .limit(_MOST_PRUNED)
    )
    old = list(connection.execute(latest.where(is_free(oldest_beat))).scalars())
    if old:
        connection.execute(delete(benchmark_results).where(benchmark_results.c.run_id.in_(old)))
        connection.execute(delete(benchmark_runs).where(columns.id.in_(old)))


def _save(connection: Connection, row: Mapping[str, Any]) -> bool:
    columns = benchmark_results.c
    same = [columns[name] == row[name] for name in _KEY]
    has_no_grade = (columns.is_opinion == 1) & columns.quality.is_(None)
    passing = or_(columns.outcome.in_(PASSING), has_no_grade)
    connection.execute(delete(benchmark_results).where(*same, passing))
    dialects = {"postgresql": postgresql, "sqlite": sqlite}
    insert = dialects[connection.dialect.name].insert
    statement = insert(benchmark_results).values(row).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount)


def _held(connection: Connection, run: Run) -> int:
    statement = select(reservations.c.call, reservations.c.worst).where(
        reservations.c.call.contains(run.id, autoescape=True)
    )
    mine = {"request_id": run.id, "caller": run.caller}
    return sum(
        json.loads(row.worst)["microusd"] or 0
        for row in connection.execute(statement)
        if mine.items() <= json.loads(row.call).items()
    )


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "caller": run.caller,
        "started": microseconds(run.started),
        "ended": None if run.ended is None else microseconds(run.ended),
        "status": run.status,
        "settings": settings_text(run.settings),
        "is_owners": int(run.is_owners),
        "spent_microusd": run.spent_microusd,
    }


def _run(row: Row[Any]) -> Run:
    return Run(
        row.id,
        row.name,
        row.caller,
        moment(row.started),
        None if row.ended is None else moment(row.ended),
        row.status,
        _settings_from_json(json.loads(row.settings)),
        bool(row.is_owners),
        row.spent_microusd,
    )


def settings_text(settings: Settings) -> str:
    """As it is kept."""
    told = {
        "cases": [case_to_json(case) for case in settings.cases],
        "models": list(settings.models),
        "attempts": settings.attempts,
        "parallel": settings.parallel,
        "budget_microusd": settings.budget_microusd,
        "judge": settings.judge,
    }
    return json.dumps(told)


def _settings_from_json(told: Mapping[str, Any]) -> Settings:
    cases = tuple(case_from_json(case) for case in told["cases"])
    return Settings(**{**told, "cases": cases, "models": tuple(told["models"])})


def _result_row(result: Result) -> dict[str, Any]:
    values = {name: getattr(result, name) for name in Result.__dataclass_fields__}
    more = {name: values.pop(name) for name in _IN_DETAIL}
    return {
        **values,
        "time": microseconds(result.time),
        "is_opinion": int(result.is_opinion),
        "detail": json.dumps(more),
    }


def _result(row: Row[Any]) -> Result:
    values = {**row._mapping, **json.loads(row.detail)}
    return Result(**{**values, "time": moment(row.time), "is_opinion": bool(row.is_opinion)})
