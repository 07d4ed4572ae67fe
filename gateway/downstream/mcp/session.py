"""One conversation with an MCP server: requests and their answers, progress, cancellation."""

import asyncio
import itertools
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway import idempotency
from gateway.downstream.backoff import Backoff
from gateway.downstream.mcp.envelope import Era, HandshakeEra, ModernEra
from gateway.downstream.mcp.link import Link, Outgoing
from gateway.downstream.mcp.messages import (
    IDEMPOTENCY_KEY,
    MAX_MESSAGE_BYTES,
    MAX_PAGES,
    MAX_TOOLS,
    METHOD_NOT_FOUND,
    Garbled,
    Json,
    ListedTool,
    Lost,
    McpAnswer,
    RpcError,
    Trouble,
    read_answer,
    read_tools,
)
from gateway.downstream.mcp.progress import OnProgress, Progress
from gateway.downstream.payload import decode, encode

logger = logging.getLogger(__name__)

# Of what nobody asked for, since the last answer: noise, notifications, answers to nothing.
MAX_UNASKED_BYTES = 4 * MAX_MESSAGE_BYTES
MOST_LEFT_OUT = 5  # tools that are told of
COURTESY_SECONDS = 2.0
MAX_COURTESIES = 64
# The specification forbids to cancel these.
_INTRODUCTIONS = ("initialize", "server/discover")
_BACKOFF = Backoff(first_seconds=0.5, most_seconds=60)
_NOBODY = (None, None)
_ID = re.compile(rb'"id"\s*:\s*(\d{1,15})\b')


