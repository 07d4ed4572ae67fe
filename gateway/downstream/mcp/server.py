"""Another MCP server: its tools, how it is doing, and a connection to it that heals itself.

The client is our own. With the SDK's, one POST that fails ends all calls in flight, a message may
grow without bound, contents are logged, and nobody learns whether a failed call had been sent.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from gateway.cancellation import ended
from gateway.clock import Clock, now
from gateway.downstream.backoff import Backoff
from gateway.downstream.mcp.link import OpenLink
from gateway.downstream.mcp.messages import (
    Busy,
    Garbled,
    Json,
    ListedTool,
    Lost,
    McpAnswer,
    NotSent,
    RpcError,
    SessionForgotten,
    Silent,
    Trouble,
    Unreachable,
)
from gateway.downstream.mcp.progress import OnProgress
from gateway.downstream.mcp.session import Session
from gateway.downstream.mcp.translation import refuse_failure, translated
from gateway.downstream.mcp.transports import Way, link
from gateway.downstream.status import State, Status
from gateway.downstream.storm import Storm
from gateway.downstream.translation import ServiceDown, plain
from gateway.errors import RateLimited

logger = logging.getLogger(__name__)

# How a server is called when the settings do not say otherwise.
DEADLINE_SECONDS = 30.0
MAX_CONCURRENT = 8
QUEUE_SECONDS = 5.0
PROBE_SECONDS = 60.0
# A program that is fetched first, such as by npx, takes its time.
OPEN_SECONDS = 30.0

_LOOK_SECONDS = 10.0
# A call that finds the server just gone waits this long for it to come back.
_PATIENCE_SECONDS = 5.0
# A server may say all the time that its tools have changed.
_RELIST_SECONDS = 0.5
_MOST_STORM_SECONDS = 10.0
# A connection that held this long was a good one: its end is the first failure again.
_STEADY_SECONDS = 30.0
_BACKOFF = Backoff(first_seconds=0.25, most_seconds=30)
_SILENT_LOOKS = 2
_MOST_ATTEMPTS = 4


class McpServer:
    """Opens without waiting: a server that is absent, hangs or dies costs nobody but itself.

    One task owns the connection: it opens it, lists the tools, looks after it, and opens another
    when it ends. `tools` stay known while the server is down; `revision` is another object
    whenever they became others.
    """

    def __init__(
        self,
        name: str,
        way: Way,
        *,
        max_concurrent: int = MAX_CONCURRENT,
        queue_seconds: float = QUEUE_SECONDS,
        open_seconds: float = OPEN_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
        backoff: Backoff = _BACKOFF,
        clock: Clock = now,
    ) -> None:
        self.name = name
        self.address = way.address
        self.tools: Sequence[ListedTool] = ()
        self.revision: object = object()
        self._open_link: OpenLink = lambda: link(name, way, max_concurrent=max_concurrent)
        self._max_concurrent = max_concurrent
        self._queue_seconds = queue_seconds
        self._open_seconds = open_seconds
        self._probe_seconds = probe_seconds
        self._patience_seconds = patience_seconds
        self._backoff = backoff
        self._clock = clock
        self._slots = asyncio.Semaphore(max_concurrent)
        self._session: Session | None = None
        self._state = State.STARTING
        self._since = clock()
        self._error: str | None = None
        self._gone_at = time.monotonic()
        self._looks_again_at = 0.0
        self._bell = asyncio.Event()
        self._turned = asyncio.Event()
        self._discovered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._gone_at = time.monotonic()
        self._task = asyncio.create_task(self._run(), name=f"mcp {self.name}")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        if task:
            await ended(task)

    @property
    def status(self) -> Status:
        return Status(
            name=self.name,
            address=self.address,
            state=self._state,
            since=self._since,
            version=self._session.version if self._session else None,
            error=self._error,
            retry_seconds=self._wait_seconds() if self._state is State.DOWN else None,
        )

    @property
    def is_known(self) -> bool:
        """Whether its tools were ever listed."""
        return self._discovered.is_set()

    async def discovered(self, *, within_seconds: float) -> None:
        """Returns once the tools are known, or that time is over."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._discovered.wait()
        except TimeoutError:
            return

    async def call(
        self,
        tool: str,
        arguments: Json,
        *,
        is_read: bool,
        deadline_seconds: float = DEADLINE_SECONDS,
        on_progress: OnProgress | None = None,
    ) -> McpAnswer:
        """What `tool` answers, within `deadline_seconds` with everything.

        A read whose connection breaks is sent once more; what was surely not worked on does not
        count as sent.

        Raises:
            Unavailable: the server is down.
            RateLimited: no turn came in time, or the server says so.
            DeadlineExceeded: a read was not answered in time.
            OutcomeUnknown: a write was sent, and nobody can tell whether it was done.
            ToolFailed: the tool says itself that it failed.
            GatewayError: whatever else goes wrong, as `mcp_translation` says.
        """
        ends_at = time.monotonic() + deadline_seconds
        try:
            async with self._turn(ends_at):
                answer = await self._answer(
                    lambda session: session.call(tool, arguments, on_progress=on_progress),
                    is_read=is_read,
                    ends_at=ends_at,
                )
        except Silent as silent:
            self._bell.set()
            why = Silent(f"it did not answer within {deadline_seconds:g} s")
            raise translated(self.name, why, is_read=is_read) from silent
        except Trouble as trouble:
            raise translated(self.name, trouble, is_read=is_read) from trouble
        refuse_failure(self.name, answer)
        return answer

    async def _answer(
        self,
        send: Callable[[Session], Awaitable[McpAnswer]],
        *,
        is_read: bool,
        ends_at: float,
    ) -> McpAnswer:
        """
        Raises:
            Trouble: of the last attempt.
            ServiceDown: there is no connection.
        """
        attempts = 0
        may_repeat = is_read
        while True:
            session = await self._connected(ends_at)
            attempts += 1
            try:
                async with asyncio.timeout(ends_at - time.monotonic()):
                    return await send(session)
            except TimeoutError as error:
                raise Silent("it did not answer in time") from error
            except (SessionForgotten, Unreachable) as trouble:
                # It was not worked on: this was no attempt at all, but for a server that is mad.
                session.end(trouble.reason)
                if attempts >= _MOST_ATTEMPTS:
                    raise
            except (NotSent, Lost, RpcError) as trouble:
                self._bell.set()
                if not (may_repeat and isinstance(trouble, Lost)):
                    raise
                may_repeat = False
                # A server that is just dying would lose the repetition too.
                await asyncio.sleep(self._backoff.pause_seconds(attempts))

    @asynccontextmanager
    async def _turn(self, ends_at: float) -> AsyncIterator[None]:
        """
        Raises:
            RateLimited: no turn came in time.
        """
        try:
            async with asyncio.timeout(min(self._queue_seconds, ends_at - time.monotonic())):
                await self._slots.acquire()
        except TimeoutError as error:
            raise RateLimited(
                f"{self.name} is busy with {self._max_concurrent} calls; retry in 1 s",
                retry_after_seconds=1,
            ) from error
        try:
            yield
        finally:
            self._slots.release()

    async def _connected(self, ends_at: float) -> Session:
        """
        Raises:
            ServiceDown: there is no connection, and it was not just lost.
        """
        while True:
            session = self._session
            if session and not session.ended.done():
                return session
            seconds = min(self._patience_left_seconds, ends_at - time.monotonic())
            if self._task is None or seconds <= 0:
                reason = self._error or "it has not been reached yet"
                raise ServiceDown(self.name, reason, retry_after_seconds=self._wait_seconds())
            try:
                async with asyncio.timeout(seconds):
                    await self._turned.wait()
            except TimeoutError:
                continue

    @property
    def _patience_left_seconds(self) -> float:
        """How long a call may still wait for the connection; all of it when it is just lost."""
        gone_at = time.monotonic() if self._session else self._gone_at
        return gone_at + self._patience_seconds - time.monotonic()

    async def _run(self) -> None:
        failures = 0
        while True:
            opened_at = time.monotonic()
            try:
                async with self._opened() as session:
                    await self._keep(session)
            except Trouble as trouble:
                reason = trouble.reason
            except TimeoutError:
                reason = f"it did not answer within {self._open_seconds:g} s"
            except Exception:
                # Whatever a server sends, its owner must go on.
                logger.exception("mcp=%s could not be looked after", self.name)
                reason = "its messages could not be read"
            was_steady = time.monotonic() - opened_at > _STEADY_SECONDS
            failures = 1 if was_steady and self._state is State.UP else failures + 1
            pause = self._backoff.pause_seconds(failures)
            self._went_down(reason, seconds=pause)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Session]:
        """A session whose tools are known; it is closed whatever becomes of it.

        Raises:
            Trouble: the server cannot be used.
            TimeoutError: it takes too long.
        """
        session = Session(
            self.name, self._open_link(), on_tools_changed=self._bell.set, on_doubt=self._bell.set
        )
        try:
            # What rang for the connection before this one is no reason to doubt this one.
            self._bell.clear()
            async with asyncio.timeout(self._open_seconds):
                await session.open()
                tools = await session.tools()
            self._came_up(session, tools)
            yield session
        except Trouble as trouble:
            session.end(trouble.reason)
            raise
        finally:
            if self._session:
                self._session, self._gone_at = None, time.monotonic()
            await session.close()

    async def _keep(self, session: Session) -> None:
        """Looks at the server now and then, and whenever something rings, until it is gone.

        Raises:
            Trouble: always, in the end.
        """
        silent_looks = 0
        storm = Storm(most_seconds=_MOST_STORM_SECONDS)
        while True:
            await self._rest(session, self._probe_seconds)
            if self._bell.is_set():
                await self._rest(session, storm.pause_seconds(), is_deaf=True)
            self._bell.clear()
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    self._know(await session.tools())
                silent_looks = 0
            except (Busy, Garbled, RpcError) as trouble:
                # It is there, and calls may well work: what was known of its tools stays.
                logger.info("mcp=%s did not list its tools: %s", self.name, trouble)
            except TimeoutError:
                silent_looks += 1
                logger.info("mcp=%s doubt='it does not answer'", self.name)
                self._bell.set()
            if silent_looks >= _SILENT_LOOKS:
                raise Lost("it does not answer any more")
            await self._rest(session, _RELIST_SECONDS, is_deaf=True)

    async def _rest(self, session: Session, seconds: float, *, is_deaf: bool = False) -> None:
        """
        Raises:
            Lost: the session has ended.
        """
        ringing = asyncio.create_task(self._bell.wait(), name=f"bell of mcp {self.name}")
        awaited: set[asyncio.Future[Any]] = {session.ended}
        if not is_deaf:
            awaited.add(ringing)
        try:
            await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ringing.cancel()
        if session.ended.done():
            raise Lost(session.ended.result())

    def _came_up(self, session: Session, tools: Sequence[ListedTool]) -> None:
        self._session, self._error = session, None
        if self._state is not State.UP:
            self._state, self._since = State.UP, self._clock()
        logger.info("mcp=%s state=up version=%s tools=%d", self.name, session.version, len(tools))
        self._know(tools)
        self._discovered.set()
        self._turn_over()

    def _know(self, tools: Sequence[ListedTool]) -> None:
        if tools != self.tools:
            self.tools, self.revision = tools, object()

    def _went_down(self, reason: str, *, seconds: float) -> None:
        self._error = plain(reason)
        self._looks_again_at = time.monotonic() + seconds
        if self._state is not State.DOWN:
            self._state, self._since = State.DOWN, self._clock()
            logger.warning("mcp=%s state=down error=%r", self.name, self._error)
        self._turn_over()

    def _turn_over(self) -> None:
        """Wakes whoever waits for the connection to come back."""
        self._turned.set()
        self._turned = asyncio.Event()

    def _wait_seconds(self) -> float:
        return max(0.0, self._looks_again_at - time.monotonic())
