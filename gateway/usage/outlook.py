"""What the ledger's lines say of the days to come, and of the days that stood out."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.usage import history
from gateway.usage.forecast import Forecast, forecast
from gateway.usage.history import DAY
from gateway.usage.limit import Limit, LimitState
from gateway.usage.pace import LOOK_BACK_DAYS, midnight
from gateway.usage.unusual import HISTORY_DAYS, Unusual, unusual


def forecasts(
    connection: Connection, states: Sequence[LimitState], *, limits: Sequence[Limit], now: datetime
) -> list[Forecast]:
    """One for each state, in their order."""
    start = midnight(now.date() - LOOK_BACK_DAYS * DAY)
    days = history.read(connection, start, now + DAY, now=now, caller=None)
    used = history.by_limit(days, limits)
    leaving = history.leaving(connection, limits, now=now)
    return [
        forecast(one, used.get(pair, ()), now=now, leaving=leaving.get(pair, ()))
        for one in states
        for pair in ((one.limit.id, one.key),)
    ]


def odd_days(
    connection: Connection, start: datetime, end: datetime, *, now: datetime, caller: str | None
) -> Sequence[Unusual]:
    """What stands out on the days in `[start, end)`, of one caller or of all."""
    before = start - HISTORY_DAYS * DAY
    days = history.read(connection, before, end, now=now, caller=caller)
    return unusual(days, start, end, now=now)
