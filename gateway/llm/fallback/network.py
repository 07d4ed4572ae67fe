"""Whether the network is gone, as far as connections that failed can tell."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.clock import Clock, now
from gateway.errors import DeadlineExceeded, GatewayError
from gateway.llm.catalog.assembly import LOCAL_KINDS
from gateway.llm.provider.health import Unreachable
from gateway.llm.provider.provider import Provider

# One provider alone may be down itself; this many at once, and it is the way to them.
ENOUGH_PROVIDERS = 2
# Failures this far apart are not of one cause.
TOGETHER = timedelta(seconds=60)
# For so long no request waits for a connection that would fail; then one finds out again.
AVOIDED = timedelta(seconds=15)


class Network:
    """Only providers elsewhere count: one on this machine may answer, or be down, without it."""

    def __init__(self, providers: Mapping[str, Provider], *, clock: Clock = now) -> None:
        self._providers = providers
        self._clock = clock
        self._failed_at: dict[str, datetime] = {}
        self._avoided_until: datetime | None = None

    @property
    def is_gone(self) -> bool:
        """From the failures on until a provider elsewhere is reached."""
        return self._avoided_until is not None

    @property
    def is_avoided(self) -> bool:
        """Whether it is gone, and was so a moment ago."""
        return self._avoided_until is not None and self._clock() < self._avoided_until

    @property
    def reason(self) -> str:
        names = " and ".join(sorted(self._failed_at))
        return f"the network seems to be gone: {names} cannot be reached"

    def heard(self, provider: str, error: GatewayError | None, *, was_sent: bool) -> None:
        """How a call ended, or that it began to answer; a call that was sent had a connection."""
        if provider not in self._elsewhere():
            return
        if was_sent:
            self._failed_at.clear()
            self._avoided_until = None
        elif isinstance(error, Unreachable | DeadlineExceeded):
            self._fail(provider)

    def _fail(self, provider: str) -> None:
        moment = self._clock()
        recent = {one: at for one, at in self._failed_at.items() if moment - at <= TOGETHER}
        # While it is gone, whoever tries again finds nothing new.
        self._failed_at = {**(self._failed_at if self.is_gone else recent), provider: moment}
        if len(self._failed_at) >= min(ENOUGH_PROVIDERS, len(self._elsewhere())):
            self._avoided_until = moment + AVOIDED

    def _elsewhere(self) -> frozenset[str]:
        return frozenset(
            name for name, one in self._providers.items() if one.kind not in LOCAL_KINDS
        )
