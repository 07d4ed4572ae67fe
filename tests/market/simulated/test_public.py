import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest

from gateway.market.simulated.app import simulated_exchange
from gateway.market.simulated.intervals import INTERVALS
from gateway.market.simulated.symbols import SYMBOLS

MOMENT = datetime(2026, 11, 21, 12, 3, 4, 567000, tzinfo=UTC)
NOW_MS = int(MOMENT.timestamp() * 1000)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def at(moment: datetime) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(simulated_exchange(lambda: moment))
    return httpx.AsyncClient(transport=transport, base_url="http://exchange/api/v3/")


@pytest.fixture
async def exchange() -> AsyncIterator[httpx.AsyncClient]:
    async with at(MOMENT) as client:
        yield client


async def ask(exchange: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    response = await exchange.get(path, params=parameters)
    assert response.status_code == 200, response.text
    assert response.headers["X-Simulated"] == "true"
    return response.json()


async def test_the_clock_is_the_servers_time(exchange: httpx.AsyncClient) -> None:
    assert await ask(exchange, "ping") == {}
    assert await ask(exchange, "time") == {"serverTime": NOW_MS}


async def test_exchange_info_tells_one_some_or_all_symbols(exchange: httpx.AsyncClient) -> None:
    everything = await ask(exchange, "exchangeInfo")
    assert [symbol["symbol"] for symbol in everything["symbols"]] == list(SYMBOLS)
    two = await ask(exchange, "exchangeInfo", symbols='["BTCUSDT","ETHBTC"]')
    assert [symbol["symbol"] for symbol in two["symbols"]] == ["BTCUSDT", "ETHBTC"]
    (one,) = (await ask(exchange, "exchangeInfo", symbol="BTCUSDT"))["symbols"]
    assert (one["status"], one["baseAsset"], one["quoteAsset"]) == ("TRADING", "BTC", "USDT")
    filters = {each["filterType"]: each for each in one["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"


async def test_depth_has_the_levels_that_were_asked_for(exchange: httpx.AsyncClient) -> None:
    book = await ask(exchange, "depth", symbol="ETHUSDT")
    assert set(book) == {"lastUpdateId", "bids", "asks"}
    assert len(book["bids"]) == len(book["asks"]) == 100
    deep = await ask(exchange, "depth", symbol="ETHUSDT", limit=5000)
    assert deep["bids"][:100] == book["bids"]
    assert len((await ask(exchange, "depth", symbol="ETHUSDT", limit=9999))["asks"]) == 5000
    best = await ask(exchange, "ticker/bookTicker", symbol="ETHUSDT")
    assert [best["bidPrice"], best["bidQty"]] == book["bids"][0]
    assert [best["askPrice"], best["askQty"]] == book["asks"][0]


async def test_the_newest_trades_end_with_the_last_price(exchange: httpx.AsyncClient) -> None:
    trades = await ask(exchange, "trades", symbol="BTCUSDT", limit=1000)
    assert len(trades) == 1000
    assert list(trades[-1]) == [
        "id",
        "price",
        "qty",
        "quoteQty",
        "time",
        "isBuyerMaker",
        "isBestMatch",
    ]
    assert trades[-1]["time"] <= NOW_MS
    price = await ask(exchange, "ticker/price", symbol="BTCUSDT")
    assert price == {"symbol": "BTCUSDT", "price": trades[-1]["price"]}
    older = await ask(exchange, "historicalTrades", symbol="BTCUSDT", fromId=10, limit=3)
    assert [trade["id"] for trade in older] == [10, 11, 12]


async def test_aggregate_trades_are_read_by_id_or_by_time(exchange: httpx.AsyncClient) -> None:
    newest = await ask(exchange, "aggTrades", symbol="BTCUSDT", limit=50)
    assert list(newest[0]) == ["a", "p", "q", "f", "l", "T", "m", "M"]
    by_id = await ask(exchange, "aggTrades", symbol="BTCUSDT", fromId=newest[0]["a"])
    assert by_id == newest
    window = {"startTime": newest[10]["T"], "endTime": newest[20]["T"]}
    by_time = await ask(exchange, "aggTrades", symbol="BTCUSDT", **window)
    assert {trade["a"] for trade in by_time} >= {trade["a"] for trade in newest[10:21]}
    assert all(window["startTime"] <= trade["T"] <= window["endTime"] for trade in by_time)
    beyond = await ask(exchange, "aggTrades", symbol="BTCUSDT", startTime=NOW_MS + 1)
    assert beyond == []


async def test_the_day_ticker_is_what_the_days_trades_say(exchange: httpx.AsyncClient) -> None:
    ticker = await ask(exchange, "ticker/24hr", symbol="ETCBNB")
    start, trades = ticker["firstId"], []
    while start <= ticker["lastId"]:
        page = await ask(exchange, "aggTrades", symbol="ETCBNB", fromId=start, limit=1000)
        trades += page
        start = page[-1]["a"] + 1
    prices = [Decimal(trade["p"]) for trade in trades]
    sizes = [Decimal(trade["q"]) for trade in trades]
    assert ticker["closeTime"] - ticker["openTime"] == DAY_MS
    assert ticker["openTime"] <= trades[0]["T"]
    assert trades[-1]["T"] <= ticker["closeTime"] == NOW_MS
    assert ticker["count"] == len(trades)
    assert Decimal(ticker["openPrice"]) == prices[0]
    assert Decimal(ticker["lastPrice"]) == prices[-1]
    assert Decimal(ticker["highPrice"]) == max(prices)
    assert Decimal(ticker["lowPrice"]) == min(prices)
    assert Decimal(ticker["volume"]) == sum(sizes)
    quote = sum((p * q for p, q in zip(prices, sizes, strict=True)), Decimal())
    assert Decimal(ticker["quoteVolume"]) == quote
    assert abs(Decimal(ticker["weightedAvgPrice"]) - quote / sum(sizes)) <= Decimal("1e-8")
    assert Decimal(ticker["priceChange"]) == prices[-1] - prices[0]


async def test_a_ticker_is_whole_or_mini(exchange: httpx.AsyncClient) -> None:
    full = await ask(exchange, "ticker/24hr", symbol="SOLETH")
    mini = await ask(exchange, "ticker/24hr", symbol="SOLETH", type="MINI")
    assert mini.items() < full.items()
    assert set(full) - set(mini) == {
        "priceChange",
        "priceChangePercent",
        "weightedAvgPrice",
        "prevClosePrice",
        "lastQty",
        "bidPrice",
        "bidQty",
        "askPrice",
        "askQty",
    }
    assert await ask(exchange, "ticker/24hr", symbols='["SOLETH"]') == [full]
    assert len(await ask(exchange, "ticker/price")) == len(SYMBOLS)


async def test_the_average_price_is_that_of_five_minutes(exchange: httpx.AsyncClient) -> None:
    average = await ask(exchange, "avgPrice", symbol="BTCUSDT")
    window = {"startTime": NOW_MS - 300_000, "limit": 1000}
    trades = await ask(exchange, "aggTrades", symbol="BTCUSDT", **window)
    quote = sum((Decimal(trade["p"]) * Decimal(trade["q"]) for trade in trades), Decimal())
    mean = quote / sum(Decimal(trade["q"]) for trade in trades)
    assert average["mins"] == 5
    assert average["closeTime"] == trades[-1]["T"]
    assert abs(Decimal(average["price"]) - mean) < Decimal("1e-8")


@pytest.mark.parametrize("interval", INTERVALS)
async def test_candles_of_every_interval_follow_one_another(
    exchange: httpx.AsyncClient, interval: str
) -> None:
    candles = await ask(exchange, "klines", symbol="ETHUSDT", interval=interval, limit=12)
    assert len(candles) == 12
    assert all(len(candle) == 12 for candle in candles)
    for earlier, later in pairwise(candles):
        assert earlier[6] + 1 == later[0]
        if later[8]:
            assert interval == "1s" or earlier[4] == later[1]
    assert candles[-1][0] <= NOW_MS <= candles[-1][6]
    price = await ask(exchange, "ticker/price", symbol="ETHUSDT")
    assert candles[-1][4] == price["price"]
    assert await ask(exchange, "uiKlines", symbol="ETHUSDT", interval=interval, limit=12) == candles


@pytest.mark.parametrize(
    ("coarse", "fine"),
    [
        ("1m", "1s"),
        ("5m", "1m"),
        ("1h", "15m"),
        ("4h", "1h"),
        ("1d", "6h"),
        ("1w", "1d"),
        ("1M", "1d"),
    ],
)
async def test_coarse_candles_are_sums_of_fine_ones_the_running_one_too(
    exchange: httpx.AsyncClient, coarse: str, fine: str
) -> None:
    for whole in await ask(exchange, "klines", symbol="XRPEUR", interval=coarse, limit=2):
        window = {"startTime": whole[0], "endTime": whole[6], "limit": 1000}
        parts = await ask(exchange, "klines", symbol="XRPEUR", interval=fine, **window)
        assert whole[1] == parts[0][1]
        assert whole[4] == parts[-1][4]
        assert Decimal(whole[2]) == max(Decimal(part[2]) for part in parts)
        assert Decimal(whole[3]) == min(Decimal(part[3]) for part in parts)
        for column in (5, 7, 8, 9, 10):
            assert Decimal(whole[column]) == sum(Decimal(part[column]) for part in parts)


async def test_weeks_begin_on_monday_and_months_on_the_first(exchange: httpx.AsyncClient) -> None:
    def opening(candle: list[Any]) -> datetime:
        return datetime.fromtimestamp(candle[0] / 1000, UTC)

    weeks = await ask(exchange, "klines", symbol="BTCUSDT", interval="1w", limit=5)
    assert {opening(week).weekday() for week in weeks} == {0}
    months = await ask(exchange, "klines", symbol="BTCUSDT", interval="1M", limit=100)
    assert {opening(month).day for month in months} == {1}
    assert opening(months[0]) == datetime(2023, 1, 1, tzinfo=UTC)


async def test_candles_are_read_forwards_from_a_start_and_backwards_from_an_end(
    exchange: httpx.AsyncClient,
) -> None:
    start, end = NOW_MS - 50 * HOUR_MS, NOW_MS - 20 * HOUR_MS
    hourly = {"symbol": "BTCUSDT", "interval": "1h"}
    forwards = await ask(exchange, "klines", **hourly, startTime=start, limit=5)
    assert [start < candle[0] <= start + 6 * HOUR_MS for candle in forwards] == [True] * 5
    backwards = await ask(exchange, "klines", **hourly, endTime=end, limit=5)
    assert backwards[-1][0] <= end < backwards[-1][0] + HOUR_MS
    both = await ask(exchange, "klines", **hourly, startTime=start, endTime=end)
    assert (both[0], both[-1], len(both)) == (forwards[0], backwards[-1], 30)
    assert len(await ask(exchange, "klines", **hourly)) == 500
    assert len(await ask(exchange, "klines", **hourly, limit=5000)) == 1000
    assert await ask(exchange, "klines", **hourly, startTime=NOW_MS + HOUR_MS) == []
    assert await ask(exchange, "klines", **hourly, endTime=0) == []


async def test_the_same_moment_gives_the_same_bytes_from_another_exchange() -> None:
    paths = [
        "depth?symbol=BTCUSDT&limit=1000",
        "klines?symbol=ETHBTC&interval=1h",
        "trades?symbol=SHIBUSDT",
        "ticker/24hr?symbol=DOGETRY",
    ]
    async with at(MOMENT) as one, at(MOMENT) as other:
        for path in paths:
            assert (await one.get(path)).content == (await other.get(path)).content
    async with at(MOMENT + timedelta(milliseconds=250)) as later, at(MOMENT) as one:
        assert (await one.get(paths[0])).content != (await later.get(paths[0])).content


async def test_what_was_traded_stays_as_it_was(exchange: httpx.AsyncClient) -> None:
    past = {"symbol": "ADAUSDT", "startTime": NOW_MS - 600_000, "endTime": NOW_MS - 60_000}
    async with at(MOMENT + timedelta(days=3)) as later:
        for path in ("aggTrades", "klines"):
            more = {"interval": "1m"} if path == "klines" else {}
            before = await ask(exchange, path, **past, **more)
            assert await ask(later, path, **past, **more) == before


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("depth?symbol=NOPEUSDT", -1121, "Invalid symbol."),
        ("depth?symbol=MATICUSDT", -1121, "Invalid symbol."),
        ("depth?symbol=%EF%BC%91%EF%BC%92", -1121, "Invalid symbol."),
        ("depth?symbol=btcusdt", -1100, "Illegal characters found in parameter 'symbol'"),
        ("depth?symbol=BTC/USDT", -1100, "Illegal characters found in parameter 'symbol'"),
        ("depth", -1102, "Mandatory parameter 'symbol' was not sent"),
        ("depth?symbol=", -1102, "Mandatory parameter 'symbol' was not sent"),
        ("depth?symbol=BTCUSDT&limit=ten", -1100, "Illegal characters found in parameter 'limit'"),
        ("depth?symbol=BTCUSDT&limit=0", -1130, "Data sent for parameter 'limit' is not valid."),
        ("depth?symbol=BTCUSDT&depth=5", -1104, "Not all sent parameters were read; read '1'"),
        ("depth?symbol=BTCUSDT&symbol=ETHUSDT", -1101, "Duplicate values for parameter 'symbol'"),
        ("klines?symbol=BTCUSDT", -1102, "Mandatory parameter 'interval' was not sent"),
        ("klines?symbol=BTCUSDT&interval=1H", -1120, "Invalid interval."),
        ("klines?symbol=BTCUSDT&interval=2m", -1120, "Invalid interval."),
        ("ticker/24hr?symbol=BTCUSDT&type=HUGE", -1139, "Invalid ticker type."),
        ('ticker/price?symbol=BTCUSDT&symbols=["ETHUSDT"]', -1128, "Combination of optional"),
        ("ticker/price?symbols=BTCUSDT", -1100, "Illegal characters found in parameter 'symbols'"),
        ("ticker/price?symbols=[]", -1100, "Illegal characters found in parameter 'symbols'"),
        ('ticker/price?symbols=["BTCUSDT","NOPE"]', -1121, "Invalid symbol."),
        ("aggTrades?symbol=BTCUSDT&fromId=1&startTime=1", -1128, "Combination of optional"),
        ("aggTrades?symbol=BTCUSDT&startTime=2&endTime=1", -1127, "Lookup window is invalid"),
    ],
)
async def test_what_is_wrong_is_refused_in_binances_words(
    exchange: httpx.AsyncClient, path: str, code: int, message: str
) -> None:
    response = await exchange.get(path)
    assert response.status_code == 400
    refusal = json.loads(response.content)
    assert set(refusal) == {"code", "msg"}
    assert refusal["code"] == code
    assert refusal["msg"].startswith(message)
    assert response.headers["X-Simulated"] == "true"


async def test_one_minute_and_one_month_are_told_apart(exchange: httpx.AsyncClient) -> None:
    (minute,) = await ask(exchange, "klines", symbol="BTCUSDT", interval="1m", limit=1)
    (month,) = await ask(exchange, "klines", symbol="BTCUSDT", interval="1M", limit=1)
    assert minute[6] - minute[0] == 59_999
    assert month[6] - month[0] > 27 * DAY_MS
