"""Shows an answer as it comes: its text, each call of a tool, and at the end what it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.text import Text

from gateway.client.answers import Reply
from gateway.client.events import CallBegun, CallEnded, Event
from gateway.terminal.closing import caveat, closing
from gateway.terminal.printable import clipped, one_line, printable
from gateway.terminal.waiting import Waiting

# In a file, which has no width, a line may be longer.
WIDTH_IN_FILES = 200
THINKING = "thinking"


class Screen:
    """`out` gets what the model says and nothing else; `aside` whatever is told beside it.

    Use it as a context manager around each answer. In a terminal both are the same place; with
    `> file` only the answer goes there.
    """

    def __init__(self, out: TextIO, aside: Console) -> None:
        self._out = out
        self._aside = aside
        self._waiting = Waiting(aside)
        self._is_one_place = out.isatty()
        self._is_within_line = self._is_after_text = False
        # By the ID of a call that runs: the name of its tool, and since when.
        self._running: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> Self:
        self._running.clear()
        self._is_after_text = False
        self._waiting.begin(THINKING)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waiting.end()
        self._end_line()

    @contextmanager
    def waiting(self, words: str) -> Iterator[None]:
        """Until the end of the block."""
        self._waiting.begin(words)
        try:
            yield
        finally:
            self._waiting.end()

    def show(self, event: Event) -> None:
        if isinstance(event, str):
            self._say(event)
        elif isinstance(event, CallBegun):
            self._begin(event)
        else:
            self._end(event)

    def close(self, reply: Reply) -> None:
        self._waiting.end()
        self._end_line()
        if cut := caveat(reply):
            self.tell(cut)
        self.tell(closing(reply))

    def tell(self, words: str) -> None:
        """Something of the program itself, in lines of its own."""
        self._aside.print(Text(words, style="dim"), soft_wrap=True)

    def item(self, name: str, words: str, *, is_on: bool) -> None:
        """One line of a list."""
        sign, style = ("✓ ", "green") if is_on else ("- ", "dim")
        self._line(sign, style, f"{one_line(name)}: {one_line(words)}")

    def complain(self, words: str) -> None:
        self._aside.print(Text(words, style="red"), soft_wrap=True)

    def _say(self, text: str) -> None:
        shown = printable(text)
        # The blank line that parts it from the text before a call would be a second one.
        shown = shown if self._is_after_text else shown.lstrip("\n")
        if not shown:
            return
        if self._is_one_place:
            self._waiting.end()
        self._out.write(shown)
        self._out.flush()
        self._is_after_text, self._is_within_line = True, not shown.endswith("\n")

    def _begin(self, call: CallBegun) -> None:
        self._waiting.end()
        self._end_line()
        server = f" ({one_line(call.server)})" if call.server else ""
        self._line("⚙ ", "cyan", f"{one_line(call.name)}{server} {one_line(call.arguments)}")
        self._running[call.id] = (one_line(call.name), time.monotonic())
        self._wait()

    def _end(self, call: CallEnded) -> None:
        self._waiting.end()
        self._end_line()
        # With only one at a time it is clear which one ended.
        name = f"{one_line(call.name)} " if len(self._running) > 1 else ""
        self._running.pop(call.id, None)
        took = "" if call.milliseconds is None else f"{duration(call.milliseconds)}  "
        if call.error is None:
            self._line("  ✓ ", "green", f"{name}{took}{one_line(call.content)}")
        else:
            self._line("  ✗ ", "red", f"{name}{one_line(call.error)}")
        self._wait()

    def _wait(self) -> None:
        if not self._running:
            self._waiting.begin(THINKING)
            return
        names, begun = zip(*self._running.values(), strict=True)
        self._waiting.begin(", ".join(names), since=min(begun))

    def _line(self, sign: str, style: str, words: str) -> None:
        width = self._aside.width if self._aside.is_terminal else WIDTH_IN_FILES
        line = Text.assemble((sign, style), (clipped(words, width - len(sign)), "dim"))
        self._aside.print(line, soft_wrap=True)
        self._is_after_text = False

    def _end_line(self) -> None:
        if self._is_within_line:
            self._out.write("\n")
            self._out.flush()
            self._is_within_line = False


def duration(milliseconds: float) -> str:
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1_000:.1f} s"
