"""How long limits last at their pace, in words and numbers."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from gateway.sources.models.rendering import plain, table
from gateway.usage.forecast import DEVIATIONS, Forecast
from gateway.usage.forecast_words import rounded, sentence
from gateway.usage.pace import HALF_LIFE_DAYS, LOOK_BACK_DAYS, Pace

MOST_ROWS = 31


def outlook(forecasts: Sequence[Forecast]) -> str:
    """Of one key as facts, of several as a table; with the method."""
    if len(forecasts) == 1:
        return "\n\n".join(["## Forecast", *_of_one(forecasts[0])])
    rows = [(plain(one.state.key) or "all", sentence(one)) for one in forecasts[:MOST_ROWS]]
    more = len(forecasts) - MOST_ROWS
    rest = [f"{more:,} more are not shown."] if more > 0 else []
    return "\n\n".join(["## Forecast", table(("For", "Forecast"), rows), *rest, _METHOD])


def _of_one(one: Forecast) -> Iterable[str]:
    yield sentence(one)
    if not one.is_known or one.is_used_up:
        return
    yield table(("What", "Value"), _facts(one))
    yield _METHOD


def _facts(one: Forecast) -> Iterable[tuple[str, str]]:
    shown = one.state.limit.shown
    yield "Pace", f"{shown(rounded(one.a_day))} a day"
    if one.others:
        yield "Of it by others", f"{shown(rounded(one.others))} a day"
    if isinstance(one.pace, Pace):
        yield "A day differs by", shown(rounded(one.pace.spread))
        yield "Seen", f"{one.pace.calls:,} calls in {one.pace.days:.1f} days"
        yield "Days of the week", "weighed in" if one.pace.has_weekdays else "too few weeks to tell"
    yield "Likely end", _moment(one.ends_at)
    yield "At the earliest", _moment(one.earliest)
    yield "At the latest", _moment(one.latest)
    if one.left is not None:
        yield "Left at the end of the window", shown(rounded(one.left.likely))


def _moment(moment: datetime | None) -> str:
    if moment is None:
        return "not in this window"
    return f"{moment.astimezone(UTC):%d %b %Y, %H:%M} UTC".removeprefix("0")


# Of simulated months whose days differ by a third, 76 to 79 % ended in the range, half to two
# thirds of those with bursts, and hardly any whose use grew by 3 % a day.
_METHOD = (
    f"The pace is the mean of the last {LOOK_BACK_DAYS} days, in which a day counts half as much "
    f"as one {HALF_LIFE_DAYS:.0f} days later; from three whole weeks on, days of the week count. "
    f"The range is {DEVIATIONS} deviations to each side: it holds in some four of five months if "
    "days go on to differ as they did, in fewer where use comes in bursts. Growth is not carried "
    "on. What others use is taken to go on as the provider counted it."
)
