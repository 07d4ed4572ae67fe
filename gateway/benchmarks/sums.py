"""Sums over the results of many runs, made by the database: lists need no result themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from gateway.benchmarks.record import ANSWERED
from gateway.storage.tables import benchmark_results

_COLUMNS = benchmark_results.c


@dataclass(frozen=True, slots=True)
class Count:
    done: int = 0
    failed: int = 0


def counts(connection: Connection, run_ids: Sequence[str]) -> Mapping[str, Count]:
    """By run; one without a result is not there."""
    failed = func.sum(case((_COLUMNS.outcome == ANSWERED, 0), else_=1))
    statement = (
        select(_COLUMNS.run_id, func.count().label("done"), failed.label("failed"))
        .where(_COLUMNS.run_id.in_(run_ids))
        .group_by(_COLUMNS.run_id)
    )
    return {
        row.run_id: Count(int(row.done), int(row.failed)) for row in connection.execute(statement)
    }


def qualities(connection: Connection, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """By run and model, the mean over its cases, of which each counts once."""
    of_case = (
        select(_COLUMNS.run_id, _COLUMNS.model, func.avg(_COLUMNS.quality).label("quality"))
        .where(_COLUMNS.run_id.in_(run_ids), _COLUMNS.quality.is_not(None))
        .group_by(_COLUMNS.run_id, _COLUMNS.model, _COLUMNS.case_id)
        .subquery()
    )
    statement = select(
        of_case.c.run_id, of_case.c.model, func.avg(of_case.c.quality).label("quality")
    ).group_by(of_case.c.run_id, of_case.c.model)
    by_run: dict[str, dict[str, float]] = {}
    for row in connection.execute(statement):
        by_run.setdefault(row.run_id, {})[row.model] = float(row.quality)
    return by_run
