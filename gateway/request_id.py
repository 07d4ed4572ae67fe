"""The ID of the request that is being answered, in our log and in those of its services."""

import re
from contextvars import ContextVar
from uuid import uuid4

HEADER = "x-request-id"

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
# By it the ledger knows what a benchmark has cost: nobody else's calls may bear it.
_OF_A_RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]+")
_current: ContextVar[str] = ContextVar("request_id")


def begin(given: str | None = None) -> str:
    """Begin a request, under the ID that a proxy gave it when that is well formed."""
    request_id = given if given and _may_be_given(given) else uuid4().hex
    _current.set(request_id)
    return request_id


def begin_run(run_id: str) -> None:
    """Make calls for a benchmark from here on, in this task."""
    _current.set(run_id)


def current() -> str:
    """The ID of the request that is being answered; outside of one, a new ID."""
    return _current.get(None) or uuid4().hex


def _may_be_given(request_id: str) -> bool:
    return bool(_WELL_FORMED.fullmatch(request_id)) and not _OF_A_RUN.fullmatch(request_id)
