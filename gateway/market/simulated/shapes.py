"""How an hour goes: a stock of price shapes and of activity shapes, with their averages.

A candle's quote volume is needed long before its minutes are. With a fixed
stock of shapes the mean price of an hour is known without opening it.
"""

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul

from gateway.market.simulated.noise import noise_bytes

MINUTES = 60


@dataclass(frozen=True, slots=True)
class PriceShape:
    """A walk from zero to zero in sixty steps; an hour scales it by its swing."""

    points: tuple[float, ...]
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class ActivityShape:
    """Running totals of weights by minute, and how far each minute's wicks reach (0..255)."""

    buys: tuple[int, ...]
    sells: tuple[int, ...]
    trades: tuple[int, ...]
    rises: tuple[int, ...]
    falls: tuple[int, ...]


def _price_shape(index: int) -> PriceShape:
    noise = noise_bytes(f"price shape {index}", MINUTES)
    steps = [(byte - 127.5) / 73.6 / math.sqrt(MINUTES) for byte in noise]
    total = sum(steps)
    walk = accumulate((step - total / MINUTES for step in steps), initial=0.0)
    points = (*tuple(walk)[:-1], 0.0)
    return PriceShape(points, max(points), min(points))


def _running_weights(key: str, *, least: int) -> tuple[int, ...]:
    return tuple(accumulate((least + byte for byte in noise_bytes(key, MINUTES)), initial=0))


def _wicks(key: str) -> tuple[int, ...]:
    # Squared: most wicks are short, few are long.
    return tuple(byte * byte >> 8 for byte in noise_bytes(key, MINUTES))


def _activity_shape(index: int) -> ActivityShape:
    return ActivityShape(
        buys=_running_weights(f"buys {index}", least=90),
        sells=_running_weights(f"sells {index}", least=90),
        trades=_running_weights(f"trades {index}", least=120),
        rises=_wicks(f"rises {index}"),
        falls=_wicks(f"falls {index}"),
    )


PRICE_SHAPES = tuple(_price_shape(index) for index in range(64))
ACTIVITY_SHAPES = tuple(_activity_shape(index) for index in range(32))


def _middles(points: tuple[float, ...]) -> list[float]:
    return [(here + there) / 2 for here, there in pairwise(points)]


def _portions(running_weights: tuple[int, ...]) -> list[float]:
    return [(there - here) / running_weights[-1] for here, there in pairwise(running_weights)]


def _means(points: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """By activity shape: the mean of a walk for its buys and for its sells."""
    middles = _middles(points)
    return tuple(
        (sum(map(mul, middles, buys)), sum(map(mul, middles, sells))) for buys, sells in _PORTIONS
    )


_PORTIONS = [(_portions(shape.buys), _portions(shape.sells)) for shape in ACTIVITY_SHAPES]
RAMP_MEANS = _means(tuple(minute / MINUTES for minute in range(MINUTES + 1)))
# By price shape, then by activity shape.
SHAPE_MEANS = tuple(_means(shape.points) for shape in PRICE_SHAPES)
