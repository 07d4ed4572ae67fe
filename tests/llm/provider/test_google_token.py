"""Vertex is called with a token of Google's that is renewed before it expires."""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.errors import ConfigurationError, GatewayError, KeyRefused
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.llm.provider.google_token import GoogleToken, google_credentials
from gateway.llm.provider.health import Unreachable
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import MetadataServer, RefreshToken, ServiceAccount
from gateway.llm.provider.transport import LeanTransport
from tests.llm.provider.conftest import Connect
from tests.stand_ins.llm.server import LlmStandIn


def key_pair() -> tuple[str, str]:
    """Private and public, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def refreshing(stand_in: LlmStandIn) -> RefreshToken:
    return RefreshToken("id", "secret", "refresh-stand-in", token_url=f"{stand_in.url}/token")


async def answered(provider: Provider, question: ChatRequest, model: Model) -> str:
    async with asyncio.timeout(5), provider.stream(question, model) as chunks:
        return "".join([chunk.text async for chunk in chunks])


async def test_a_service_account_signs_for_its_token(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    private, public = key_pair()
    async with LlmStandIn("vertex") as stand_in:
        stand_in.tokens.public_key = public
        url = f"{stand_in.url}/token"
        account = ServiceAccount("me@p.iam.gserviceaccount.com", private, "kid-1", url)
        async with connect(stand_in, api_key=None, google=account) as provider:
            assert await answered(provider, question, model)
            assert await answered(provider, question, model)
        (claims,) = stand_in.tokens.claims
        assert claims["iss"] == "me@p.iam.gserviceaccount.com"
        assert claims["aud"] == url
        assert claims["scope"].endswith("/cloud-platform")
        assert claims["exp"] - claims["iat"] == 3600


async def test_a_token_that_was_revoked_is_replaced_and_the_caller_does_not_notice(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with (
        LlmStandIn("vertex") as stand_in,
        connect(stand_in, api_key=None, google=refreshing(stand_in)) as provider,
    ):
        assert await answered(provider, question, model)
        stand_in.tokens.revoke()
        assert await answered(provider, question, model)
        assert len(stand_in.tokens.asked) == 2


async def test_credentials_that_google_refuses_are_told_without_being_shown(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn("vertex") as stand_in:
        wrong = RefreshToken("id", "secret", "stolen-token", token_url=f"{stand_in.url}/token")
        async with connect(stand_in, api_key=None, google=wrong) as provider:
            with pytest.raises(KeyRefused, match="invalid_grant") as raised:
                await answered(provider, question, model)
            assert "stolen-token" not in str(raised.value)
            assert stand_in.requests == []


async def test_many_callers_ask_for_one_token() -> None:
    async with LlmStandIn("vertex") as stand_in:
        transport = LeanTransport()
        token = GoogleToken(refreshing(stand_in), transport)
        given = await asyncio.gather(*(token.get() for _ in range(20)))
        assert len(set(given)) == 1
        assert len(stand_in.tokens.asked) == 1
        await transport.aclose()


async def test_it_is_renewed_before_it_expires_and_kept_while_google_is_away() -> None:
    seconds = [1000.0]
    async with LlmStandIn("vertex") as stand_in:
        transport = LeanTransport()
        token = GoogleToken(refreshing(stand_in), transport, monotonic=lambda: seconds[0])
        first = await token.get()
        seconds[0] += 3290
        assert await token.get() == first
        seconds[0] += 20
        second = await token.get()
        assert second != first
        stand_in.tokens.fails_with = 503
        seconds[0] += 3400
        assert await token.get() == second
        seconds[0] += 300
        with pytest.raises(Unreachable, match="HTTP 503"):
            await token.get()
        await transport.aclose()


async def test_a_token_of_a_short_life_is_used_for_most_of_it() -> None:
    seconds = [1000.0]
    async with LlmStandIn("vertex") as stand_in:
        stand_in.tokens.expires_in = 100
        transport = LeanTransport()
        token = GoogleToken(refreshing(stand_in), transport, monotonic=lambda: seconds[0])
        first = await token.get()
        seconds[0] += 80
        assert await token.get() == first
        seconds[0] += 20
        assert await token.get() != first
        await transport.aclose()


async def test_on_googles_machines_the_metadata_server_gives_it() -> None:
    async with LlmStandIn("vertex") as stand_in:
        transport = LeanTransport()
        token = GoogleToken(MetadataServer(f"{stand_in.url}/metadata/token"), transport)
        assert (await token.get()).startswith("ya29.")
        assert stand_in.tokens.asked == [{"metadata-flavor": "Google"}]
        await transport.aclose()


def test_the_files_of_google_are_read() -> None:
    account = {"type": "service_account", "client_email": "me@p", "private_key": "PEM"}
    assert google_credentials(account) == ServiceAccount("me@p", "PEM")
    user = {
        "type": "authorized_user",
        "client_id": "i",
        "client_secret": "s",
        "refresh_token": "r",
    }
    assert google_credentials(user) == RefreshToken("i", "s", "r")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"type": "service_account", "client_email": "me@p"}, "have no private_key"),
        ({"type": "external_account"}, "type 'external_account'; it takes service_account or"),
        ({}, "type None"),
    ],
)
def test_what_is_missing_in_such_a_file_is_named(content: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        google_credentials(content)


async def test_a_key_that_is_none_is_told_without_being_shown() -> None:
    transport = LeanTransport()
    token = GoogleToken(ServiceAccount("me@p", "-----BEGIN SECRET-----"), transport)
    with pytest.raises(GatewayError, match="no RSA key in PEM") as raised:
        await token.get()
    assert "SECRET" not in str(raised.value)
    assert raised.value.__cause__ is None
