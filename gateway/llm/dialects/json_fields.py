"""Fields of a caller's JSON, each named in the error by the way to it."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from gateway.errors import InvalidRequest
from gateway.llm.messages import Json
from gateway.text import shown

T = TypeVar("T")

# Far more than any schema has, and far less than what Python can walk through.
MOST_LEVELS = 100


class Fields:
    """One object; what was not taken when it has been read is `rest`.

    A field that is null counts as missing, as with OpenAI.
    """

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        self._left = {
            name: inner for name, inner in as_object(value, where).items() if inner is not None
        }

    @property
    def rest(self) -> dict[str, Any]:
        return self._left

    def has(self, name: str) -> bool:
        return name in self._left

    def path(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def take(self, name: str) -> Any:
        return self._left.pop(name, None)

    def read(self, name: str, kind: Callable[[object, str], T]) -> T | None:
        value = self._left.pop(name, None)
        return None if value is None else kind(value, self.path(name))

    def need(self, name: str, kind: Callable[[object, str], T], *, is_what: str) -> T:
        if name not in self._left:
            raise InvalidRequest(f"{self.path(name)}: is missing; it is {is_what}")
        return kind(self._left.pop(name), self.path(name))


def bounded(body: object) -> object:
    """The body, unless it is nested so deeply that walking through it would fail."""
    level = [body]
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return body
    raise InvalidRequest(f"the body: must not be nested more than {MOST_LEVELS} levels deep")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def as_object(value: object, where: str) -> Json:
    if not isinstance(value, Mapping):
        raise wrong(value, where, "an object")
    return value


def as_list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise wrong(value, where, "a list")
    return value


def as_text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise wrong(value, where, "a string")
    return value


def as_name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong(value, where, "a string that is not empty")
    return value


def as_flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(value, where, "true or false")
    return value


def as_number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong(value, where, "a number")
    return value


def as_count(value: object, where: str) -> int:
    if isinstance(value, float) and value.is_integer():  # as some languages write a whole number
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise wrong(value, where, "a whole number from 1 on")
    return value


def wrong(value: object, where: str, wanted: str) -> InvalidRequest:
    return InvalidRequest(f"{where or 'the body'}: must be {wanted}, not {said(value)}")


def said(value: object) -> str:
    """A value as an error may repeat it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(shown(value))
        case float():
            return repr(value)
        case int():  # Python refuses to write one of thousands of digits
            return str(value) if abs(value) < 10**20 else "so large a number"
        case list():
            return "a list"
    return "an object"
