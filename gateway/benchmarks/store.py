"""The runs and results of benchmarks in the database, and what a run has cost by the ledger."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gateway.benchmarks.case_json import case_from_json, case_to_json
from gateway.benchmarks.record import Result, Run, Settings, Status
from gateway.storage.database import Database
from gateway.storage.tables import (
    benchmark_results,
    benchmark_runs,
    microseconds,
    moment,
    reservations,
)

_IN_DETAIL = ("detail", "route_id")


class BenchmarkStore:
    """Runs and results; whatever is added is written when the call returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, run: Run) -> None:
        row = {**_run_row(run), "settings": json.dumps(_settings_to_json(run.settings))}
        await self._database.write(
            lambda connection: connection.execute(insert(benchmark_runs), row)
        )

    async def change(
        self, run: Run, status: Status, *, ended: datetime | None, settings: Settings | None = None
    ) -> Run:
        changed = replace(run, status=status, ended=ended, settings=settings or run.settings)
        values = {**_run_row(changed), "settings": json.dumps(_settings_to_json(changed.settings))}
        statement = update(benchmark_runs).where(benchmark_runs.c.id == run.id).values(values)
        await self._database.write(lambda connection: connection.execute(statement))
        return changed

    async def save(self, result: Result) -> None:
        row = _result_row(result)
        await self._database.write(
            lambda connection: connection.execute(insert(benchmark_results), row)
        )

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

    async def held_microusd(self, run_id: str) -> int:
        """The worst cases of its calls that the ledger has not settled, also of dead processes."""
        return await self._database.read(lambda connection: _held(connection, run_id))

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


def _held(connection: Connection, run_id: str) -> int:
    statement = select(reservations.c.call, reservations.c.worst).where(
        reservations.c.call.contains(run_id, autoescape=True)
    )
    return sum(
        json.loads(row.worst)["microusd"] or 0
        for row in connection.execute(statement)
        if json.loads(row.call)["request_id"] == run_id
    )


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "caller": run.caller,
        "started": microseconds(run.started),
        "ended": None if run.ended is None else microseconds(run.ended),
        "status": run.status,
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
    )


def _settings_to_json(settings: Settings) -> Mapping[str, Any]:
    return {
        "cases": [case_to_json(case) for case in settings.cases],
        "models": list(settings.models),
        "attempts": settings.attempts,
        "parallel": settings.parallel,
        "budget_microusd": settings.budget_microusd,
        "judge": settings.judge,
    }


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
