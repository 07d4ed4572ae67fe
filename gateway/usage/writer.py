"""Books what is asked, everything that waits at once: while one transaction runs, the next fills.

Five hundred calls in a second cost few transactions, and a single call never waits for company.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Self

from gateway.errors import GatewayError, Unavailable
from gateway.storage.database import Database
from gateway.usage.books import Page
from gateway.usage.entries import Booked, Entry, Reserve, Told
from gateway.usage.reservation import Reservation
from gateway.usage.tool_call import ToolCall

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 500
_PAUSE_SECONDS = 1.0
_NOTED_SECONDS = 0.05

# Of these nothing is owed: while the database is away they would only pile up.
_NOT_KEPT = (Reserve, Told)

Waiting = tuple[Entry, "asyncio.Future[Reservation | None]"]


class Writer:
    """What begins is booked or refused; what ends is kept until the database has it.

    `page` opens the books for one transaction, and `booked` hears what it did.
    """

    def __init__(
        self,
        database: Database,
        *,
        page: Callable[..., Page],
        booked: Callable[[Booked], None],
    ) -> None:
        self._database = database
        self._page = page
        self._booked = booked
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()
        self._is_closing = False

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._write(), name="ledger writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        self._wake.set()
        await self._writing

    def submit(self, entry: Entry) -> "asyncio.Future[Reservation | None]":
        future = self._enter(entry)
        self._wake.set()
        return future

    def note(self, entry: ToolCall) -> None:
        """Write it with the next entry, or a moment later: nobody waits for it."""
        self._enter(entry)
        asyncio.get_running_loop().call_later(_NOTED_SECONDS, self._wake.set)

    def _enter(self, entry: Entry) -> "asyncio.Future[Reservation | None]":
        if self._is_closing:
            raise Unavailable("the ledger is closed", retry_after_seconds=5)
        future: asyncio.Future[Reservation | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        return future

    async def _write(self) -> None:
        while not self._is_closing or self._waiting:
            await self._wake.wait()
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            if not self._waiting and not self._is_closing:
                self._wake.clear()
            # A caller that left while it waited has nothing that could be given back later.
            await self._book(
                [(entry, future) for entry, future in batch if not _has_left(entry, future)]
            )

    async def _book(self, batch: Sequence[Waiting]) -> None:
        if not batch:
            return
        entries = [entry for entry, _ in batch]
        try:
            booked = await self._database.write(lambda c: self._page(c).book(entries))
        except Unavailable as error:
            self._keep_what_ended(batch, error)
        except Exception as error:
            await self._book_one_by_one(batch, error)
        else:
            self._booked(booked)
            for (_, future), answer in zip(batch, booked.answers, strict=True):
                _answer(future, answer)

    async def _book_one_by_one(self, batch: Sequence[Waiting], error: Exception) -> None:
        """What cannot be written, such as text that the database refuses, costs only itself."""
        if len(batch) > 1:
            for waiting in batch:
                await self._book([waiting])
            return
        ((entry, future),) = batch
        logger.error("the ledger could not book %s", type(entry).__name__, exc_info=error)
        if not future.done():
            future.set_exception(error)

    def _keep_what_ended(self, batch: Sequence[Waiting], error: Unavailable) -> None:
        """Its worst case stays charged until then, also if this process dies."""
        ended = [waiting for waiting in batch if not isinstance(waiting[0], _NOT_KEPT)]
        for entry, future in batch:
            _answer(future, error if isinstance(entry, _NOT_KEPT) else None)
        if ended and not self._is_closing:
            logger.warning("%d calls that ended will be written later: %s", len(ended), error)
            self._waiting = [*ended, *self._waiting]
            # Also if more waits than one transaction takes: it would be tried without a pause.
            self._wake.clear()
            asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._wake.set)
        elif ended:
            logger.error("%d calls that ended stay charged at their worst: %s", len(ended), error)


def _has_left(entry: Entry, future: "asyncio.Future[Reservation | None]") -> bool:
    return isinstance(entry, Reserve) and future.cancelled()


def _answer(
    future: "asyncio.Future[Reservation | None]", answer: Reservation | GatewayError | None
) -> None:
    if future.done():
        return
    if isinstance(answer, GatewayError):
        future.set_exception(answer)
    else:
        future.set_result(answer)
