"""A line that says what is waited for, and how long already."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

PER_SECOND = 4


class Waiting:
    """Shows nothing where nobody looks on, or where a line cannot be taken back."""

    def __init__(
        self, console: Console, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._monotonic = monotonic
        self._live: Live | None = None
        self._words = ""
        self._since = 0.0

    def begin(self, words: str, *, since: float | None = None) -> None:
        self.end()
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            return
        self._words = words
        self._since = self._monotonic() if since is None else since
        self._live = Live(
            console=self._console,
            get_renderable=self._line,
            refresh_per_second=PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def end(self) -> None:
        """Take the line back: whatever is printed next begins where it began."""
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _line(self) -> Text:
        seconds = int(self._monotonic() - self._since)
        words = f"{self._words} {seconds} s" if seconds else self._words
        return Text(words, style="dim", no_wrap=True, overflow="ellipsis")
