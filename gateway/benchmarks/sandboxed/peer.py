"""Lets the tests use the code they test, though each lives in a process of its own.

Plain values go over by value, in a form that the receiver only reads: numbers, text, bytes, lists,
tuples, dicts and sets. All else stays where it is, and a `Remote` stands for it. So nothing of the
tests can be reached by the code, neither what they expect nor how they compare.
"""

import builtins
import json
import os
import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

MOST_BYTES = 4 * 1024 * 1024
_LISTS: dict[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
_OF_LISTS: dict[str, Callable[[Any], Any]] = {mark: kind for kind, mark in _LISTS.items()}
_MAPPINGS = (dict, Counter, OrderedDict, defaultdict)
_CHANGEABLE = (list, dict, set, bytearray)
_LONGEST_INTEGER = 2**63
# Raised by the tests' own iterators, these would end a loop as if all had been well.
_UNTRUSTED = ("StopIteration", "StopAsyncIteration")

Serve = Callable[[str, Any, list[Any]], Any]


class Remote:
    """Something of the other process; each use asks there."""

    __slots__ = ("_id", "_peer")

    def __init__(self, peer: "Peer", number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_id", number)

    def __call__(self, *args: Any, **named: Any) -> Any:
        *given, value = self._peer.ask("call", self, list(args), named)
        for mine, theirs in zip(args, given, strict=True):
            _change(mine, theirs)
        return value

    def __getattr__(self, name: str) -> Any:
        return self._peer.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.ask("set", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._peer.ask("item", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._peer.ask("set item", self, key, value)

    def __len__(self) -> int:
        return int(self._peer.ask("length", self))

    def __bool__(self) -> bool:
        return self._peer.ask("truth", self) is True

    def __str__(self) -> str:
        return str(self._peer.ask("text", self))

    def __repr__(self) -> str:
        return str(self._peer.ask("shown", self))

    def __iter__(self) -> Iterator[Any]:
        items = self._peer.ask("iterate", self)
        while found := self._peer.ask("next", items):
            yield found[0]

    def __next__(self) -> Any:
        if found := self._peer.ask("next", self):
            return found[0]
        raise StopIteration

    def __eq__(self, other: object) -> bool:
        """Only what both are there is compared there; to a value of ours nothing there is equal."""
        return isinstance(other, Remote) and self._peer.ask("equal", self, other) is True

    __hash__ = None  # type: ignore[assignment]  # it could not agree with ==


class Peer:
    """One end of a line between two processes; `serve` does what the other end asks."""

    def __init__(self, reads: int, writes: int, *, serve: Serve, lends: Callable[[Any], bool]):
        self._reads, self._writes = reads, writes
        self._serve = serve
        self._lends = lends
        self._lent: list[Any] = []

    def ask(self, what: str, of: Any, *args: Any) -> Any:
        """Meanwhile the other end may ask back."""
        self._send(["ask", what, self._packed([of, *args])])
        while True:
            kind, *message = self._received()
            if kind == "gives":
                return self._unpacked(message[0])
            if kind == "raises":
                raise _exception(str(message[0]))
            self._answer(*message)

    def serve_until_end(self) -> None:
        while True:
            try:
                _, *message = self._received()
            except EOFError:
                return
            self._answer(*message)

    def _answer(self, what: str, packed: Any) -> None:
        try:
            of, *args = self._unpacked(packed)
            answer = ["gives", self._packed(self._serve(what, of, args))]
        # Even sys.exit() is only an answer: the other end waits for one.
        except BaseException as error:
            answer = ["raises", _name(error)]
        self._send(answer)

    def _send(self, message: Any) -> None:
        raw = json.dumps(message).encode()
        if len(raw) > MOST_BYTES:
            raw = json.dumps(["raises", "OverflowError"]).encode()
        rest = memoryview(struct.pack("!I", len(raw)) + raw)
        while rest:
            rest = rest[os.write(self._writes, rest) :]

    def _received(self) -> Any:
        (length,) = struct.unpack("!I", self._read(4))
        if length > MOST_BYTES:
            raise EOFError
        return json.loads(self._read(length))

    def _read(self, count: int) -> bytes:
        raw = b""
        while len(raw) < count:
            chunk = os.read(self._reads, count - len(raw))
            if not chunk:
                raise EOFError
            raw += chunk
        return raw

    def _packed(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if isinstance(value, int):
            number = int(value)
            return number if abs(number) < _LONGEST_INTEGER else ["i", hex(number)]
        if isinstance(value, float | str):
            return float(value) if isinstance(value, float) else str.__str__(value)
        if kind is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return ["t", *map(self._packed, value)]
        if kind in _LISTS:
            return [_LISTS[kind], *map(self._packed, value)]
        if kind in _MAPPINGS:
            return ["d", *([self._packed(k), self._packed(v)] for k, v in dict.items(value))]
        if kind in (bytes, bytearray):
            return ["b" if kind is bytes else "B", value.hex()]
        if kind is complex:
            return ["c", value.real, value.imag]
        return self._lend(value)

    def _lend(self, value: Any) -> Any:
        if isinstance(value, Remote) and value._peer is self:
            return ["yours", value._id]
        if not self._lends(value):
            raise TypeError(f"a {type(value).__name__} cannot be passed to the code")
        self._lent.append(value)
        return ["mine", len(self._lent) - 1]

    def _unpacked(self, packed: Any) -> Any:
        if not isinstance(packed, list):
            return packed
        mark, *parts = packed
        if mark in _OF_LISTS:
            return _OF_LISTS[mark](map(self._unpacked, parts))
        if mark == "d":
            return {self._unpacked(key): self._unpacked(value) for key, value in parts}
        return self._single(mark, *parts)

    def _single(self, mark: str, value: Any, imaginary: float = 0.0) -> Any:
        match mark:
            case "i":
                return int(value, 16)
            case "b":
                return bytes.fromhex(value)
            case "B":
                return bytearray.fromhex(value)
            case "c":
                return complex(value, imaginary)
            case "mine":
                return Remote(self, int(value))
        return self._lent[int(value)]


def _change(mine: Any, theirs: Any) -> None:
    """What the code did to a list that it was given is done to ours."""
    if type(mine) not in _CHANGEABLE or type(theirs) is not type(mine):
        return
    if isinstance(mine, list | bytearray):
        mine[:] = theirs
        return
    mine.clear()
    mine.update(theirs)


def _name(error: BaseException) -> str:
    """Of the nearest exception that Python itself knows."""
    if isinstance(error, Exception):
        known = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
        return next(known)
    return type(error).__name__ if type(error).__module__ == "builtins" else "BaseException"


def _exception(name: str) -> Exception:
    kind: Any = getattr(builtins, name, None)
    is_safe = isinstance(kind, type) and issubclass(kind, Exception) and name not in _UNTRUSTED
    try:
        return kind(f"the code raised {name}") if is_safe else RuntimeError("the code raised")
    except TypeError:  # UnicodeDecodeError and its like take more
        return RuntimeError("the code raised")
