"""One kept-alive HTTP connection that only posts JSON, as cheap as a client can be."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self


class RawPost:
    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()

    async def post(self, path: str, message: Any) -> tuple[int, bytes]:
        """Status and body of the answer, which has to say its length."""
        body = json.dumps(message).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        return int(answer[9:12]), await self._reader.readexactly(int(length or 0))
