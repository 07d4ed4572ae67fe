"""The models to choose from, always at hand: made anew beside the requests when they change."""

import asyncio
from collections.abc import Callable

from gateway.llm.catalog.catalog import Catalog
from gateway.llm.lineup import Lineup


class LatestLineup:
    """`now` never waits. A thousand models take 30 ms, for which those of a moment ago serve.

    `warm` works out beforehand what requests would wait for.
    """

    def __init__(self, catalog: Catalog, *, warm: Callable[[Lineup], None]) -> None:
        self._catalog = catalog
        self._warm = warm
        self._making = False
        self._lineup: Lineup | None = None
        self._revision: object = None

    def now(self) -> Lineup:
        """Those of a moment ago, but for the very first time."""
        if self._lineup is None:
            return self.latest()
        if self._catalog.revision is not self._revision and not self._making:
            self._begin()
        return self._lineup

    def latest(self) -> Lineup:
        """Those that there are now, even if that takes a while."""
        if self._lineup is None or self._catalog.revision is not self._revision:
            self._make()
        assert self._lineup is not None
        return self._lineup

    def _begin(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Nobody else is waiting where no loop runs.
            self._make()
            return
        self._making = True
        loop.run_in_executor(None, self._make_warm)

    def _make_warm(self) -> None:
        # Read before the models: what changes meanwhile is made anew the next time.
        revision = self._catalog.revision
        try:
            lineup = Lineup(self._catalog.callable_models)
            self._warm(lineup)
            self._lineup, self._revision = lineup, revision
        finally:
            self._making = False

    def _make(self) -> None:
        revision = self._catalog.revision
        self._lineup, self._revision = Lineup(self._catalog.callable_models), revision
