"""How unusual a value is beside its own past, measured so that past outliers do not hide it."""

from collections.abc import Sequence
from decimal import Decimal
from statistics import median

SMALLEST_HISTORY = 20
# Makes the median absolute deviation of a normal distribution equal to its standard deviation.
_NORMAL = Decimal("1.4826")


def robust_score(
    value: Decimal, history: Sequence[Decimal], *, floor: Decimal | None = None
) -> Decimal | None:
    """Robust standard deviations (from the MAD) between `value` and the median of `history`.

    The deviation counts as at least `floor`, so that a market at rest does not make every
    step unusual. None when the history is too short, or too still and without a floor.
    """
    if len(history) < SMALLEST_HISTORY:
        return None
    centre = median(history)
    deviation = median([abs(past - centre) for past in history]) * _NORMAL
    scale = max(deviation, floor or Decimal(0))
    return (value - centre) / scale if scale else None
