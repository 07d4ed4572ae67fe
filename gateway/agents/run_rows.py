"""Runs and steps as rows: how they are written, and read again."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from gateway.agents.run import Run, Step
from gateway.agents.storable import storable
from gateway.storage.agent_tables import agent_runs, agent_steps
from gateway.storage.statement import Row
from gateway.storage.tables import microseconds, moment

_RUN = tuple(one.name for one in fields(Run))
_STEP = tuple(one.name for one in fields(Step))
RUN_COLUMNS = tuple(agent_runs.c[name] for name in _RUN)
STEP_COLUMNS = tuple(agent_steps.c[name] for name in _STEP)
_TIMES = ("created", "started", "ended", "began")
_JSON = ("asked", "answer")


def run_of(row: Row) -> Run:
    return Run(**_read(_RUN, row))


def step_of(row: Row) -> Step:
    return Step(**_read(_STEP, row))


def run_row(run: Run) -> dict[str, Any]:
    return written({name: getattr(run, name) for name in _RUN})


def step_row(step: Step) -> dict[str, Any]:
    return written({name: getattr(step, name) for name in _STEP})


def written(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of columns by their names, as a database takes them."""
    return {name: _written(value) for name, value in values.items()}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return microseconds(value)
    if isinstance(value, Mapping):
        # Half characters stay escaped, and NUL with them: no database takes these.
        return json.dumps(value)
    return storable(value) if isinstance(value, str) else value


def _read(names: tuple[str, ...], row: Row) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in zip(names, row, strict=True)}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return moment(value)
    return json.loads(value) if name in _JSON else value
