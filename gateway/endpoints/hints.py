"""What a request tells the router beside its messages: by headers, or by a field of its body."""

from collections.abc import Mapping
from typing import Any, get_args

from gateway.errors import InvalidRequest
from gateway.llm.completion import Hints
from gateway.llm.policy import Context, Priority
from gateway.llm.task import TASKS
from gateway.text import shown

FIELD = "gateway"
_PREFIX = "x-gateway-"
_WORDS: Mapping[str, tuple[str, ...]] = {
    "task": TASKS,
    "context": get_args(Context),
    "priority": get_args(Priority),
}
_SWITCHES: Mapping[object, bool] = {True: True, False: False, "true": True, "false": False}
_NAMES = (*_WORDS, "complexity", "degrades")


def hints_of(headers: Mapping[str, str], field: object = None) -> Hints:
    """The body's own field wins over a header, which a client sets once for all its requests.

    Raises:
        InvalidRequest: naming the hint, and what it takes.
    """
    given = {name: headers[_PREFIX + name] for name in _NAMES if headers.get(_PREFIX + name)}
    hints: dict[str, Any] = {**given, **_fields(field)}
    for name, words in _WORDS.items():
        if name in hints and hints[name] not in words:
            raise _wrong(name, hints[name], takes=", ".join(words))
    if "complexity" in hints:
        hints["complexity"] = _complexity(hints["complexity"])
    if "degrades" in hints:
        hints["degrades"] = _degrades(hints["degrades"])
    return Hints(**hints)


def _fields(field: object) -> Mapping[str, Any]:
    if field is None:
        return {}
    if not isinstance(field, dict):
        raise InvalidRequest(f"{FIELD}: must be an object with any of {', '.join(_NAMES)}")
    for name in field:
        if name not in _NAMES:
            raise InvalidRequest(f"{FIELD}.{shown(name)}: unknown; it takes {', '.join(_NAMES)}")
    return {name: value for name, value in field.items() if value is not None}


def _degrades(value: object) -> bool:
    # 1 is true to Python, and no switch to anybody who writes JSON.
    if isinstance(value, bool | str) and value in _SWITCHES:
        return _SWITCHES[value]
    raise _wrong("degrades", value, takes="true or false")


def _complexity(value: object) -> float:
    try:
        # From a header it is text; a JSON true is no number, though Python takes it for one.
        complexity = float(value) if isinstance(value, str | int | float) else -1
    except (ValueError, OverflowError):
        complexity = -1
    if isinstance(value, bool) or not 0 <= complexity <= 1:
        raise _wrong("complexity", value, takes="a number from 0 to 1")
    return complexity


def _wrong(name: str, value: object, *, takes: str) -> InvalidRequest:
    return InvalidRequest(f"{_PREFIX}{name} is {shown(str(value))!r}; it takes {takes}")
