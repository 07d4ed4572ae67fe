"""Watches whether a service is there: looks again and again, and at once when there is a reason."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from gateway.cancellation import ended
from gateway.clock import Clock
from gateway.downstream.backoff import Backoff
from gateway.downstream.status import State, Status
from gateway.downstream.storm import Storm
from gateway.downstream.translation import ServiceDown, plain
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    OutcomeUnknown,
    RateLimited,
)

logger = logging.getLogger(__name__)

# A service that comes back must not wait long for being looked at.
_MOST_STORM_SECONDS = 2.0


class Watch:
    """It is up until the connection goes, it says that it does not serve, or two looks in a row
    fail: one slow answer is no outage. `error` is why it is down. `look` raises a `GatewayError`
    when the service is not well; `listen` calls what it is given when that may have changed.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        look: Callable[[], Awaitable[None]],
        listen: Callable[[Callable[[], None]], Awaitable[None]],
        probe_seconds: float,
        backoff: Backoff,
        clock: Clock,
    ) -> None:
        self.name = name
        self.address = address
        self.error: str | None = None
        self._look = look
        self._listen = listen
        self._probe_seconds = probe_seconds
        self._backoff = backoff
        self._clock = clock
        self._state = State.STARTING
        self._since = clock()
        self._looks_again_at = 0.0
        self._bell = asyncio.Event()
        self._storm = Storm(most_seconds=_MOST_STORM_SECONDS)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._go_on(), name=f"watch {self.name}"),
            asyncio.create_task(self._keep_listening(), name=f"listen to {self.name}"),
        ]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await ended(*self._tasks)

    @property
    def status(self) -> Status:
        return Status(
            name=self.name,
            address=self.address,
            state=self._state,
            since=self._since,
            version=None,
            error=self.error,
            retry_seconds=self._wait_seconds() if self._state is State.DOWN else None,
        )

    def admit(self) -> None:
        """While the service is down a call fails at once, but for one each time a wait is over.

        Raises:
            ServiceDown: that is now.
        """
        if self._state is not State.DOWN:
            return
        if (seconds := self._wait_seconds()) > 0:
            reason = self.error or "it is down"
            raise ServiceDown(self.name, reason, retry_after_seconds=seconds)
        self._looks_again_at = time.monotonic() + self._backoff.most_seconds

    def learn(self, error: GatewayError) -> None:
        """Looks again at once when a call shows that what we believe is no longer so."""
        if isinstance(error, ServiceDown):
            self._went_down(error.reason, seconds=self._backoff.first_seconds)
        if isinstance(error, ServiceDown | DeadlineExceeded | OutcomeUnknown):
            self.ring()

    def ring(self) -> None:
        """Look again at once."""
        self._bell.set()

    async def _go_on(self) -> None:
        failures = 0
        while True:
            self._bell.clear()
            self._looks_again_at = time.monotonic()
            error = await self._what_is_wrong()
            failures = failures + 1 if error else 0
            seconds = self._pause_seconds(error, failures)
            if error:
                self._doubt(error, failures, seconds=seconds)
            else:
                self._came_up()
            await self._rest(seconds)
            if self._bell.is_set():
                await asyncio.sleep(self._storm.pause_seconds())

    async def _what_is_wrong(self) -> GatewayError | None:
        try:
            await self._look()
        except GatewayError as error:
            return error
        except Exception:
            # Whatever a service sends, the watch must go on.
            logger.exception("downstream=%s could not be looked at", self.name)
            return BadAnswer("its answer could not be read")
        return None

    def _pause_seconds(self, error: GatewayError | None, failures: int) -> float:
        """How long to wait before the next look."""
        if error is None:
            return self._probe_seconds
        seconds = self._backoff.pause_seconds(failures)
        if isinstance(error, RateLimited):
            return max(seconds, min(error.retry_after_seconds, self._probe_seconds))
        # What a service says about itself is large, and no better for being asked for at once.
        return max(seconds, self._probe_seconds) if isinstance(error, BadAnswer) else seconds

    def _doubt(self, error: GatewayError, failures: int, *, seconds: float) -> None:
        """Down only by proof, or by a second failure: one slow look is no outage."""
        if isinstance(error, ServiceDown):
            self._went_down(error.reason, seconds=seconds)
        elif self._state is not State.UP or failures > 1:
            self._went_down(str(error), seconds=seconds)
        else:
            logger.info("downstream=%s doubt=%r", self.name, plain(str(error)))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen(self.ring)
            except Exception:
                # Without this task changes are still found, at the next look.
                logger.exception("downstream=%s could not be listened to", self.name)
            # A connection that breaks at once, again and again, must not make us spin.
            await asyncio.sleep(self._backoff.first_seconds)

    def _came_up(self) -> None:
        self.error = None
        if self._state is not State.UP:
            self._state, self._since = State.UP, self._clock()
            logger.info("downstream=%s state=up", self.name)

    def _went_down(self, reason: str, *, seconds: float) -> None:
        self.error = plain(reason)
        self._looks_again_at = time.monotonic() + seconds
        if self._state is not State.DOWN:
            self._state, self._since = State.DOWN, self._clock()
            logger.warning("downstream=%s state=down error=%r", self.name, self.error)

    def _wait_seconds(self) -> float:
        return max(0.0, self._looks_again_at - time.monotonic())
