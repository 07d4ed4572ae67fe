"""Messages to addresses of others, signed as the Standard Webhooks specification says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime
from typing import Self

import httpx

from gateway.errors import (
    BadAnswer,
    ConfigurationError,
    DeadlineExceeded,
    GatewayError,
    RateLimited,
    Unavailable,
)

DEADLINE_SECONDS = 10.0
MOST_RETRY_AFTER_SECONDS = 3600.0
MOST_CONNECTIONS = 32
# The specification asks for 24 to 64 bytes.
KEY_BYTES = (24, 64)
_SECRET_PREFIX = "whsec_"
_HOST = re.compile(r"[\w.:-]+")


class WebhookSender:
    """Open for as long as messages go out; follows no redirect, takes no proxy or login from the
    environment."""

    def __init__(self, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline_seconds = deadline_seconds

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(
            timeout=None,
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS),
            trust_env=False,
            follow_redirects=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(
        self, url: str, *, message_id: str, time: datetime, body: bytes, secret: str
    ) -> None:
        """Returns once the other side has taken it, with a status from 200 to 299.

        `message_id` stays the same when a message is sent again; `time` is that of this attempt.

        Raises:
            ConfigurationError: the secret or the URL is none.
            Unavailable: it is not there, or says that it is down. As of the next one,
                `retry_after_seconds` is 0 where it does not say when to come back.
            RateLimited: it is asked too often.
            DeadlineExceeded: it has not answered in time.
            BadAnswer: it does not take the message.
        """
        check_url(url)
        headers = {"content-type": "application/json"} | signature(
            message_id, time=time, body=body, key=signing_key(secret)
        )
        place = address(url)
        try:
            async with (
                asyncio.timeout(self._deadline_seconds),
                # What it answers beside the status is nobody's.
                self._http.stream("POST", url, content=body, headers=headers) as response,
            ):
                refuse(place, response)
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"{place} has not taken the webhook within {self._deadline_seconds:g} s"
            ) from error
        except (httpx.TransportError, OSError) as error:
            # Its own text may repeat the URL.
            raise Unavailable(
                f"{place} cannot be reached: {type(error).__name__}",
                retry_after_seconds=0,
            ) from None


def signature(message_id: str, *, time: datetime, body: bytes, key: bytes) -> dict[str, str]:
    """The three headers of a signed message."""
    seconds = str(int(time.timestamp()))
    signed = hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def signing_key(secret: str) -> bytes:
    """
    Raises:
        ConfigurationError: it is no secret to sign with; it is not repeated.
    """
    encoded = secret.removeprefix(_SECRET_PREFIX)
    least, most = KEY_BYTES
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if encoded == secret or not least <= len(key) <= most:
        raise ConfigurationError(
            f"the secret of a webhook is {_SECRET_PREFIX} and {least} to {most} bytes in base64"
        )
    return key


def check_url(url: str) -> None:
    """
    Raises:
        ConfigurationError: it is no place to send to; it is not repeated, as a login may stand
            in it.
    """
    try:
        read = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        read = httpx.URL()
    if read.scheme not in ("http", "https") or not _HOST.fullmatch(read.host):
        raise ConfigurationError("the URL of a webhook is like https://host/path")


def address(url: str) -> str:
    """The URL up to the host: the rest of it may be as good as a password."""
    read = httpx.URL(url)
    return f"{read.scheme}://{read.netloc.decode('ascii')}"


def refuse(place: str, response: httpx.Response) -> None:
    """Raises:
    GatewayError: the status says that the message was not taken.
    """
    status = response.status_code
    if response.is_success:
        return
    said = f"{place} does not take the webhook: it answers HTTP {status}"
    raise _refusal(status, said, retry_after_seconds=_retry_after(response))


def _refusal(status: int, said: str, *, retry_after_seconds: float) -> GatewayError:
    if status == 429:
        return RateLimited(said, retry_after_seconds=retry_after_seconds)
    if status >= 500:
        return Unavailable(said, retry_after_seconds=retry_after_seconds)
    if 300 <= status < 400:
        return BadAnswer(f"{said}, and redirects are not followed")
    return BadAnswer(said)


def _retry_after(response: httpx.Response) -> float:
    said: str = response.headers.get("retry-after", "")
    return min(float(said), MOST_RETRY_AFTER_SECONDS) if said.isdecimal() else 0.0
