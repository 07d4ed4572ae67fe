"""Confirm tokens: each is for one exact act, for two minutes, for one use."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from cachetools import LRUCache

from gateway.clock import Clock, rfc3339
from gateway.errors import Refused
from gateway.market.writes import Write

LIFETIME = timedelta(seconds=120)
MOST_REMEMBERED = 10_000

Act = TypeVar("Act")


@dataclass(slots=True)
class Confirmation(Generic[Act]):
    """`write` stays known, so that a repeat is answered with what became of it."""

    token: str
    act: Act
    expires_at: datetime
    write: Write | None = None


class Confirmations(Generic[Act]):
    """What was previewed here and may be confirmed. A restart forgets all: preview again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: LRUCache[str, Confirmation[Act]] = LRUCache(MOST_REMEMBERED)

    def issue(self, act: Act) -> Confirmation[Act]:
        token = secrets.token_urlsafe(24)
        confirmation = Confirmation(token, act, self._clock() + LIFETIME)
        self._known[token] = confirmation
        return confirmation

    def find(self, token: str) -> Confirmation[Act]:
        """Raises:
        Refused: the token was never issued here, or it ran out unused.
        """
        confirmation = self._known.get(token)
        if confirmation is None:
            raise Refused(
                "this confirm token is not known here; "
                "call again without confirm_token for a new preview"
            )
        if confirmation.write is None and self._clock() >= confirmation.expires_at:
            raise Refused(
                f"this confirm token expired at {rfc3339(confirmation.expires_at)}; "
                "call again without confirm_token for a new preview"
            )
        return confirmation
