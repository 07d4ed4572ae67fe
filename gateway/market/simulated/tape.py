"""The trades of a minute, made to meet its candle exactly: prices, counts and both sides' sums."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, islice, pairwise
from typing import NamedTuple

from gateway.market.simulated.candle import Candle, merged
from gateway.market.simulated.candles import (
    LISTING_MS,
    MINUTE_MS,
    minute_candle,
    minute_of_id,
    whole_candles,
)
from gateway.market.simulated.noise import noise_bytes
from gateway.market.simulated.symbols import Symbol

# Parts of a side's volume that may trade away from its mean price; the last one always works out.
_FREE_PARTS = (0.45, 0.15, 0.0)


class Trade(NamedTuple):  # a tuple because thousands are made per answer
    id: int
    price: int
    quantity: int
    time_ms: int
    is_buyer_maker: bool


@lru_cache(maxsize=256)
def minute_trades(symbol: Symbol, minute: int) -> tuple[Trade, ...]:
    candle = minute_candle(symbol, minute)
    count = candle.trades
    noise = noise_bytes(f"{symbol.name} tape {minute}", 6 * count)
    times = _times(minute * MINUTE_MS, noise[: 2 * count])
    prices, turns = _walk(candle, noise[2 * count : 3 * count])
    weights = noise[3 * count : 4 * count]
    buying = _sides(candle, noise[4 * count : 5 * count], turns)
    quantities = [0] * count
    sold = candle.volume - candle.buy_volume
    sold_for = candle.quote_volume - candle.buy_quote_volume
    for is_buy, volume, quote in (
        (True, candle.buy_volume, candle.buy_quote_volume),
        (False, sold, sold_for),
    ):
        places = [place for place in range(count) if buying[place] is is_buy]
        balancing = _nearest(places, turns, prices=prices, mean=quote // volume)
        _settle(
            prices,
            quantities,
            places,
            balancing=balancing,
            weights=weights,
            volume=volume,
            quote_volume=quote,
            candle=candle,
        )
    return tuple(
        Trade(
            candle.first_id + place,
            prices[place],
            quantities[place],
            times[place],
            not buying[place],
        )
        for place in range(count)
    )


def _times(start_ms: int, noise: bytes) -> list[int]:
    """In order; the first at the very start, so that a minute is never without a price."""
    offsets = sorted(
        (high << 8 | low) * MINUTE_MS >> 16
        for high, low in zip(noise[2::2], noise[3::2], strict=True)
    )
    return [start_ms, *(start_ms + offset for offset in offsets)]


def _walk(candle: Candle, noise: bytes) -> tuple[list[int], tuple[int, int, int, int]]:
    """Prices from open to close by way of high and low, and the four places where they turn."""
    last = len(noise) - 1
    third = last // 3
    early, late = 1 + noise[0] * third // 256, last - 1 - noise[1] * third // 256
    # A rising minute falls first. Low and high stand apart: the tapes of pairs that share
    # a coin must cross a wild minute side by side.
    ends = (candle.low, candle.high) if candle.close >= candle.open else (candle.high, candle.low)
    turns = ((0, candle.open), (early, ends[0]), (late, ends[1]), (last, candle.close))
    prices = [candle.open]
    spread = (candle.high - candle.low) // 4
    for (start, here), (end, there) in pairwise(turns):
        for place in range(start + 1, end):
            straight = here + (there - here) * (place - start) // (end - start)
            wobble = (noise[place] - 128) * spread >> 8
            prices.append(min(candle.high - 1, max(candle.low + 1, straight + wobble)))
        prices.append(there)
    return prices, (0, early, late, last)


def _sides(candle: Candle, noise: bytes, turns: tuple[int, int, int, int]) -> list[bool]:
    """Which trades a buyer took. Both sides need two trades besides the turning points."""
    count = candle.trades
    free = [place for place in range(count) if place not in turns]
    wanted = round(len(free) * candle.buy_volume / candle.volume)
    wanted = max(2, min(len(free) - 2, wanted))
    chosen = set(sorted(free, key=lambda place: (noise[place], place))[:wanted])
    sides = [place in chosen for place in range(count)]
    for place in turns:
        sides[place] = noise[place] < 128
    high, low = (2, 1) if candle.close >= candle.open else (1, 2)
    sides[turns[high]], sides[turns[low]] = True, False
    return sides


def _nearest(
    places: Sequence[int], turns: Sequence[int], *, prices: list[int], mean: int
) -> list[int]:
    """The half of the trades, two at the least, that a price near the mean suits best."""
    loose = [place for place in places if place not in turns]
    loose.sort(key=lambda place: (abs(prices[place] - mean), place))
    return loose[: max(2, len(loose) // 2)]


def _settle(
    prices: list[int],
    quantities: list[int],
    places: Sequence[int],
    *,
    balancing: Sequence[int],
    weights: bytes,
    volume: int,
    quote_volume: int,
    candle: Candle,
) -> None:
    """Give one side's trades quantities, and the balancing ones two neighbouring prices.

    What the free trades leave has some mean price; it is traded at the tick below
    and at the tick above it, so that volume and quote volume both come out exactly.
    """
    free = [place for place in places if place not in set(balancing)]
    weight = sum(weights[place] for place in free) or 1
    for part in _FREE_PARTS:
        share = int(volume * part)
        for place in free:
            quantities[place] = 1 + share * weights[place] // weight
        rest = volume - sum(quantities[place] for place in free)
        rest_quote = quote_volume - sum(prices[place] * quantities[place] for place in free)
        price, at_upper = divmod(rest_quote, rest)
        if candle.low <= price and price + (at_upper > 0) <= candle.high:
            break
    else:
        raise AssertionError(f"a tape does not meet its candle: {candle}")
    upper_count = _upper_count(len(balancing), at_upper=at_upper, at_lower=rest - at_upper)
    upper, lower = balancing[:upper_count], balancing[upper_count:]
    for group, amount, at in ((upper, at_upper, price + 1), (lower, rest - at_upper, price)):
        for place, quantity in zip(group, _split(amount, [weights[p] for p in group]), strict=True):
            prices[place], quantities[place] = at, quantity


def _upper_count(count: int, *, at_upper: int, at_lower: int) -> int:
    """How many trades share the upper price, so that each of either price gets a step."""
    if not at_upper:
        return 0
    wanted = count * at_upper // (at_upper + at_lower)
    return min(max(wanted, count - at_lower, 1), at_upper, count - 1)


def _split(total: int, weights: list[int]) -> list[int]:
    """Parts of at least one that sum to `total`."""
    if not weights:
        return []
    running = list(accumulate((16 + weight for weight in weights), initial=0))
    spread = total - len(weights)
    shares = [spread * so_far // running[-1] for so_far in running]
    return [1 + there - here for here, there in pairwise(shares)]


def span(symbol: Symbol, start_ms: int, end_ms: int) -> Candle:
    """One candle over the trades with `start_ms <= time < end_ms`; flat when there are none."""
    first_whole = -(-start_ms // MINUTE_MS) * MINUTE_MS
    last_whole = end_ms // MINUTE_MS * MINUTE_MS
    if first_whole > last_whole or start_ms == end_ms:
        return _part(symbol, start_ms, end_ms)
    parts = []
    if start_ms < first_whole:
        parts.append(_part(symbol, start_ms, first_whole))
    if first_whole < last_whole:
        parts.append(_whole(symbol, first_whole, last_whole))
    if last_whole < end_ms:
        parts.append(_part(symbol, last_whole, end_ms))
    return merged(parts)


@lru_cache(maxsize=512)  # the middle of every 24 h ticker stays the same for a minute
def _whole(symbol: Symbol, start_ms: int, end_ms: int) -> Candle:
    return merged(list(whole_candles(symbol, start_ms, end_ms)))


def _part(symbol: Symbol, start_ms: int, end_ms: int) -> Candle:
    trades = minute_trades(symbol, start_ms // MINUTE_MS)
    start = bisect_left(trades, start_ms, key=_time)
    inside = trades[start : bisect_left(trades, end_ms, key=_time)]
    if not inside:
        before = last_trade(symbol, start_ms - 1)
        price = before.price
        return Candle(before.id + 1, price, price, price, price, 0, 0, 0, 0, 0)
    prices = [trade.price for trade in inside]
    bought = [trade for trade in inside if not trade.is_buyer_maker]
    return Candle(
        inside[0].id,
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        sum(trade.quantity for trade in inside),
        sum(trade.price * trade.quantity for trade in inside),
        len(inside),
        sum(trade.quantity for trade in bought),
        sum(trade.price * trade.quantity for trade in bought),
    )


def _time(trade: Trade) -> int:
    return trade.time_ms


def last_trade(symbol: Symbol, now_ms: int) -> Trade:
    """The newest trade that has happened."""
    trades = minute_trades(symbol, now_ms // MINUTE_MS)
    return trades[bisect_right(trades, now_ms, key=_time) - 1]


def trades_from_id(symbol: Symbol, first_id: int, count: int, *, now_ms: int) -> list[Trade]:
    """Up to `count` trades from an id on, in order."""
    newest = last_trade(symbol, now_ms)
    if first_id > newest.id:
        return []
    trades = _trades_since(symbol, minute_of_id(symbol, max(0, first_id)))
    wanted = (trade for trade in trades if trade.id >= first_id)
    return list(islice(wanted, min(count, newest.id - max(0, first_id) + 1)))


def trades_between(
    symbol: Symbol, start_ms: int, end_ms: int, *, count: int, now_ms: int
) -> list[Trade]:
    """Up to `count` trades with `start_ms <= time <= end_ms`, the earliest first."""
    start_ms = max(start_ms, LISTING_MS)
    if start_ms > now_ms:
        return []
    minute = start_ms // MINUTE_MS
    earlier = bisect_left(minute_trades(symbol, minute), start_ms, key=_time)
    first_id = minute_candle(symbol, minute).first_id + earlier
    last_id = last_trade(symbol, max(LISTING_MS, min(end_ms, now_ms))).id
    count = min(count, last_id - first_id + 1)
    return trades_from_id(symbol, first_id, count, now_ms=now_ms) if count > 0 else []


def _trades_since(symbol: Symbol, minute: int) -> Iterator[Trade]:
    return chain.from_iterable(minute_trades(symbol, later) for later in _counting_from(minute))


def _counting_from(minute: int) -> Iterator[int]:
    while True:
        yield minute
        minute += 1
