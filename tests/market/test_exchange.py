import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from gateway.clock import now
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
)
from gateway.market.exchange import Exchange
from gateway.market.settings import MarketSettings
from gateway.market.simulated.app import simulated_exchange
from tests.market.interposed import Interposed
from tests.market.moments import StoppedClock
from tests.stand_ins.http_server import serve

KEYS: dict[str, Any] = {"api_key": "a-key", "api_secret": "a-secret"}
ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "MARKET",
    "quantity": "0.001",
    "newClientOrderId": "mine-1",
}


@asynccontextmanager
async def exchange(
    between: Interposed, clock: StoppedClock | None = None, **settings: Any
) -> AsyncIterator[Exchange]:
    async with serve(between) as url:
        chosen = MarketSettings(
            exchange="binance",
            exchange_url=url,
            **{"read_timeout_seconds": 0.3, **KEYS, **settings},
        )
        async with Exchange(chosen, clock=clock or now) as opened:
            yield opened


def simulated(clock: StoppedClock | None = None) -> Interposed:
    return Interposed(simulated_exchange(clock or now, **KEYS))


async def test_every_answer_tells_what_is_used_of_the_budget() -> None:
    async with exchange(simulated()) as asked:
        await asked.read("/api/v3/exchangeInfo", weight=20)
        await asked.read("/api/v3/time", weight=1)
        assert asked.budget.used in {21, 1}  # 1 when the minute turned in between


@pytest.mark.parametrize(("status", "retry_after", "wait"), [(429, "7", 7), (418, "3000", 3000)])
async def test_a_limit_stops_all_calls_until_it_has_passed(
    status: int, retry_after: str, wait: int
) -> None:
    clock = StoppedClock()
    between = simulated(clock)
    between.refuse("GET /api/v3/depth", status, -1003, retry_after=retry_after)
    async with exchange(between, clock) as asked:
        with pytest.raises(RateLimited) as refused:
            await asked.read("/api/v3/depth", {"symbol": "BTCUSDT"}, weight=5)
        assert refused.value.retry_after_seconds == wait
        with pytest.raises(RateLimited):
            await asked.read("/api/v3/time", weight=1)
        assert between.requests == ["GET /api/v3/depth"]
        clock.pass_seconds(wait)
        assert "serverTime" in await asked.read("/api/v3/time", weight=1)


async def test_a_limit_without_a_time_lasts_to_the_next_minute() -> None:
    clock = StoppedClock()
    clock.pass_seconds(15)
    between = simulated(clock)
    between.refuse("GET /api/v3/time", 429, -1003)
    async with exchange(between, clock) as asked:
        with pytest.raises(RateLimited) as refused:
            await asked.read("/api/v3/time", weight=1)
    assert refused.value.retry_after_seconds == 45


async def test_an_exchange_that_hangs_is_not_waited_for() -> None:
    between = simulated()
    between.hang("GET /api/v3/time")
    async with exchange(between) as asked, asyncio.timeout(5):
        with pytest.raises(DeadlineExceeded, match="did not answer in time"):
            await asked.read("/api/v3/time", weight=1)


async def test_an_exchange_that_is_not_there_is_unavailable() -> None:
    settings = MarketSettings(exchange="binance", exchange_url="http://127.0.0.1:9")
    async with Exchange(settings, clock=now) as asked:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await asked.read("/api/v3/time", weight=1)


async def test_garbage_is_a_bad_answer_without_the_garbage() -> None:
    between = simulated()
    between.replace("GET /api/v3/time", PlainTextResponse("<script>garbage"))
    async with exchange(between) as asked:
        with pytest.raises(BadAnswer, match="not JSON") as bad:
            await asked.read("/api/v3/time", weight=1)
    assert "garbage" not in str(bad.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, Unavailable),
        (502, Unavailable),
        (403, Unavailable),
        (451, PermissionDenied),
        (404, BadAnswer),
    ],
)
async def test_a_failure_without_a_code_is_read_by_its_status(
    status: int, kind: type[Exception]
) -> None:
    between = simulated()
    between.replace("GET /api/v3/time", PlainTextResponse("no", status_code=status))
    async with exchange(between) as asked:
        with pytest.raises(kind):
            await asked.read("/api/v3/time", weight=1)


