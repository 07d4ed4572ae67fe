"""Binance's request weight: counted by the minute of the clock, refused above the limit."""

from gateway.market.simulated.wire import Refusal

WEIGHT_PER_MINUTE = 6000
_MINUTE_MS = 60_000
# Whoever goes on after this many refusals in one minute is banned.
_PATIENCE = 20
_BAN_MS = 120_000


class RequestWeight:
    """What one client has used in this minute; a simulated exchange has one client."""

    def __init__(self, limit: int = WEIGHT_PER_MINUTE) -> None:
        self.limit = limit
        self.used = 0
        self._minute = 0
        self._refusals = 0
        self._banned_until_ms = 0

    def spend(self, weight: int, *, now_ms: int) -> None:
        """Count a request.

        Raises:
            Refusal: 429 above the limit, 418 while banned; both say when to come back.
        """
        self._turn_minute(now_ms)
        if now_ms < self._banned_until_ms:
            raise self._ban(now_ms)
        self.used += weight
        if self.used <= self.limit:
            return
        self._refusals += 1
        if self._refusals > _PATIENCE:
            self._banned_until_ms = now_ms + _BAN_MS
            raise self._ban(now_ms)
        raise Refusal(
            -1003,
            "Too much request weight used; current limit is"
            f" {self.limit} request weight per 1 MINUTE. Please use WebSocket Streams"
            " for live updates to avoid polling the API.",
            status=429,
            retry_after_seconds=_seconds(_MINUTE_MS - now_ms % _MINUTE_MS),
        )

    def _turn_minute(self, now_ms: int) -> None:
        minute = now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self.used, self._refusals = minute, 0, 0

    def _ban(self, now_ms: int) -> Refusal:
        return Refusal(
            -1003,
            f"Way too much request weight used; IP banned until {self._banned_until_ms}."
            " Please use WebSocket Streams for live updates to avoid bans.",
            status=418,
            retry_after_seconds=_seconds(self._banned_until_ms - now_ms),
        )


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
