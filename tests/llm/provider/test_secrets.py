"""A key is seen by its provider and by nobody else, whatever goes wrong."""

import asyncio
import logging
import traceback

import pytest

from gateway.errors import ConfigurationError, GatewayError
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings, RefreshToken, ServiceAccount
from tests.llm.provider.conftest import KEY, Connect
from tests.stand_ins.llm.script import (
    Answer,
    Refusal,
    Reply,
    broken,
    key_refused,
    no_balance,
    rate_limited,
)
from tests.stand_ins.llm.server import LlmStandIn

FAILURES: dict[str, Reply] = {
    "refused": key_refused(),
    "limited": rate_limited("60"),
    "limited, and says the key": Refusal(429, "slow down", echoes_key=True, retry_after="60"),
    "no balance": no_balance(),
    "broken": broken(),
    "broken, and says the key": Refusal(500, "broken", echoes_key=True),
    "an error inside 200": Refusal(401, "no", inside_200=True, echoes_key=True),
    "a page": Refusal(502, body=f"<html>Bearer {KEY}</html>".encode()),
    "an error in the stream": Answer(ends="error", ends_after=1),
    "no end": Answer(ends="eof", ends_after=1),
    "no connection left": Answer(ends="abort", ends_after=0),
    "silence": Answer(hold_after=1),
}


@pytest.mark.parametrize("kind", ["openai", "openrouter", "azure", "anthropic", "ollama"])
async def test_no_failure_tells_the_key(
    kind: str,
    connect: Connect,
    question: ChatRequest,
    model: Model,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with LlmStandIn(kind) as stand_in:
        for name, failure in FAILURES.items():
            async with connect(stand_in, attempts=1, silence_seconds=0.05) as provider:
                stand_in.script("small", failure)
                with pytest.raises(GatewayError) as raised:
                    await _read(provider, question, model)
                told = [
                    "".join(traceback.format_exception(raised.value)),
                    repr(raised.value),
                    repr(vars(raised.value)),
                    repr(provider.status),
                ]
            assert KEY not in "\n".join(told), name
        assert all(KEY in str(request.headers) for request in stand_in.requests)
        assert len(stand_in.requests) == len(FAILURES)
    assert KEY not in caplog.text


async def _read(provider: Provider, question: ChatRequest, model: Model) -> None:
    async with asyncio.timeout(5), provider.stream(question, model) as chunks:
        async for _ in chunks:
            pass


async def test_lists_and_quotas_do_not_tell_it_either(connect: Connect) -> None:
    async with LlmStandIn("openrouter", key="another") as stand_in, connect(stand_in) as provider:
        for ask in (provider.listed, provider.quotas):
            with pytest.raises(GatewayError) as raised:
                await ask()
            assert KEY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}é"], ids=["line break", "no ASCII"])
def test_a_key_that_cannot_be_sent_stops_the_start_without_being_told(key: str) -> None:
    with pytest.raises(ConfigurationError, match="provider p: the key holds") as raised:
        Provider(ProviderSettings("p", "openai", api_key=key))
    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_settings_do_not_show_what_is_secret() -> None:
    settings = (
        ProviderSettings("p", "openai", api_key=KEY, headers={"x": KEY}, proxy=KEY),
        ProviderSettings("p", "vertex", google=ServiceAccount("me@example.com", KEY)),
        ProviderSettings("p", "vertex", google=RefreshToken("id", KEY, KEY)),
    )
    assert KEY not in repr(settings)


@pytest.mark.parametrize("before", range(200, 300, 7))
async def test_no_half_of_a_key_is_told_where_a_long_complaint_is_cut(
    before: int, question: ChatRequest, model: Model
) -> None:
    key, header = "my+own/key=correct-horse", "another-correct-horse"
    body = f'{{"error":"{"x" * before}{key}{header}"}}'.encode()
    async with LlmStandIn("openai", key=key) as stand_in:
        settings = ProviderSettings(
            "openrouter",
            "openai_compatible",
            f"{stand_in.url}/v1",
            api_key=key,
            headers={"x-extra-key": header},
            attempts=1,
        )
        stand_in.script("small", Refusal(400, body=body))
        async with Provider(settings) as provider:
            with pytest.raises(GatewayError) as raised:
                await _read(provider, question, model)
    assert not any(piece in str(raised.value) for piece in ("my+o", "corr", "anot"))
