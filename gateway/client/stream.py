"""An answer that is read while it is written."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx

from gateway.client.answers import Json, Reply, chat_reply
from gateway.client.events import BY_NAME, Event
from gateway.client.problems import error_of, translated
from gateway.errors import BadAnswer

_DATA = "data:"
_NAME = "event:"
_DONE = "[DONE]"


class Gathering:
    """Puts the events of a stream together, as they come."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._last: Json = {}
        self._pieces: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish_reason: str | None = None
        # Of the event whose lines are being read; standard chunks have none.
        self._name = ""
        self.is_done = False

    def read(self, line: str) -> Event:
        """What a line adds: text, which may be empty, or what happens to a tool.

        Raises:
            GatewayError: the line says that the answer failed.
        """
        if line.startswith(_NAME):
            self._name = line.removeprefix(_NAME).strip()
        elif not line:
            self._name = ""
        if not line.startswith(_DATA):
            return ""
        data = line.removeprefix(_DATA).strip()
        if data == _DONE:
            self.is_done = True
            return ""
        event = json.loads(data)
        if self._name:
            return BY_NAME[self._name](event) if self._name in BY_NAME else ""
        return self._chunk(event)

    def _chunk(self, event: Json) -> str:
        if "error" in event:
            raise error_of(event, 502, {})
        self._last = {**self._last, **event}
        return "".join(self._add(choice) for choice in event["choices"] if choice["index"] == 0)

    @property
    def reply(self) -> Reply:
        """Raises:
        BadAnswer: the stream ended before the answer did.
        """
        if not self.is_done:
            raise BadAnswer("the answer broke off; iterate over it to its end")
        message = {
            "role": "assistant",
            "content": "".join(self._pieces),
            "tool_calls": [call for _, call in sorted(self._calls.items())],
        }
        choice = {"index": 0, "message": message, "finish_reason": self._finish_reason}
        return chat_reply({**self._last, "choices": [choice]}, self._headers)

    def _add(self, choice: Json) -> str:
        delta = choice["delta"]
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        for piece in delta.get("tool_calls") or ():
            self._add_call(piece)
        text: str = delta.get("content") or ""
        self._pieces.append(text)
        return text

    def _add_call(self, piece: Json) -> None:
        call = self._calls.setdefault(
            piece["index"], {"id": "", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = piece.get("id") or call["id"]
        for name, text in (piece.get("function") or {}).items():
            call["function"][name] += text


class Stream:
    """Iterate over its pieces of text, or over its `events`, once; then `reply` is the whole.

    The text of an answer in which tools ran is what the model said before, between and after.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self._gathering = Gathering(answer.headers)

    @property
    def reply(self) -> Reply:
        """Raises:
        BadAnswer: it was not read to its end, or broke off.
        """
        return self._gathering.reply

    def __iter__(self) -> Iterator[str]:
        return (event for event in self.events() if isinstance(event, str))

    def events(self) -> Iterator[Event]:
        """Pieces of text, and between them each call of a tool as it begins and ends."""
        lines = self._answer.iter_lines()
        while (line := _next(lines)) is not None:
            if event := self._gathering.read(line):
                yield event
        _ = self.reply


class AsyncStream:
    """As `Stream`, with `async for`."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self._gathering = Gathering(answer.headers)

    @property
    def reply(self) -> Reply:
        """Raises:
        BadAnswer: it was not read to its end, or broke off.
        """
        return self._gathering.reply

    async def __aiter__(self) -> AsyncIterator[str]:
        async for event in self.events():
            if isinstance(event, str):
                yield event

    async def events(self) -> AsyncIterator[Event]:
        """Pieces of text, and between them each call of a tool as it begins and ends."""
        lines = self._answer.aiter_lines()
        while (line := await _anext(lines)) is not None:
            if event := self._gathering.read(line):
                yield event
        _ = self.reply


def _next(lines: Iterator[str]) -> str | None:
    # What the caller does with a line is not translated, only how it came.
    with translated():
        return next(lines, None)


async def _anext(lines: AsyncIterator[str]) -> str | None:
    with translated():
        return await anext(lines, None)
