from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.market.simulated.app import simulated_exchange

MOMENT = datetime(2026, 11, 21, 12, 3, 40, tzinfo=UTC)


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = MOMENT

    def __call__(self) -> datetime:
        return self.moment


def exchange_at(clock: Hand) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(simulated_exchange(clock))
    return httpx.AsyncClient(transport=transport, base_url="http://exchange/api/v3/")


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("ping", 1),
        ("time", 1),
        ("exchangeInfo?symbol=BTCUSDT", 20),
        ("depth?symbol=BTCUSDT", 5),
        ("depth?symbol=BTCUSDT&limit=101", 25),
        ("depth?symbol=BTCUSDT&limit=1000", 50),
        ("depth?symbol=BTCUSDT&limit=1001", 250),
        ("trades?symbol=BTCUSDT&limit=1", 25),
        ("historicalTrades?symbol=BTCUSDT&limit=1", 25),
        ("aggTrades?symbol=BTCUSDT&limit=1", 4),
        ("klines?symbol=BTCUSDT&interval=1h&limit=1", 2),
        ("avgPrice?symbol=BTCUSDT", 2),
        ("ticker/24hr?symbol=BTCUSDT", 2),
        ('ticker/24hr?symbols=["BTCUSDT","ETHUSDT"]', 2),
        ("ticker/24hr?type=MINI", 80),
        ("ticker/price?symbol=BTCUSDT", 2),
        ("ticker/price", 4),
        ("ticker/bookTicker?symbol=BTCUSDT", 2),
        ("depth?symbol=NOPE", 5),
    ],
)
async def test_a_request_costs_its_weight(path: str, weight: int) -> None:
    async with exchange_at(Hand()) as exchange:
        response = await exchange.get(path)
        assert response.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


async def test_too_much_weight_is_refused_until_the_next_minute() -> None:
    clock = Hand()
    async with exchange_at(clock) as exchange:
        for _ in range(240):
            assert (await exchange.get("trades?symbol=BTCUSDT&limit=1")).status_code == 200
        refused = await exchange.get("ping")
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "20"
        assert refused.json()["code"] == -1003
        clock.moment += timedelta(seconds=20)
        answered = await exchange.get("ping")
        assert answered.status_code == 200
        assert answered.headers["X-MBX-USED-WEIGHT-1M"] == "1"


async def test_who_hammers_on_is_banned_for_two_minutes() -> None:
    clock = Hand()
    async with exchange_at(clock) as exchange:
        for _ in range(240):
            await exchange.get("trades?symbol=BTCUSDT&limit=1")
        statuses = [(await exchange.get("ping")).status_code for _ in range(21)]
        assert statuses == [429] * 20 + [418]
        clock.moment += timedelta(seconds=60)
        banned = await exchange.get("ping")
        assert banned.status_code == 418
        assert banned.headers["Retry-After"] == "60"
        assert banned.json()["code"] == -1003
        clock.moment += timedelta(seconds=60)
        assert (await exchange.get("ping")).status_code == 200
