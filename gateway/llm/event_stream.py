"""The bytes of a stream, split into whole events as they arrive.

Bytes may be cut anywhere, also inside a character or between CR and LF.
"""

from typing import NamedTuple, Protocol

from gateway.errors import BadAnswer

MAX_EVENT_BYTES = 32 * 1024 * 1024  # an image that a model drew comes as one event

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_ENDS = b"\r\n"


class Event(NamedTuple):
    """One event: its data, and the name that the provider gave it, mostly none."""

    data: str
    name: str = ""


# The name of an event that is a whole JSON body where a stream was asked for.
BODY = "body"


class Splitter(Protocol):
    """Raises `BadAnswer` for an event that is larger than any answer can be."""

    def feed(self, data: bytes) -> list[Event]: ...

    def end(self) -> list[Event]: ...


class _Lines:
    """Whole lines without their ends, which are LF, CR or CRLF."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._is_after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        if self._is_after_cr and data:
            self._is_after_cr = False
            data = data.removeprefix(b"\n")
        if b"\n" not in data and b"\r" not in data:
            self._hold(data)
            return []
        lines = b"".join((*self._held, data)).splitlines()
        self._held, self._held_bytes = [], 0
        if data[-1] not in _LINE_ENDS:
            self._hold(lines.pop())
        self._is_after_cr = data.endswith(b"\r")
        return lines

    def end(self) -> list[bytes]:
        rest, self._held, self._held_bytes = b"".join(self._held), [], 0
        return [rest] if rest else []

    def _hold(self, data: bytes) -> None:
        self._held_bytes += len(data)
        if self._held_bytes > self._max_bytes:
            raise _too_large(self._max_bytes)
        self._held.append(data)


class JsonLines:
    """NDJSON: each line that is not blank is an event."""

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._lines = _Lines(max_bytes)

    def feed(self, data: bytes) -> list[Event]:
        return [Event(_text(line)) for line in self._lines.feed(data) if line.strip()]

    def end(self) -> list[Event]:
        return [Event(_text(line)) for line in self._lines.end() if line.strip()]


class ServerSentEvents:
    """Server-sent events, as https://html.spec.whatwg.org/#parsing-an-event-stream has them.

    Two things are more lenient, because providers need it: an event at the end counts without
    its blank line, and a body that is one JSON object is one event named `BODY`.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lines = _Lines(max_bytes)
        self._beginning: bytes | None = b""
        self._body: list[bytes] | None = None
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""

    def feed(self, data: bytes) -> list[Event]:
        if self._beginning is not None:
            data = self._begin(data)
        if self._body is not None:
            self._body.append(data)
            self._count(data)
            return []
        events: list[Event] = []
        for line in self._lines.feed(data):
            self._read(line, events)
        return events

    def end(self) -> list[Event]:
        if self._body is not None:
            return [Event(_text(b"".join(self._body)), BODY)]
        events: list[Event] = []
        for line in (*self._lines.end(), b""):
            self._read(line, events)
        return events

    def _begin(self, data: bytes) -> bytes:
        """Look at the first bytes, as many as it takes to know what follows."""
        data = (self._beginning or b"") + data
        start = data.removeprefix(_BYTE_ORDER_MARK)
        if len(start) == len(data) and _BYTE_ORDER_MARK.startswith(data):
            self._beginning = data
            return b""
        seen = start.lstrip()
        self._beginning = None if seen else data
        if seen.startswith((b"{", b"[")):
            self._body = []
        return start if seen else b""

    def _read(self, line: bytes, events: list[Event]) -> None:
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._count(value)
            self._data.append(value)
        elif not line:
            if self._data:
                events.append(Event(_text(b"\n".join(self._data)), self._name))
            self._data, self._data_bytes, self._name = [], 0, ""
        elif line.startswith(b"event:"):
            self._name = _text(line[6:].removeprefix(b" "))

    def _count(self, data: bytes) -> None:
        self._data_bytes += len(data)
        if self._data_bytes > self._max_bytes:
            raise _too_large(self._max_bytes)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _too_large(max_bytes: int) -> BadAnswer:
    return BadAnswer(f"an event of the answer has more than {max_bytes:,} bytes")