@pytest.mark.parametrize("status", [500, 503])
async def test_a_write_that_fails_on_the_other_side_has_an_unknown_outcome(status: int) -> None:
    between = simulated()
    between.replace("POST /api/v3/order", PlainTextResponse("no", status_code=status))
    async with exchange(between) as asked:
        with pytest.raises(OutcomeUnknown):
            await asked.write("POST", "/api/v3/order", ORDER, weight=1)
    assert between.requests == ["POST /api/v3/order"]


async def test_a_write_without_an_answer_is_sent_once() -> None:
    between = simulated()
    between.hang("POST /api/v3/order")
    async with exchange(between) as asked:
        with pytest.raises(OutcomeUnknown, match="did not answer in time"):
            await asked.write("POST", "/api/v3/order", ORDER, weight=1)
    assert between.requests == ["POST /api/v3/order"]


async def test_a_write_ends_in_its_time_whatever_the_exchange_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.market.exchange.SEND_SECONDS", 0.2)
    between = simulated()
    between.hang("POST /api/v3/order")
    async with exchange(between, read_timeout_seconds=60) as asked, asyncio.timeout(5):
        with pytest.raises(OutcomeUnknown, match="did not answer in time"):
            await asked.write("POST", "/api/v3/order", ORDER, weight=1)


@pytest.mark.parametrize("status", [200, 400])
async def test_json_without_end_is_garbage_like_any_other(status: int) -> None:
    between = simulated()
    for request in ("GET /api/v3/time", "POST /api/v3/order"):
        between.replace(request, PlainTextResponse("[" * 100_000, status_code=status))
    async with exchange(between) as asked:
        with pytest.raises(BadAnswer):
            await asked.read("/api/v3/time", weight=1)
        with pytest.raises(OutcomeUnknown):
            await asked.write("POST", "/api/v3/order", ORDER, weight=1)


async def test_a_clock_that_is_off_is_set_by_the_exchanges_time() -> None:
    ours, theirs = StoppedClock(), StoppedClock()
    theirs.pass_seconds(3600)
    between = simulated(theirs)
    async with exchange(between, ours) as asked:
        account = await asked.read_account("/api/v3/account", weight=20)
        assert account["accountType"] == "SPOT"
        assert asked.now() == theirs.moment
        await asked.read_account("/api/v3/account", weight=20)
    assert between.requests == [
        "GET /api/v3/account",
        "GET /api/v3/time",
        "GET /api/v3/account",
        "GET /api/v3/account",
    ]


async def test_a_clock_that_stays_off_is_an_error_and_no_loop() -> None:
    between = simulated()
    between.refuse("GET /api/v3/account", 400, -1021)
    async with exchange(between) as asked:
        with pytest.raises(Refused, match="clock"):
            await asked.read_account("/api/v3/account", weight=20)
    assert between.requests.count("GET /api/v3/account") == 2


async def test_a_time_that_is_no_time_is_a_bad_answer() -> None:
    between = simulated()
    between.replace("GET /api/v3/time", JSONResponse({"serverTime": "noon"}))
    async with exchange(between) as asked:
        with pytest.raises(BadAnswer, match="what time"):
            await asked.synchronise()


async def test_a_wrong_secret_is_told_apart_from_a_wrong_key() -> None:
    async with exchange(simulated(), api_secret="another") as asked:
        with pytest.raises(Unauthenticated):
            await asked.read_account("/api/v3/account", weight=20)
    async with exchange(simulated(), api_key="another") as asked:
        with pytest.raises(PermissionDenied) as refused:
            await asked.read_account("/api/v3/account", weight=20)
    assert "another" not in str(refused.value)


async def test_no_log_holds_a_key_or_a_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with exchange(simulated()) as asked:
        await asked.read_account("/api/v3/account", weight=20)
        await asked.read("/api/v3/depth", {"symbol": "ETHBTC"}, weight=5)
    for secret in ("a-key", "a-secret", "signature=", "ETHBTC"):
        assert secret not in caplog.text
