"""The price of one asset in dollars over time, as a logarithm: days, and the hours inside them."""

import math
from functools import lru_cache
from itertools import accumulate
from struct import unpack
from typing import NamedTuple

from gateway.market.simulated.assets import Asset
from gateway.market.simulated.noise import noise_at, noise_bytes
from gateway.market.simulated.shapes import PRICE_SHAPES

# Period in days and reach, in daily swings: near enough to a random walk, but closed in form.
_SHORT_WAVES = ((1, 0.5), (3, 0.9), (9, 1.8))
_LONG_WAVES = ((30, 4.0), (100, 8.0), (350, 16.0))
# A wild coin has wild days; over a year it must still stay near its rough price.
_LONG_SWING_LIMIT = 0.025
_OWN_SHARE = 0.66
_MARKET_SHARE = 0.75
_HOUR_OF_DAY = 1 / math.sqrt(24)


class AssetDay(NamedTuple):  # a tuple because thousands are made per answer
    """Log prices at the 25 hour marks; for each hour its shape and how it is scaled."""

    levels: tuple[float, ...]
    shapes: tuple[int, ...]
    swings: tuple[float, ...]
    tops: tuple[float, ...]
    bottoms: tuple[float, ...]


_FLAT = (0.0,) * 24


def asset_day(asset: Asset, day: int) -> AssetDay:
    return _moving_day(asset, day) if asset.swing else _still_day(asset)


@lru_cache(maxsize=8)
def _still_day(asset: Asset) -> AssetDay:
    return AssetDay((math.log(asset.usd),) * 25, (0,) * 24, _FLAT, _FLAT, _FLAT)


@lru_cache(maxsize=800)
def _moving_day(asset: Asset, day: int) -> AssetDay:
    noise = noise_bytes(f"{asset.moves_like} day {day}", 97)
    liveliness = 0.7 + noise[96] / 425
    hourly = asset.swing * _HOUR_OF_DAY * liveliness
    shapes = tuple(byte % len(PRICE_SHAPES) for byte in noise[48:72])
    swings = tuple((byte - 127.5) / 110 * hourly for byte in noise[72:96])
    scaled = [
        (swing * PRICE_SHAPES[shape].top, swing * PRICE_SHAPES[shape].bottom)
        for shape, swing in zip(shapes, swings, strict=True)
    ]
    steps = [1.73 / 32768 * hourly * step for step in unpack(">24h", noise[:48])]
    return AssetDay(
        levels=_hour_levels(asset, day, steps),
        shapes=shapes,
        swings=swings,
        tops=tuple(map(max, scaled)),
        bottoms=tuple(map(min, scaled)),
    )


def _hour_levels(asset: Asset, day: int, steps: list[float]) -> tuple[float, ...]:
    """A bridge from this day's opening price to the next day's."""
    start, end = day_level(asset, day), day_level(asset, day + 1)
    drift = (end - start - sum(steps)) / 24
    levels = accumulate((step + drift for step in steps), initial=start)
    return (*tuple(levels)[:-1], end)


@lru_cache(maxsize=3000)
def day_level(asset: Asset, day: int) -> float:
    long_swing = min(asset.swing, _LONG_SWING_LIMIT)
    name, share = asset.moves_like, _OWN_SHARE if asset.follows_market else 1.0
    level = math.log(asset.usd)
    level += share * asset.swing * _waves(name, day, _SHORT_WAVES)
    level += share * long_swing * _waves(name, day, _LONG_WAVES)
    if asset.follows_market:
        short, long = _market(day)
        level += _MARKET_SHARE * (asset.swing * short + long_swing * long)
    return level


@lru_cache(maxsize=2048)
def _market(day: int) -> tuple[float, float]:
    return _waves("market", day, _SHORT_WAVES), _waves("market", day, _LONG_WAVES)


def _waves(name: str, day: int, waves: tuple[tuple[int, float], ...]) -> float:
    return sum(reach * _wave(f"{name} wave {period}", day, period) for period, reach in waves)


def _wave(key: str, day: int, period: int) -> float:
    index, days = divmod(day, period)
    here = noise_at(key, index)
    if not days:
        return here
    part = days / period
    return here + (noise_at(key, index + 1) - here) * part * part * (3 - 2 * part)
