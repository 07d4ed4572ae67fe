"""What keeps a watcher from watching, said once for as long as it stays the same."""

import logging
from collections.abc import Awaitable, Callable

from gateway.errors import GatewayError

logger = logging.getLogger(__name__)


class Troubles:
    """Of one watcher: it tries again and again, and must not fill the log with one error."""

    def __init__(self, watcher: str) -> None:
        self._watcher = watcher
        self._last: str | None = None

    async def tried(self, look: Callable[[], Awaitable[object]]) -> bool:
        """Whether this look went well; what kept it from that may be gone at the next."""
        try:
            await look()
        except Exception as error:
            self.take(error)
            return False
        self.end()
        return True

    def take(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said == self._last:
            return
        self._last = said
        if isinstance(error, GatewayError | OSError):
            logger.warning("%s cannot watch: %s", self._watcher, said)
        else:
            logger.error("%s cannot watch", self._watcher, exc_info=error)

    def end(self) -> None:
        if self._last is not None:
            self._last = None
            logger.info("%s watches again", self._watcher)
