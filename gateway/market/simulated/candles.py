"""Candles that add up exactly: a day's plan is cut into hours, an hour into minutes.

Everything is a pure function of symbol and time. Prices are whole ticks,
quantities whole steps, quote volumes whole tick-steps. The close of a candle
is the open of the next. The caches only save time; none is ever stale.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from math import exp
from typing import NamedTuple

from gateway.market.simulated.candle import Candle
from gateway.market.simulated.noise import noise_at, noise_bytes
from gateway.market.simulated.paths import AssetDay, asset_day
from gateway.market.simulated.shapes import (
    ACTIVITY_SHAPES,
    MINUTES,
    PRICE_SHAPES,
    RAMP_MEANS,
    SHAPE_MEANS,
)
from gateway.market.simulated.symbols import Symbol

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LISTING_DAY = 19_358  # 2023-01-01, in days since 1970
LISTING_MS = LISTING_DAY * DAY_MS

# What each part gets whatever the weights say: a minute's tape needs its trades.
_LEAST_TRADES = 8
# Wicks, in swings of one minute. The least leaves the tape room to meet the quote volume.
_LEAST_WICK, _WICK_REACH = 0.2, 0.4


class DayPlan(NamedTuple):
    """The 25 hour marks of one day (log price, price, running totals) and what each hour holds."""

    base: AssetDay
    quote: AssetDay
    levels: list[float]
    prices: list[int]
    first_ids: list[int]
    buys: list[int]
    sells: list[int]
    activities: list[int]
    buy_quotes: list[int]
    sell_quotes: list[int]


def first_id_of_day(symbol: Symbol, day: int) -> int:
    """Trade ids count up without a gap, so a day's first id must not need the days before."""
    since = day - LISTING_DAY
    if since <= 0:
        return 0
    late = noise_at(f"{symbol.name} ids", since)
    return since * symbol.trades_per_day + int(late * 0.2 * symbol.trades_per_day)


def day_of_id(symbol: Symbol, trade_id: int) -> int:
    day = LISTING_DAY + trade_id // symbol.trades_per_day
    while first_id_of_day(symbol, day) > trade_id:
        day -= 1
    while first_id_of_day(symbol, day + 1) <= trade_id:
        day += 1
    return day


def minute_of_id(symbol: Symbol, trade_id: int) -> int:
    """The minute, counted from 1970, in which a trade happened."""
    day = day_of_id(symbol, trade_id)
    hour = bisect_right(day_plan(symbol, day).first_ids, trade_id) - 1
    minutes = hour_minutes(symbol, day * 24 + hour)
    minute = bisect_right(minutes, trade_id, key=lambda candle: candle.first_id) - 1
    return (day * 24 + hour) * 60 + minute


