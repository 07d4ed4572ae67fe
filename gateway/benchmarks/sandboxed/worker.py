"""The process in which the code lives that is tested; it never sees the tests."""

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from gateway.benchmarks.sandboxed.peer import Peer
from gateway.benchmarks.sandboxed.source import chosen

_MODULE = "answer"
_CHANGEABLE = (list, dict, set, bytearray)


def work(reads: int, writes: int) -> None:
    """Until the other end of the pipes is gone."""
    Peer(reads, writes, serve=_serve, lends=lambda _: True).serve_until_end()


def _serve(what: str, of: Any, args: list[Any]) -> Any:
    return _DEEDS[what](of, *args)


def _load(sources: list[str], names: list[str]) -> dict[str, Any]:
    """What the code defines, by its names."""
    code = chosen(sources, names)
    module = ModuleType(_MODULE)
    # Dataclasses and pickle look their own module up.
    sys.modules[_MODULE] = module
    exec(compile(code, f"<{_MODULE}>", "exec"), module.__dict__)
    return {
        name: value
        for name, value in module.__dict__.items()
        if not name.startswith("__") and not isinstance(value, ModuleType)
    }


def _call(of: Any, args: list[Any], named: dict[str, Any]) -> list[Any]:
    """What the lists and dicts that it was given have become, and what it gave."""
    value = of(*args, **named)
    return [*(one if type(one) in _CHANGEABLE else None for one in args), value]


def _next(of: Any) -> tuple[Any, ...]:
    for found in of:
        return (found,)
    return ()


def _set(of: Any, name: str, value: Any) -> None:
    setattr(of, name, value)


def _set_item(of: Any, key: Any, value: Any) -> None:
    of[key] = value


_DEEDS: Mapping[str, Callable[..., Any]] = {
    "load": _load,
    "call": _call,
    "get": getattr,
    "set": _set,
    "item": lambda of, key: of[key],
    "set item": _set_item,
    "length": len,
    "truth": bool,
    "text": str,
    "shown": repr,
    "iterate": iter,
    "next": _next,
    "equal": lambda of, other: bool(of == other),
}
