"""Cases as JSON and back, so that a run can go on though the file of its suite has changed."""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from json import dumps
from typing import Any, get_args

from gateway.benchmarks.case import Case, Check

_CHECKS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Check)}


def case_to_json(case: Case) -> dict[str, Any]:
    told = asdict(case)
    return {**told, "check": {"kind": type(case.check).__name__, **told["check"]}}


def case_from_json(told: Mapping[str, Any]) -> Case:
    """Raises:
    KeyError, TypeError: a newer gateway has written it.
    """
    check = dict(told["check"])
    kind = _CHECKS[check.pop("kind")]
    return Case(**{**told, "check": kind(**{name: _settled(check[name]) for name in check})})


def digest(case: Case) -> str:
    """Cases with the same digest ask the same, and judge alike."""
    return sha256(dumps(case_to_json(case), sort_keys=True).encode()).hexdigest()[:16]


def _settled(value: object) -> object:
    """Lists of a check are tuples, but those within a schema, which stay as JSON has them."""
    return tuple(value) if isinstance(value, list) else value
