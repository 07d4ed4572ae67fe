"""One answer of a provider, piece by piece, with everything that a caller must know of its end."""

import asyncio
import contextlib
import json
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    KeyRefused,
    LimitExceeded,
    RateLimited,
    Unavailable,
)
from gateway.llm.dialects.dialect import Decoder
from gateway.llm.messages import ChatRequest, Chunk
from gateway.llm.model import Model
from gateway.llm.provider.health import Attempt, Unreachable

if TYPE_CHECKING:
    from gateway.llm.provider.provider import Provider

# A wait for longer than this is better spent on another provider.
MOST_RETRY_AFTER_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 0.25
QUEUE_SECONDS = 5.0
DRAIN_SECONDS = 0.25

_GENERATION_ID = re.compile(rb'"id": ?"(gen-[^"]+)"')


class ProviderStream:
    """`async with` it, then iterate once over its chunks; whoever leaves early ends the call.

    Nothing is sent before the first iteration. It tries again only as long as nothing can have
    been billed: after a refusal, or without a connection. `attempts` counts the requests.
    `was_sent` is whether one went out, and `may_be_billed` whether the last one did and was not
    refused. `first_chunk_seconds` counts from the first iteration.

    Raises, while iterating: what the dialect reads from a refusal;
        Unavailable: it is left alone for now, has no connection, or is called too often already.
        DeadlineExceeded: it was silent for too long, or did not end in time.
        BadAnswer: what came is no answer, or it broke off in the middle.
    """

    def __init__(self, provider: "Provider", request: ChatRequest, model: Model) -> None:
        self.attempts = 0
        self.was_sent = False
        self.may_be_billed = False
        self.generation_id: str | None = None
        self.first_chunk_seconds: float | None = None
        self._provider = provider
        self._request = request
        self._model = model
        self._dialect = provider.dialect_for(request, model)
        self._timeouts = provider.settings.timeouts
        self._ready: deque[Chunk] = deque()
        self._attempt: Attempt | None = None
        self._response: httpx.Response | None = None
        self._body: AsyncIterator[bytes] | None = None
        self._decoder: Decoder | None = None
        self._output_tokens = 0
        self._began_at = 0.0
        self._holds_slot = False
        self._is_over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over = True
        await self._close()
        if self._holds_slot:
            self._holds_slot = False
            self._provider.slots.release()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            try:
                await (self._more() if self._body else self._begin())
            except GatewayError as error:
                self._is_over = True
                await self._close(error)
                raise self._provider.channel.without_secrets(error) from error.__cause__
        return self._ready.popleft()

    async def _begin(self) -> None:
        await self._take_slot()
        self._began_at = asyncio.get_running_loop().time()
        content = _content(self._dialect.encode(self._request, self._model))
        failure: GatewayError | None = None
        while True:
            self._attempt = self._admitted(failure)
            self.attempts += 1
            try:
                return await self._try(content)
            except GatewayError as error:
                pause = self._pause_seconds(error)
                if pause is None:
                    raise
                failure = error
                # A token may be refused because it grew old: that is no failure yet.
                await self._close(None if isinstance(error, KeyRefused) else error)
            await asyncio.sleep(pause)

    def _admitted(self, failure: GatewayError | None) -> Attempt:
        try:
            return self._provider.health.admit(self._model.id)
        except Unavailable:
            # What went wrong tells more than that it is now left alone for it.
            if failure:
                raise failure from None
            raise

    async def _take_slot(self) -> None:
        slots = self._provider.slots
        try:
            async with asyncio.timeout(QUEUE_SECONDS if slots.locked() else None):
                await slots.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"{self._provider.name} is answering {self._provider.settings.max_concurrent} "
                "calls already, which is max_concurrent",
                retry_after_seconds=QUEUE_SECONDS,
            ) from error
        self._holds_slot = True

    async def _try(self, content: bytes) -> None:
        """One request, up to the first chunk that says something."""
        limit = asyncio.get_running_loop().time() + self._timeouts.first_token_seconds
        url = self._provider.addresses.chat(self._dialect, self._model)
        try:
            async with asyncio.timeout_at(limit):
                self._response = await self._provider.channel.send(
                    "POST", url, content, on_sent=self._sent
                )
                if refusal := await self._refusal(self._response):
                    raise refusal
        except TimeoutError as error:
            raise self._no_token() from error
        self.generation_id = self._response.headers.get("x-generation-id")
        self._decoder = self._dialect.decoder()
        self._body = self._bytes(self._response)
        while not self._is_over and not any(chunk.says_something for chunk in self._ready):
            await self._more(limit)
        self._begun()

    def _sent(self) -> None:
        self.was_sent = True
        self.may_be_billed = True

    async def _refusal(self, response: httpx.Response) -> GatewayError | None:
        """What a refusal means, also where it comes with the status 200."""
        is_plain_json = response.headers.get("content-type", "").startswith("application/json")
        if response.status_code == 200 and not is_plain_json:
            return None
        body = await self._provider.channel.whole(response)
        if response.status_code == 200 and not _is_error(body):
            return BadAnswer(f"{self._provider.name} answered at once where a stream was asked for")
        self.may_be_billed = False
        return self._provider.channel.refusal(response, body)

    def _bytes(self, response: httpx.Response) -> AsyncIterator[bytes]:
        if "content-encoding" in response.headers:
            return response.aiter_bytes()
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return aiter(response.stream)

    async def _more(self, limit: float | None = None) -> None:
        assert self._decoder
        data = b"" if self._decoder.is_done else await self._read(limit)
        if self.generation_id is None and self._provider.kind == "openrouter":
            self._look_for_id(data)
        try:
            chunks = self._decoder.feed(data) if data else self._decoder.end()
        except GatewayError as error:
            if limit and not isinstance(error, BadAnswer):
                # It says itself that it failed, before it gave anything: that is a refusal.
                self.may_be_billed = False
            raise
        self._take(chunks)
        if not data:
            await self._drain()
            self._end()

    def _take(self, chunks: list[Chunk]) -> None:
        self._ready.extend(chunks)
        for chunk in chunks:
            if chunk.usage:
                self._output_tokens = chunk.usage.output_tokens

    async def _read(self, limit: float | None) -> bytes:
        assert self._body
        now = asyncio.get_running_loop().time()
        ends_at = self._began_at + self._timeouts.total_seconds
        silent_at = limit or now + self._timeouts.silence_seconds
        try:
            async with asyncio.timeout_at(min(ends_at, silent_at)):
                return await anext(self._body, b"")
        except TimeoutError as error:
            if limit:
                raise self._no_token() from error
            raise self._too_slow(is_silent=silent_at < ends_at) from error
        except httpx.HTTPError as error:
            message = f"{self._provider.name} broke off in the middle of its answer"
            if limit:
                raise Unreachable(message, retry_after_seconds=QUEUE_SECONDS) from error
            raise BadAnswer(message) from error

    async def _drain(self) -> None:
        """Behind the last marker the body has yet to end; then its connection can be used again."""
        assert self._body
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while await anext(self._body, b""):
                    pass

    def _begun(self) -> None:
        now = asyncio.get_running_loop().time()
        self.first_chunk_seconds = now - self._began_at
        self._provider.record_first(self._model, self.first_chunk_seconds)
        if self._attempt:
            self._attempt.began()

    def _end(self) -> None:
        self._is_over = True
        if self._attempt:
            self._attempt.succeeded()

    async def _close(self, error: GatewayError | None = None) -> None:
        """Give back what one attempt held; an answer that is not over ends at the provider too."""
        response, self._response, self._body = self._response, None, None
        attempt, self._attempt = self._attempt, None
        if attempt and error:
            attempt.failed(error)
        elif attempt and self.first_chunk_seconds is not None:
            attempt.succeeded()
        elif attempt:
            attempt.abandoned()
        if self._is_over and error is None and self.first_chunk_seconds is not None:
            self._record_pace()
        if response:
            await response.aclose()

    def _record_pace(self) -> None:
        seconds = asyncio.get_running_loop().time() - self._began_at
        seconds -= self.first_chunk_seconds or 0.0
        self._provider.record_end(self._model, self._output_tokens, seconds)

    def _pause_seconds(self, error: GatewayError) -> float | None:
        """How long to wait before another attempt; None means that there is none."""
        if self.may_be_billed or self.attempts >= self._provider.settings.attempts:
            return None
        if isinstance(error, KeyRefused) and self._provider.settings.google:
            return 0.0
        if isinstance(error, RateLimited) and not isinstance(error, LimitExceeded):
            is_short = error.retry_after_seconds <= MOST_RETRY_AFTER_SECONDS
            # A little later than it says, so that clocks need not agree.
            return error.retry_after_seconds + random.uniform(0.01, 0.1) if is_short else None
        if isinstance(error, Unavailable):
            step = FIRST_PAUSE_SECONDS * 2.0 ** (self.attempts - 1)
            return min(step, MOST_RETRY_AFTER_SECONDS) * random.uniform(0.5, 1)
        return None

    def _look_for_id(self, data: bytes) -> None:
        if found := _GENERATION_ID.search(data):
            self.generation_id = found[1].decode(errors="replace")

    def _no_token(self) -> DeadlineExceeded:
        seconds = self._timeouts.first_token_seconds
        return DeadlineExceeded(f"{self._provider.name} began no answer within {seconds:g} s")

    def _too_slow(self, *, is_silent: bool) -> DeadlineExceeded:
        name, timeouts = self._provider.name, self._timeouts
        if is_silent:
            return DeadlineExceeded(
                f"{name} was silent for {timeouts.silence_seconds:g} s in the middle of its answer"
            )
        return DeadlineExceeded(f"{name} did not end its answer in {timeouts.total_seconds:g} s")


def _content(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # A caller's text may hold half characters, which UTF-8 cannot.
    return text.encode("utf-8", "replace")


def _is_error(body: bytes) -> bool:
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and "error" in document
