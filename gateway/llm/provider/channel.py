"""The way to one provider: requests with its key on pooled connections, errors without it."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpx

from gateway.errors import BadAnswer, ConfigurationError, DeadlineExceeded, GatewayError
from gateway.llm.provider.google_token import GoogleToken
from gateway.llm.provider.health import Unreachable
from gateway.llm.provider.presets import PRESETS
from gateway.llm.provider.settings import ProviderSettings
from gateway.llm.provider.transport import LeanTransport
from gateway.version import VERSION

# Errors are short, but the list of all models of OpenRouter is half a megabyte.
MOST_ANSWER_BYTES = 32 << 20
ASK_SECONDS = 30.0
RETRY_SECONDS = 5.0
LEAST_SECRET_CHARACTERS = 16

_SENDABLE = re.compile(r"[\x20-\x7e]*")

# Given the status, the headers and the body of a refusal, the error that it means.
ReadError = Callable[[int, Mapping[str, str], bytes], GatewayError]


class Channel:
    """`send` gives an answer with any status, of which only the head was read."""

    def __init__(self, settings: ProviderSettings, read_error: ReadError) -> None:
        self._settings = settings
        self._read_error = read_error
        self._headers = httpx.Headers(_headers(settings))
        self._transport: httpx.AsyncBaseTransport = LeanTransport(most_idle=settings.max_concurrent)
        if settings.proxy:
            self._transport = httpx.AsyncHTTPTransport(proxy=settings.proxy, trust_env=False)
        self._timeouts = {"connect": settings.timeouts.connect_seconds}
        self._token = GoogleToken(settings.google, self._transport) if settings.google else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._transport.aclose()

    async def send(
        self, method: str, url: str, body: bytes | None = None, *, on_sent: Callable[[], None]
    ) -> httpx.Response:
        """`on_sent` is called when the request begins to go out: from then on it may be billed.

        Raises:
            Unreachable: there is no connection, or it was closed before the answer began.
        """
        headers = await self._signed()

        async def trace(name: str, _: Mapping[str, Any]) -> None:
            if name.endswith("send_request_headers.started"):
                on_sent()

        extensions = {"timeout": self._timeouts, "trace": trace}
        request = httpx.Request(
            method, _parsed(url), headers=headers, content=body, extensions=extensions
        )
        try:
            return await self._transport.handle_async_request(request)
        except httpx.ConnectError as error:
            raise self._unreachable(f"cannot be reached ({error})") from error
        except httpx.ConnectTimeout as error:
            seconds = self._settings.timeouts.connect_seconds
            raise self._unreachable(f"did not connect within {seconds:g} s") from error
        except httpx.TransportError as error:
            raise self._unreachable("closed the connection before it answered") from error

    async def ask(self, method: str, url: str, body: Any = None) -> Any:
        """The JSON that one short request is answered with.

        Raises:
            GatewayError: as the dialect reads the refusal.
            BadAnswer: the answer is no JSON.
            DeadlineExceeded: the answer is not whole within 30 s.
        """
        content = None if body is None else json.dumps(body).encode()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                response = await self.send(method, url, content, on_sent=lambda: None)
                try:
                    whole = await self.whole(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            message = f"{self._settings.name} did not answer within {ASK_SECONDS:g} s"
            raise DeadlineExceeded(message) from error
        if response.status_code != 200:
            raise self.refusal(response, whole)
        return self._json(whole)

    async def whole(self, response: httpx.Response) -> bytes:
        """All of a body, which must not be endless."""
        if response.headers.get("content-encoding", "identity") != "identity":
            # It was asked not to: a few bytes may stand for more than there is memory.
            raise BadAnswer(f"{self._settings.name} packed its answer, which was not asked for")
        body = bytearray()
        try:
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_ANSWER_BYTES:
                    raise BadAnswer(f"{self._settings.name} answered more than 32 MiB")
        except httpx.HTTPError as error:
            raise self._unreachable("broke off its answer") from error
        return bytes(body)

    def refusal(self, response: httpx.Response, body: bytes) -> GatewayError:
        """What an answer means that is none, also one that comes with the status 200."""
        if response.status_code == 401 and self._token:
            self._token.forget()
        # Before the words are cut and masked: of what is left of a key, nothing would be known.
        for secret in self._secrets:
            body = body.replace(secret.encode(), "…".encode())
        return self._read_error(response.status_code, response.headers, body)

    def without_secrets(self, error: GatewayError) -> GatewayError:
        """Some providers repeat the key that they refuse."""
        said = str(error)
        for secret in self._secrets:
            if secret in said:
                said = said.replace(secret, "…")
                error.args = (said, *error.args[1:])
        return error

    @property
    def _secrets(self) -> Sequence[str]:
        settings = self._settings
        # A header that the configuration adds may be a key too; a short one is a word.
        added = [one for one in settings.headers.values() if len(one) >= LEAST_SECRET_CHARACTERS]
        keys = (settings.api_key, self._token and self._token.current)
        return [*added, *(key for key in keys if key)]

    def _json(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except ValueError as error:
            raise BadAnswer(f"{self._settings.name} answered no JSON") from error

    async def _signed(self) -> httpx.Headers:
        if self._token is None:
            return self._headers
        signed = self._headers.copy()
        signed["authorization"] = f"Bearer {await self._token.get()}"
        return signed

    def _unreachable(self, what: str) -> Unreachable:
        return Unreachable(f"{self._settings.name} {what}", retry_after_seconds=RETRY_SECONDS)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """Parsing costs more than the rest of a request, and a provider has few addresses."""
    return httpx.URL(url)


def _headers(settings: ProviderSettings) -> dict[str, str]:
    preset = PRESETS[settings.kind]
    headers = {
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"gateway/{VERSION}",
        **(preset.headers or {}),
        **{name.lower(): value for name, value in settings.headers.items()},
    }
    for name, value in (("the key", settings.api_key or ""), *settings.headers.items()):
        if not _SENDABLE.fullmatch(value):
            # Said here: the libraries would quote it.
            raise ConfigurationError(
                f"provider {settings.name}: {name} holds a line break, or what is not ASCII"
            )
    if settings.api_key:
        is_bearer = preset.key_header == "authorization"
        headers[preset.key_header] = f"{'Bearer ' if is_bearer else ''}{settings.api_key}"
    return headers
