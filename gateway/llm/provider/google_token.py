"""Google's OAuth tokens: asked for when they are needed, renewed before they expire."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx

from gateway.errors import BadAnswer, ConfigurationError, KeyRefused
from gateway.llm.provider.health import Unreachable
from gateway.llm.provider.settings import (
    GOOGLE_TOKEN_URL,
    GoogleCredentials,
    MetadataServer,
    RefreshToken,
    ServiceAccount,
)

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# A call may take minutes: it must not outlive the token that it began with.
RENEW_SECONDS = 300.0
ASK_SECONDS = 10.0
RETRY_SECONDS = 5.0


class GoogleToken:
    """`get` gives one that is good for minutes; many callers at once make one request.

    While Google does not answer, the token at hand is used for as long as it is good.
    """

    def __init__(
        self,
        credentials: GoogleCredentials,
        transport: httpx.AsyncBaseTransport,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        self.current: str | None = None
        self._credentials = credentials
        self._transport = transport
        self._monotonic = monotonic
        self._wall_seconds = wall_seconds
        self._expires_at = 0.0
        self._renewing = asyncio.Lock()

    async def get(self) -> str:
        """Raises:
        KeyRefused: Google does not take the credentials.
        Unreachable: it does not answer.
        """
        if (token := self._good(RENEW_SECONDS)) is not None:
            return token
        async with self._renewing:
            if (token := self._good(RENEW_SECONDS)) is not None:
                return token
            try:
                return await self._renew()
            except Unreachable:
                if (token := self._good(0.0)) is not None:
                    return token
                raise

    def forget(self) -> None:
        """It was refused: the next call asks for another."""
        self._expires_at = 0.0

    def _good(self, seconds: float) -> str | None:
        is_good = self._monotonic() + seconds < self._expires_at
        return self.current if is_good else None

    async def _renew(self) -> str:
        asked_at = self._monotonic()
        answer = await self._ask()
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not isinstance(seconds, int | float):
            raise BadAnswer("Google answered without a token")
        self.current = token
        # A token that is shorter than the margin is used for nine tenths of its life.
        self._expires_at = asked_at + max(seconds, RENEW_SECONDS + 0.9 * seconds)
        return token

    async def _ask(self) -> Mapping[str, Any]:
        request = self._request()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await response.aread()
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TransportError) as error:
            raise Unreachable(
                f"Google gave no token ({type(error).__name__})",
                retry_after_seconds=RETRY_SECONDS,
            ) from error
        return _read(response.status_code, body)

    def _request(self) -> httpx.Request:
        credentials = self._credentials
        extensions = {"timeout": {"connect": ASK_SECONDS}}
        if isinstance(credentials, MetadataServer):
            return httpx.Request(
                "GET",
                credentials.url,
                headers={"Metadata-Flavor": "Google"},
                extensions=extensions,
            )
        return httpx.Request(
            "POST",
            credentials.token_url,
            headers={"content-type": "application/x-www-form-urlencoded"},
            content=urlencode(self._form(credentials)).encode(),
            extensions=extensions,
        )

    def _form(self, credentials: ServiceAccount | RefreshToken) -> Mapping[str, str]:
        if isinstance(credentials, RefreshToken):
            return {
                "grant_type": "refresh_token",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
                "refresh_token": credentials.refresh_token,
            }
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self._assertion(credentials),
        }

    def _assertion(self, account: ServiceAccount) -> str:
        # https://developers.google.com/identity/protocols/oauth2/service-account
        # Loaded late: it brings all of cryptography, which only this needs.
        import jwt

        now = int(self._wall_seconds())
        claims = {
            "iss": account.email,
            "scope": SCOPE,
            "aud": account.token_url,
            "iat": now,
            "exp": now + 3600,
        }
        headers = {"kid": account.private_key_id} if account.private_key_id else None
        try:
            return jwt.encode(claims, account.private_key, algorithm="RS256", headers=headers)
        except (ValueError, TypeError, jwt.PyJWTError):
            # The cause may quote the key.
            message = "the private_key of the Google service account is no RSA key in PEM"
            raise ConfigurationError(message) from None


def _read(status: int, body: bytes) -> Mapping[str, Any]:
    if status in (400, 401, 403):
        raise KeyRefused(f"Google refused the credentials for Vertex ({_code(body) or status})")
    if status != 200:
        raise Unreachable(
            f"Google gave no token (HTTP {status})", retry_after_seconds=RETRY_SECONDS
        )
    answer = _json(body)
    if answer is None:
        raise BadAnswer("Google answered no JSON when it was asked for a token")
    return answer


def _code(body: bytes) -> str | None:
    """Such as `invalid_grant`."""
    code = (_json(body) or {}).get("error")
    return code if isinstance(code, str) and code.replace("_", "").isalnum() else None


def _json(body: bytes) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def google_credentials(content: Mapping[str, Any]) -> GoogleCredentials:
    """From a JSON file of Google's: a service account's key, or application default credentials.

    Raises:
        ConfigurationError: it is neither.
    """
    try:
        if content.get("type") == "service_account":
            return ServiceAccount(
                email=content["client_email"],
                private_key=content["private_key"],
                private_key_id=content.get("private_key_id"),
                token_url=content.get("token_uri", GOOGLE_TOKEN_URL),
            )
        if content.get("type") == "authorized_user":
            return RefreshToken(
                client_id=content["client_id"],
                client_secret=content["client_secret"],
                refresh_token=content["refresh_token"],
            )
    except KeyError as error:
        raise ConfigurationError(f"the Google credentials have no {error.args[0]}") from None
    raise ConfigurationError(
        "the Google credentials have the type "
        f"{content.get('type')!r}; it takes service_account or authorized_user"
    )
