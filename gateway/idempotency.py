"""The key of the call that is being made: who sees it a second time does the work only once."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "idempotency-key"

_current: ContextVar[str | None] = ContextVar("idempotency_key", default=None)


@contextmanager
def keyed(key: str | None) -> Iterator[None]:
    """Calls in this block, and in the tasks that it starts, are made under this key."""
    token = _current.set(key)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> str | None:
    """None where nobody gave one: then every call is a call of its own."""
    return _current.get()
