"""One MCP session over SSE, as cheap as a client can be, so that a benchmark times the server."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.load.raw_http import RawPost

ANSWER_SECONDS = 30


class SseSession:
    """Two raw connections: the stream that answers come on, and one that messages are posted on."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._path = address.path
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0

    async def __aenter__(self) -> Self:
        self._stream, self._stream_writer = await asyncio.open_connection(self._host, self._port)
        head = (
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nAccept: text/event-stream\r\n\r\n"
        )
        self._stream_writer.write(head.encode())
        self._messages_path = await self._endpoint()
        self._posts = await RawPost(self._host, self._port).__aenter__()
        self._listening = asyncio.create_task(self._listen(), name="listen to the stream")
        await self._initialize()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._posts.__aexit__(kind, error, traceback)
        self._stream_writer.close()

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        """The result of one call.

        Raises:
            RuntimeError: the server answered with an error, or the tool did.
        """
        answer = await self._request("tools/call", {"name": tool, "arguments": arguments})
        if "error" in answer or answer["result"].get("isError"):
            raise RuntimeError(str(answer)[:300])
        return answer["result"]

    async def _initialize(self) -> None:
        client = {"name": "benchmark", "version": "1"}
        await self._request(
            "initialize",
            {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client},
        )
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def _request(self, method: str, params: dict[str, Any]) -> Any:
        self._last_id += 1
        answer = self._answers[self._last_id] = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        await self._post(message)
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer

    async def _post(self, message: dict[str, Any]) -> None:
        status, body = await self._posts.post(self._messages_path, message)
        if status != 202:
            raise RuntimeError(f"{status} {body.decode()}")

    async def _endpoint(self) -> str:
        while True:
            line = (await self._stream.readline()).decode().strip()
            if line.startswith("data: /"):
                return line.removeprefix("data: ")
            if not line and self._stream.at_eof():
                raise RuntimeError("the stream ended before it said where to post")

    async def _listen(self) -> None:
        while line := await self._stream.readline():
            if line.startswith(b"data: {"):
                answer = json.loads(line[6:])
                waiting = self._answers.pop(answer.get("id"), None)
                if waiting and not waiting.done():
                    waiting.set_result(answer)
