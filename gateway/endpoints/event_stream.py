"""What all our event streams share: their headers, and a proper end."""

from collections.abc import Mapping

from starlette.types import Message, Send

EVENT_STREAM_HEADERS: Mapping[str, str] = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class EventStream:
    """The sending side of a stream that must be ended even when the process shuts down around it.

    sse-starlette leaves without a last chunk then: clients see a broken answer, and uvicorn logs
    an error for each.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def send(self, message: Message) -> None:
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
