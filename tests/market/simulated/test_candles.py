from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.market.simulated.candle import Candle
from gateway.market.simulated.candles import (
    DAY_MS,
    LISTING_DAY,
    LISTING_MS,
    MINUTE_MS,
    day_candle,
    hour_candle,
    minute_candle,
)
from gateway.market.simulated.symbols import SYMBOLS, Symbol
from gateway.market.simulated.tape import (
    last_trade,
    minute_trades,
    span,
    trades_between,
    trades_from_id,
)

symbols = st.sampled_from(sorted(SYMBOLS)).map(SYMBOLS.__getitem__)
days = st.integers(LISTING_DAY, LISTING_DAY + 2000)
hours = st.integers(LISTING_DAY * 24, (LISTING_DAY + 2000) * 24)
minutes = st.integers(LISTING_DAY * 1440, (LISTING_DAY + 2000) * 1440)
moments = st.integers(LISTING_MS + DAY_MS, LISTING_MS + 2000 * DAY_MS)
a_few = settings(max_examples=40, deadline=None)


def assert_adds_up(whole: Candle, parts: Sequence[Candle]) -> None:
    assert whole.open == parts[0].open
    assert whole.close == parts[-1].close
    assert whole.high == max(part.high for part in parts)
    assert whole.low == min(part.low for part in parts)
    assert whole.first_id == parts[0].first_id
    for column in ("volume", "quote_volume", "trades", "buy_volume", "buy_quote_volume"):
        assert getattr(whole, column) == sum(getattr(part, column) for part in parts), column


def assert_meets(parts: Sequence[Candle]) -> None:
    for earlier, later in pairwise(parts):
        assert earlier.close == later.open
        assert earlier.first_id + earlier.trades == later.first_id


@a_few
@given(symbols, days)
def test_a_day_is_the_sum_of_its_hours(symbol: Symbol, day: int) -> None:
    hours = [hour_candle(symbol, day * 24 + hour) for hour in range(24)]
    assert_adds_up(day_candle(symbol, day), hours)
    assert_meets([*hours, hour_candle(symbol, day * 24 + 24)])


@a_few
@given(symbols, hours)
def test_an_hour_is_the_sum_of_its_minutes(symbol: Symbol, hour: int) -> None:
    minutes = [minute_candle(symbol, hour * 60 + minute) for minute in range(60)]
    assert_adds_up(hour_candle(symbol, hour), minutes)
    assert_meets([*minutes, minute_candle(symbol, hour * 60 + 60)])


@settings(max_examples=300, deadline=None)
@given(symbols, minutes)
def test_a_minute_is_the_sum_of_its_trades(symbol: Symbol, minute: int) -> None:
    candle, trades = minute_candle(symbol, minute), minute_trades(symbol, minute)
    bought = [trade for trade in trades if not trade.is_buyer_maker]
    assert candle == Candle(
        trades[0].id,
        trades[0].price,
        max(trade.price for trade in trades),
        min(trade.price for trade in trades),
        trades[-1].price,
        sum(trade.quantity for trade in trades),
        sum(trade.price * trade.quantity for trade in trades),
        len(trades),
        sum(trade.quantity for trade in bought),
        sum(trade.price * trade.quantity for trade in bought),
    )
    assert min(trade.quantity for trade in trades) > 0
    assert [trade.id for trade in trades] == list(range(candle.first_id, trades[-1].id + 1))
    times = [trade.time_ms for trade in trades]
    assert times == sorted(times)
    assert times[0] == minute * MINUTE_MS
    assert times[-1] < (minute + 1) * MINUTE_MS


@a_few
@given(symbols, moments, st.integers(1, 3 * DAY_MS))
def test_a_span_cut_anywhere_is_the_sum_of_its_two_parts(
    symbol: Symbol, cut: int, length: int
) -> None:
    start, end = cut - length // 3, cut + length
    whole, parts = span(symbol, start, end), (span(symbol, start, cut), span(symbol, cut, end))
    if all(part.trades for part in parts):
        assert_adds_up(whole, parts)
    assert whole.trades == parts[0].trades + parts[1].trades
    assert whole.quote_volume == parts[0].quote_volume + parts[1].quote_volume


@a_few
@given(symbols, moments, st.integers(1, 4 * MINUTE_MS))
def test_the_trades_between_two_moments_are_those_of_the_span(
    symbol: Symbol, start: int, length: int
) -> None:
    end = start + length
    trades = trades_between(symbol, start, end, count=1000, now_ms=end)
    candle = span(symbol, start, end + 1)
    assert len(trades) == candle.trades
    assert sum(trade.price * trade.quantity for trade in trades) == candle.quote_volume
    if trades:
        assert trades[0].id == candle.first_id
        assert trades[-1] == last_trade(symbol, end)


@a_few
@given(symbols, moments, st.integers(1, 200))
def test_a_trade_is_found_by_its_id(symbol: Symbol, now: int, back: int) -> None:
    newest = last_trade(symbol, now)
    found = trades_from_id(symbol, newest.id - back + 1, 1000, now_ms=now)
    assert len(found) == back
    assert found[-1] == newest
    assert [trade.id for trade in found] == list(range(newest.id - back + 1, newest.id + 1))


@a_few
@given(symbols, days)
def test_a_day_moves_as_far_as_its_asset_usually_does(symbol: Symbol, day: int) -> None:
    candle = day_candle(symbol, day)
    range_of_price = (candle.high - candle.low) / candle.open
    swing = max(symbol.base.swing, symbol.quote.swing)
    assert candle.low > 0
    assert range_of_price < 8 * swing + 8 / candle.open
    assert range_of_price > 0


def test_day_ranges_of_bitcoin_are_a_few_percent() -> None:
    bitcoin = SYMBOLS["BTCUSDT"]
    candles = [day_candle(bitcoin, LISTING_DAY + day) for day in range(500)]
    ranges = sorted((candle.high - candle.low) / candle.open for candle in candles)
    assert 0.01 < ranges[50] < ranges[250] < ranges[450] < 0.08


def test_trade_ids_begin_with_the_listing() -> None:
    first = minute_trades(SYMBOLS["ETHUSDT"], LISTING_DAY * 1440)[0]
    assert (first.id, first.time_ms) == (0, LISTING_MS)