class Session:
    """Answers find their requests by number, so that many calls share one connection.

    `on_tools_changed` is called when the server says so; `on_doubt`, when the link has reason to
    think that the server is another one by now. `ended` is done, with the reason, once nothing
    will come any more.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        *,
        on_tools_changed: Callable[[], None],
        on_doubt: Callable[[], None],
    ) -> None:
        self.version: str | None = None
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._name = name
        self._link = link
        self._on_tools_changed = on_tools_changed
        self._on_doubt = on_doubt
        self._era: Era = HandshakeEra()
        self._ids = itertools.count(1)
        self._pending: dict[int, tuple[asyncio.Future[Any], Progress | None]] = {}
        self._unasked_bytes = 0
        self._left_out: Sequence[str] = ()
        self._courtesies: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connects and agrees on a version of the protocol.

        Raises:
            Trouble: the server is not there, or is no MCP server that we understand.
        """
        await self._link.open(self)
        try:
            result = await self.request("initialize", self._era.introduction())
            self._era.adopt(result)
            await self._send({"method": "notifications/initialized"})
        except RpcError as error:
            # Servers of the newest version know no handshake; older ones all have it.
            self._era = ModernEra.after(error)
            self._era.adopt(await self.request("server/discover", {}))
        self.version = self._era.server_version
        self._link.listen()
        self._watch_tools()

    async def close(self) -> None:
        for task in self._courtesies:
            task.cancel()
        await asyncio.gather(*self._courtesies, return_exceptions=True)
        self.end("the gateway closed the connection")
        await self._link.close()

    async def tools(self) -> Sequence[ListedTool]:
        """All pages of them, as far as anybody could use so many.

        Raises:
            Trouble: they cannot be listed.
        """
        tools: dict[str, ListedTool] = {}
        left_out: list[str] = []
        seen: set[str] = set()
        parameters: Json = {}
        for _ in range(MAX_PAGES):
            result = await self.request("tools/list", parameters)
            page, cursor = result.get("tools"), result.get("nextCursor")
            if not isinstance(page, list):
                raise Garbled("sent a list of tools that is none")
            # Read page by page: what is left out of one is not kept until the last.
            read, strange = read_tools(page)
            left_out += strange[:MOST_LEFT_OUT]
            for tool in read:
                tools.setdefault(tool.name, tool)
            if not isinstance(cursor, str) or cursor in seen or len(tools) > MAX_TOOLS:
                break
            seen.add(cursor)
            parameters = {"cursor": cursor}
        if len(tools) > MAX_TOOLS:
            logger.warning(
                "mcp=%s lists more than %d tools; the first count", self._name, MAX_TOOLS
            )
        self._tell_of(left_out[:MOST_LEFT_OUT])
        first = tuple(tools.values())[:MAX_TOOLS]
        self._era.learn({tool.name: tool.input_schema for tool in first})
        return first

    def _tell_of(self, left_out: Sequence[str]) -> None:
        """Once for each list: it is asked for every minute, and may have thousands of them."""
        if left_out and left_out != self._left_out:
            logger.warning("mcp=%s left out tools: %s", self._name, "; ".join(left_out))
        self._left_out = left_out

    async def call(
        self, tool: str, arguments: Json, *, on_progress: OnProgress | None = None
    ) -> McpAnswer:
        """Under the `idempotency` key of whoever calls.

        Raises:
            Trouble: there is no answer.
        """
        parameters = {"name": tool, "arguments": arguments}
        key = idempotency.current()
        meta = {IDEMPOTENCY_KEY: key} if key else {}
        result = await self.request("tools/call", parameters, meta=meta, on_progress=on_progress)
        return read_answer(result)

    async def request(
        self,
        method: str,
        parameters: Json,
        *,
        meta: Json | None = None,
        on_progress: OnProgress | None = None,
    ) -> Json:
        """Without a deadline of its own; whoever stops waiting cancels it at the server too.

        Raises:
            Trouble: there is no answer.
        """
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        progress = Progress(on_progress) if on_progress else None
        token = {"progressToken": number} if progress else {}
        message = {
            "id": number,
            "method": method,
            "params": self._era.enveloped(parameters, {**(meta or {}), **token}),
        }
        self._pending[number] = answer, progress
        try:
            result = await self._exchange(message, answer)
            if progress:
                await progress.told()
        except asyncio.CancelledError:
            if method not in _INTRODUCTIONS:
                self._courteously(_cancellation(number))
            raise
        finally:
            del self._pending[number]
            if progress:
                progress.close()
        if not isinstance(result, Mapping):
            raise Garbled("sent a result that is not an object")
        return result

    async def _exchange(self, message: Json, answer: asyncio.Future[Any]) -> Any:
        """The answer, as soon as it is there: nobody reads what a server sends after it."""
        sending = asyncio.create_task(self._send(message, answer=answer), name="mcp request")
        try:
            await asyncio.wait({sending, answer}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                sending.result()
            return await answer
        finally:
            sending.cancel()
            answer.cancel()
            await asyncio.gather(sending, answer, return_exceptions=True)

    def heard(self, size: int) -> None:
        self._unasked_bytes += size
        if self._unasked_bytes > MAX_UNASKED_BYTES:
            self.end("it floods the gateway with what nobody asked for")

    def take(self, raw: bytes) -> None:
        try:
            value = decode(raw)
        except ValueError:
            logger.debug("mcp=%s sent %d bytes that are no message", self._name, len(raw))
            return
        # Servers of 2025-03-26 may send several at once.
        for message in value if isinstance(value, list) else (value,):
            if isinstance(message, dict):
                self._take(message)

    def take_beginning(self, raw: bytes) -> None:
        number = _ID.search(raw)
        answer, _ = self._waiting(int(number[1]) if number else None)
        if answer and not answer.done():
            limit = MAX_MESSAGE_BYTES // (1024 * 1024)
            answer.set_exception(Garbled(f"sent an answer of more than {limit} MiB"))

    def doubt(self) -> None:
        self._on_doubt()

    def end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
        for answer, _ in self._pending.values():
            if not answer.done():
                answer.set_exception(Lost(reason))

    def _take(self, message: Mapping[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if isinstance(method, str):
            if number is None:
                self._notice(method, message.get("params"))
            else:
                self._reply(method, number)
            return
        answer, _ = self._waiting(number)
        if answer is None or answer.done():
            return
        self._unasked_bytes = 0
        if "error" in message:
            answer.set_exception(RpcError.read(message["error"]))
        else:
            answer.set_result(message.get("result"))

    def _waiting(self, number: Any) -> tuple[asyncio.Future[Any] | None, Progress | None]:
        """Who waits for the answer of that number; an ID that is not ours is nobody's."""
        is_ours = isinstance(number, int) and not isinstance(number, bool)
        return self._pending.get(number, _NOBODY) if is_ours else _NOBODY

    def _notice(self, method: str, parameters: Any) -> None:
        if method == "notifications/tools/list_changed":
            self._on_tools_changed()
        if method != "notifications/progress" or not isinstance(parameters, Mapping):
            return
        token = parameters.get("progressToken")
        _, progress = self._waiting(token)
        if progress:
            progress.take(parameters)

    def _reply(self, method: str, number: Any) -> None:
        """Servers may ask whether we are there; whatever else they ask, nobody here answers."""
        if method == "ping":
            self._courteously({"id": number, "result": {}})
            return
        error = {"code": METHOD_NOT_FOUND, "message": "this client does not do that"}
        self._courteously({"id": number, "error": error})

    def _courteously(self, message: Json) -> None:
        """Sent beside everything else; a server that does not take it has lost it."""
        if len(self._courtesies) >= MAX_COURTESIES or self.ended.done():
            return
        task = asyncio.create_task(self._send_or_not(message), name=f"courtesy to {self._name}")
        self._courtesies.add(task)
        task.add_done_callback(self._courtesies.discard)

    async def _send_or_not(self, message: Json) -> None:
        try:
            async with asyncio.timeout(COURTESY_SECONDS):
                await self._send(message)
        except (Trouble, TimeoutError) as error:
            logger.debug("mcp=%s did not take a notification: %s", self._name, error)

    def _watch_tools(self) -> None:
        """Where changes are not told without being asked for, one long request asks for them."""
        if not self._era.must_subscribe:
            return
        wanted = {"notifications": {"toolsListChanged": True}}
        task = asyncio.create_task(self._subscribed(wanted), name=f"watch tools of {self._name}")
        self._courtesies.add(task)
        task.add_done_callback(self._courtesies.discard)

    async def _subscribed(self, wanted: Json) -> None:
        """A server may end it whenever it likes; one that refuses is asked no more."""
        failures = 0
        while not self.ended.done():
            try:
                await self.request("subscriptions/listen", wanted)
            except RpcError as error:
                logger.debug("mcp=%s does not tell of changes: %s", self._name, error)
                return
            except Trouble:
                self._on_doubt()
            failures += 1
            await asyncio.sleep(_BACKOFF.pause_seconds(failures))

    async def _send(self, message: Json, *, answer: asyncio.Future[Any] | None = None) -> None:
        if self.ended.done():
            raise Lost(self.ended.result())
        try:
            raw = encode({"jsonrpc": "2.0", **message})
        except ValueError as error:
            raise RpcError(-32602, f"the arguments are not JSON: {error}") from error
        await self._link.send(Outgoing(raw, answer, self._era.headers(message)))


def _cancellation(number: int) -> Json:
    parameters = {"requestId": number, "reason": "nobody waits for it any more"}
    return {"method": "notifications/cancelled", "params": parameters}
