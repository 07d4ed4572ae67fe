"""The order book around the last trade, new several times a second.

Levels stand at fixed prices, so that they outlive a change: most keep their
size for seconds, some lose a part of it for a moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from gateway.market.simulated.candles import DAY_MS, LISTING_MS, day_plan
from gateway.market.simulated.noise import noise_bytes
from gateway.market.simulated.symbols import Symbol
from gateway.market.simulated.tape import Trade, last_trade

CHANGE_MS = 200
_REST_MS = 8_000
_BLOCK = 32
# Two neighbouring levels are about this far apart, as a part of the price.
_LEVEL_GAP = 1e-5
# What rests within one percent of the price, as a part of a day's volume.
_DEPTH_OF_DAY = 1 / 150

Level = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Book:
    """Levels are `(ticks, steps)`, the best first."""

    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@lru_cache(maxsize=8)
def book_at(symbol: Symbol, now_ms: int, *, levels: int) -> Book:
    newest = last_trade(symbol, now_ms)
    slot = (now_ms - LISTING_MS) // CHANGE_MS
    bid, ask = _touch(symbol, newest, slot)
    return Book(
        # Both terms only grow, and one of them grows with every change.
        update_id=slot + 3 * newest.id,
        bids=tuple(islice(_side(symbol, bid, now_ms, towards=-1), levels)),
        asks=tuple(islice(_side(symbol, ask, now_ms, towards=1), levels)),
    )


def _touch(symbol: Symbol, newest: Trade, slot: int) -> tuple[int, int]:
    """The last trade took one side's best price; the other side is a spread away."""
    noise = noise_bytes(f"{symbol.name} spread {slot}", 1)[0]
    usual = newest.price * symbol.minute_swing * 0.06
    spread = max(1, int(usual * (0.5 + noise * noise / 65_025)))
    if newest.is_buyer_maker:
        return newest.price, newest.price + spread
    return max(1, newest.price - spread), max(2, newest.price)


def _side(symbol: Symbol, best: int, now_ms: int, *, towards: int) -> Iterator[Level]:
    """Levels from the best price outwards: the best one, then those that stand on the grid."""
    opening = day_plan(symbol, now_ms // DAY_MS).prices[0]
    gap = max(1, int(opening * _LEVEL_GAP))
    usual = max(4.0, symbol.steps_per_day * _DEPTH_OF_DAY * gap / opening * 100)
    noise = noise_bytes(f"{symbol.name} touch {best} {now_ms // CHANGE_MS}", 1)[0]
    yield best, max(1, int(usual * (0.3 + noise / 120)))
    block, place = divmod(best // gap, _BLOCK)
    while True:
        sizes = _sizes(symbol, block, now_ms // _REST_MS, now_ms // CHANGE_MS)
        places = range(place, _BLOCK) if towards > 0 else range(place, -1, -1)
        for index, jitter in ((place, _jitter(symbol, block)[place]) for place in places):
            price = (block * _BLOCK + index) * gap + jitter * gap // 256
            if price < 1:
                return
            if (price - best) * towards > 0:
                growth = _growth(abs(price - best) / opening)
                yield price, max(1, int(usual * sizes[index] * growth))
        block += towards
        place = 0 if towards > 0 else _BLOCK - 1


@lru_cache(maxsize=512)
def _jitter(symbol: Symbol, block: int) -> bytes:
    """Where thirty-two levels stand in their gaps, in 256ths."""
    return noise_bytes(f"{symbol.name} levels {block}", _BLOCK)


@lru_cache(maxsize=512)
def _sizes(symbol: Symbol, block: int, rest: int, change: int) -> tuple[float, ...]:
    """How big each of thirty-two levels is against the usual."""
    resting = noise_bytes(f"{symbol.name} rest {block} {rest}", _BLOCK)
    moving = noise_bytes(f"{symbol.name} move {block} {change}", _BLOCK)
    return tuple(map(_size, resting, moving))


def _growth(away: float) -> float:
    # In few stages, because a level must keep its size while the price moves a little.
    return 0.6 if away < 0.001 else 1.2 if away < 0.003 else 2.0


def _size(resting: int, moving: int) -> float:
    size = 0.25 + resting / 170
    if resting > 252:
        return size * 6  # a wall, which stays as long as its size does
    if moving < 48:
        return size * (0.4 + moving / 60)
    return size