def _shares(total: int, running_weights: Sequence[int], *, least: int = 0) -> list[int]:
    """Running totals that end exactly at `total`."""
    spread, weight = total - least * (len(running_weights) - 1), running_weights[-1]
    if not least:
        return [total * running // weight for running in running_weights]
    return [
        least * index + spread * running // weight for index, running in enumerate(running_weights)
    ]


@lru_cache(maxsize=500)
def day_plan(symbol: Symbol, day: int) -> DayPlan:
    base, quote = asset_day(symbol.base, day), asset_day(symbol.quote, day)
    log_tick = symbol.log_tick
    levels = [b - q - log_tick for b, q in zip(base.levels, quote.levels, strict=True)]
    noise = noise_bytes(f"{symbol.name} day {day}", 50)
    # A day trades 0.6 to 1.6 of the usual volume, and buyers take 46 to 54 percent of it.
    volume = symbol.steps_per_day * (153 + noise[48]) // 255
    buy_volume = volume * (46 * 255 + 8 * noise[49]) // (100 * 255)
    buy_weights = list(accumulate((150 + byte for byte in noise[:24]), initial=0))
    sell_weights = list(accumulate((150 + byte for byte in noise[24:48]), initial=0))
    buys = _shares(buy_volume, buy_weights)
    sells = _shares(volume - buy_volume, sell_weights)
    first_id = first_id_of_day(symbol, day)
    count = first_id_of_day(symbol, day + 1) - first_id
    ids = _shares(count, buy_weights, least=_LEAST_TRADES * MINUTES)
    activities = [
        (7 * buy + 3 * sell) % len(ACTIVITY_SHAPES)
        for buy, sell in zip(noise[:24], noise[24:48], strict=True)
    ]
    buy_quotes, sell_quotes = _quotes(
        levels, buys, sells, activities=activities, base=base, quote=quote
    )
    return DayPlan(
        base=base,
        quote=quote,
        levels=levels,
        prices=[round(exp(level)) for level in levels],
        first_ids=[first_id + running for running in ids],
        buys=buys,
        sells=sells,
        activities=activities,
        buy_quotes=buy_quotes,
        sell_quotes=sell_quotes,
    )


def _quotes(
    levels: list[float],
    buys: list[int],
    sells: list[int],
    *,
    activities: list[int],
    base: AssetDay,
    quote: AssetDay,
) -> tuple[list[int], list[int]]:
    """Each hour's quote volume: its volume times the mean price that its shapes promise."""
    buy_quotes, sell_quotes = [], []
    hours = zip(
        pairwise(levels),
        pairwise(buys),
        pairwise(sells),
        activities,
        zip(base.shapes, base.swings, quote.shapes, quote.swings, strict=True),
        strict=True,
    )
    for (start, end), bought, sold, activity, (shape, up, against, down) in hours:
        buy_ramp, sell_ramp = RAMP_MEANS[activity]
        buy_mean, sell_mean = SHAPE_MEANS[shape][activity]
        bought_at, sold_at = (
            buy_ramp * (end - start) + up * buy_mean,
            sell_ramp * (end - start) + up * sell_mean,
        )
        if down:
            buy_mean, sell_mean = SHAPE_MEANS[against][activity]
            bought_at, sold_at = bought_at - down * buy_mean, sold_at - down * sell_mean
        buy_quotes.append(int((bought[1] - bought[0]) * exp(start + bought_at)))
        sell_quotes.append(int((sold[1] - sold[0]) * exp(start + sold_at)))
    return buy_quotes, sell_quotes


def _minute_levels(plan: DayPlan, hour: int) -> list[float]:
    """The log prices of the 61 minute marks of one hour."""
    start = plan.levels[hour]
    slope = (plan.levels[hour + 1] - start) / MINUTES
    up, down = plan.base.swings[hour], plan.quote.swings[hour]
    shape = PRICE_SHAPES[plan.base.shapes[hour]].points
    if not down:
        return [start + slope * minute + up * point for minute, point in enumerate(shape)]
    other = PRICE_SHAPES[plan.quote.shapes[hour]].points
    return [
        start + slope * minute + up * point - down * against
        for minute, (point, against) in enumerate(zip(shape, other, strict=True))
    ]


def _minute_prices(plan: DayPlan, hour: int) -> list[int]:
    prices = [round(exp(level)) for level in _minute_levels(plan, hour)]
    # Set, not computed: the last bit of a sum may differ, and hours must meet.
    prices[0], prices[-1] = plan.prices[hour], plan.prices[hour + 1]
    return prices


def _wick_sizes(symbol: Symbol, price: int) -> tuple[int, int]:
    """The shortest wick of a minute and how much longer the longest is, in ticks."""
    reach = price * symbol.minute_swing
    return max(1, int(reach * _LEAST_WICK)), int(reach * _WICK_REACH)


def _hour_range(symbol: Symbol, plan: DayPlan, hour: int) -> tuple[int, int]:
    """The high and the low: the longest wick stands where the hour's prices turn."""
    inner = _minute_levels(plan, hour)[1:-1]
    ends = plan.prices[hour], plan.prices[hour + 1]
    wick = sum(_wick_sizes(symbol, ends[0]))
    top, bottom = round(exp(max(inner))), round(exp(min(inner)))
    return max(top, *ends) + wick, min(bottom, *ends) - wick


def _minute_ranges(
    symbol: Symbol, plan: DayPlan, hour: int, *, prices: list[int]
) -> tuple[list[int], list[int]]:
    """The highs and the lows of the sixty minutes, of which one each is the hour's."""
    activity = ACTIVITY_SHAPES[plan.activities[hour]]
    least, reach = _wick_sizes(symbol, prices[0])
    tops = list(map(max, prices, prices[1:]))
    bottoms = list(map(min, prices, prices[1:]))
    highs = [
        top + least + (reach * rise >> 8) for top, rise in zip(tops, activity.rises, strict=True)
    ]
    lows = [
        bottom - least - (reach * fall >> 8)
        for bottom, fall in zip(bottoms, activity.falls, strict=True)
    ]
    highs[tops.index(max(tops))] = max(tops) + least + reach
    lows[bottoms.index(min(bottoms))] = min(bottoms) - least - reach
    return highs, lows


@lru_cache(maxsize=6144)
def hour_candle(symbol: Symbol, hour: int) -> Candle:
    """One whole hour, counted from 1970."""
    day, hour_of_day = divmod(hour, 24)
    plan = day_plan(symbol, day)
    high, low = _hour_range(symbol, plan, hour_of_day)
    here, there = hour_of_day, hour_of_day + 1
    bought, sold = plan.buys[there] - plan.buys[here], plan.sells[there] - plan.sells[here]
    return Candle(
        plan.first_ids[here],
        plan.prices[here],
        high,
        low,
        plan.prices[there],
        bought + sold,
        plan.buy_quotes[here] + plan.sell_quotes[here],
        plan.first_ids[there] - plan.first_ids[here],
        bought,
        plan.buy_quotes[here],
    )


@lru_cache(maxsize=2048)
def day_candle(symbol: Symbol, day: int) -> Candle:
    """One whole day, counted from 1970."""
    plan = day_plan(symbol, day)
    buy_quote = sum(plan.buy_quotes)
    return Candle(
        plan.first_ids[0],
        plan.prices[0],
        _day_high(symbol, plan),
        _day_low(symbol, plan),
        plan.prices[-1],
        plan.buys[-1] + plan.sells[-1],
        buy_quote + sum(plan.sell_quotes),
        plan.first_ids[-1] - plan.first_ids[0],
        plan.buys[-1],
        buy_quote,
    )


def _day_high(symbol: Symbol, plan: DayPlan) -> int:
    """The highest high; an hour that cannot reach it is not opened."""
    levels = plan.levels
    higher_ends = map(max, levels, levels[1:])
    bounds = map(_sum_less, higher_ends, plan.base.tops, plan.quote.bottoms)
    highest = 0
    for bound, hour in sorted(zip(bounds, range(24), strict=False), reverse=True):
        ceiling = round(exp(bound))
        if ceiling + _longest_wick(symbol, ceiling) <= highest:
            break
        highest = max(highest, _hour_range(symbol, plan, hour)[0])
    return highest


def _day_low(symbol: Symbol, plan: DayPlan) -> int:
    levels = plan.levels
    lower_ends = map(min, levels, levels[1:])
    bounds = map(_sum_less, lower_ends, plan.base.bottoms, plan.quote.tops)
    lowest = max(plan.prices)
    wick = _longest_wick(symbol, lowest)
    for bound, hour in sorted(zip(bounds, range(24), strict=False)):
        if round(exp(bound)) - wick >= lowest:
            break
        lowest = min(lowest, _hour_range(symbol, plan, hour)[1])
    return lowest


def _sum_less(one: float, other: float, less: float) -> float:
    return one + other - less


def _longest_wick(symbol: Symbol, price: int) -> int:
    # An hour's wicks are sized by its own opening price, which is near, not equal.
    return sum(_wick_sizes(symbol, price + price // 8)) + 2


@lru_cache(maxsize=128)
def hour_minutes(symbol: Symbol, hour: int) -> tuple[Candle, ...]:
    """The sixty candles of one whole hour."""
    day, hour_of_day = divmod(hour, 24)
    plan = day_plan(symbol, day)
    prices = _minute_prices(plan, hour_of_day)
    highs, lows = _minute_ranges(symbol, plan, hour_of_day, prices=prices)
    activity = ACTIVITY_SHAPES[plan.activities[hour_of_day]]
    first_id, next_id = plan.first_ids[hour_of_day : hour_of_day + 2]
    ids = _shares(next_id - first_id, activity.trades, least=_LEAST_TRADES)
    bought, bought_for = _minute_sums(
        prices,
        activity.buys,
        volume=plan.buys[hour_of_day + 1] - plan.buys[hour_of_day],
        quote_volume=plan.buy_quotes[hour_of_day],
    )
    sold, sold_for = _minute_sums(
        prices,
        activity.sells,
        volume=plan.sells[hour_of_day + 1] - plan.sells[hour_of_day],
        quote_volume=plan.sell_quotes[hour_of_day],
    )
    return tuple(
        Candle(
            first_id + ids[minute],
            prices[minute],
            highs[minute],
            lows[minute],
            prices[minute + 1],
            bought[minute] + sold[minute],
            bought_for[minute] + sold_for[minute],
            ids[minute + 1] - ids[minute],
            bought[minute],
            bought_for[minute],
        )
        for minute in range(MINUTES)
    )


def _minute_sums(
    prices: list[int], running_weights: Sequence[int], *, volume: int, quote_volume: int
) -> tuple[list[int], list[int]]:
    """One side's volumes and quote volumes by minute, which sum exactly to the hour's.

    A minute trades around the middle of its open and close. What that leaves of
    the hour's quote volume (a small part of a wick) is spread over the volume.
    """
    running = _shares(volume, running_weights)
    volumes = [there - here for here, there in pairwise(running)]
    doubled = list(
        accumulate(
            (
                amount * (here + there)
                for amount, here, there in zip(volumes, prices, prices[1:], strict=False)
            ),
            initial=0,
        )
    )
    rest = 2 * quote_volume - doubled[-1]
    totals = [
        (so_far + rest * part // volume) >> 1 for so_far, part in zip(doubled, running, strict=True)
    ]
    return volumes, [there - here for here, there in pairwise(totals)]


def minute_candle(symbol: Symbol, minute: int) -> Candle:
    """One whole minute, counted from 1970."""
    hour, minute_of_hour = divmod(minute, 60)
    return hour_minutes(symbol, hour)[minute_of_hour]


def whole_candles(symbol: Symbol, start_ms: int, end_ms: int) -> Iterable[Candle]:
    """The fewest candles that cover a span of whole minutes."""
    while start_ms < end_ms:
        if start_ms % DAY_MS == 0 and start_ms + DAY_MS <= end_ms:
            yield day_candle(symbol, start_ms // DAY_MS)
            start_ms += DAY_MS
        elif start_ms % HOUR_MS == 0 and start_ms + HOUR_MS <= end_ms:
            yield hour_candle(symbol, start_ms // HOUR_MS)
            start_ms += HOUR_MS
        else:
            yield minute_candle(symbol, start_ms // MINUTE_MS)
            start_ms += MINUTE_MS
