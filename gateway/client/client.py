"""A typed client of a running gateway, sync (`Client`) and async (`AsyncClient`)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from gateway.client import calls
from gateway.client.answers import Json
from gateway.client.calls import Call
from gateway.client.problems import checked, translated
from gateway.client.stream import AsyncStream, Stream
from gateway.loopback import is_this_machine

T = TypeVar("T")
P = ParamSpec("P")

LOCAL_URL = "http://127.0.0.1:3001"
# Some models think for minutes before they say the first word.
SECONDS = 600.0
_CHAT = "/v1/chat/completions"


def _sent(build: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    @wraps(build)
    def send(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.send(build(*args, **kwargs))

    return send


def _awaited(build: Callable[P, Call[T]]) -> "Callable[Concatenate[AsyncClient, P], Awaitable[T]]":
    @wraps(build)
    async def send(client: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.send(build(*args, **kwargs))

    return send


class Client:
    """Use it as a context manager, or close it.

    Whatever the gateway refuses is raised as one of `gateway.errors`, such as `LimitExceeded`.
    """

    def __init__(
        self, url: str = LOCAL_URL, *, key: str | None = None, timeout_seconds: float = SECONDS
    ) -> None:
        self._http = httpx.Client(**_settings(url, key, timeout_seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    chat = _sent(calls.chat)
    ask = _sent(calls.ask)
    models = _sent(calls.models)
    usage = _sent(calls.usage)
    quota = _sent(calls.quota)
    limits = _sent(calls.limits)
    search = _sent(calls.search)
    fetch = _sent(calls.fetch)
    tools = _sent(calls.tools)
    tool = _sent(calls.tool)
    version = _sent(calls.version)
    conversation = _sent(calls.conversation)
    remember = _sent(calls.remember)
    forget = _sent(calls.forget)

    @contextmanager
    def stream(
        self,
        messages: str | Sequence[Json],
        *,
        model: str = "auto",
        router: Json | None = None,
        gateway_tools: Sequence[str] | bool | None = None,
        session_id: str | None = None,
        **options: Any,
    ) -> Iterator[Stream]:
        """As `chat`, but the answer comes piece by piece; whoever leaves the block ends it."""
        body = _streaming(
            messages,
            model=model,
            router=router,
            gateway_tools=gateway_tools,
            session_id=session_id,
            **options,
        )
        with ExitStack() as stack:
            with translated():
                answer = stack.enter_context(self._http.stream("POST", _CHAT, json=body))
                if not answer.is_success:
                    answer.read()
            yield Stream(checked(answer))

    def send(self, call: Call[T]) -> T:
        with translated():
            answer = self._http.request(call.method, call.path, json=call.body, params=call.params)
        return call.read(checked(answer))


class AsyncClient:
    """As `Client`, with `async with` and `await`."""

    def __init__(
        self, url: str = LOCAL_URL, *, key: str | None = None, timeout_seconds: float = SECONDS
    ) -> None:
        self._http = httpx.AsyncClient(**_settings(url, key, timeout_seconds))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    chat = _awaited(calls.chat)
    ask = _awaited(calls.ask)
    models = _awaited(calls.models)
    usage = _awaited(calls.usage)
    quota = _awaited(calls.quota)
    limits = _awaited(calls.limits)
    search = _awaited(calls.search)
    fetch = _awaited(calls.fetch)
    tools = _awaited(calls.tools)
    tool = _awaited(calls.tool)
    version = _awaited(calls.version)
    conversation = _awaited(calls.conversation)
    remember = _awaited(calls.remember)
    forget = _awaited(calls.forget)

    @asynccontextmanager
    async def stream(
        self,
        messages: str | Sequence[Json],
        *,
        model: str = "auto",
        router: Json | None = None,
        gateway_tools: Sequence[str] | bool | None = None,
        session_id: str | None = None,
        **options: Any,
    ) -> AsyncIterator[AsyncStream]:
        """As `chat`, but the answer comes piece by piece; whoever leaves the block ends it."""
        body = _streaming(
            messages,
            model=model,
            router=router,
            gateway_tools=gateway_tools,
            session_id=session_id,
            **options,
        )
        async with AsyncExitStack() as stack:
            with translated():
                stream = self._http.stream("POST", _CHAT, json=body)
                answer = await stack.enter_async_context(stream)
                if not answer.is_success:
                    await answer.aread()
            yield AsyncStream(checked(answer))

    async def send(self, call: Call[T]) -> T:
        with translated():
            answer = await self._http.request(
                call.method, call.path, json=call.body, params=call.params
            )
        return call.read(checked(answer))


def _settings(url: str, key: str | None, timeout_seconds: float) -> dict[str, Any]:
    return {
        "base_url": url,
        "headers": {"authorization": f"Bearer {key}"} if key else {},
        "timeout": timeout_seconds,
        # A proxy that the environment names does not reach this machine itself.
        "trust_env": not is_this_machine(urlsplit(url).hostname or ""),
    }


def _streaming(messages: str | Sequence[Json], **options: Any) -> Json:
    told = {"include_usage": True, "include_tool_events": True}
    return {**calls.chat_body(messages, **options), "stream": True, "stream_options": told}
