"""`gateway chat` as its users start it: from a script, or at a terminal."""

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.stand_ins.gateway_process import own_environment

COMMAND = (sys.executable, "-m", "gateway", "chat")
# Ctrl-C goes to whoever has the terminal for its own.
AT_TERMINAL = (
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from gateway.__main__ import main; sys.argv[0] = 'gateway'; main()"
)
ROOT = Path(__file__).parents[2]
SECONDS = 30
PATIENCE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


async def ran(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ran:
    """As a script runs it, to its end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**own_environment(), **(env or {})},
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(stdin)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


class Terminal:
    """What stands on it so far is `said`, as it came, escape sequences included."""

    def __init__(self, screen: int, process: asyncio.subprocess.Process) -> None:
        self._screen = screen
        self._process = process
        self._seen = 0
        self._came = asyncio.Condition()
        self._has_ended = False
        self.said = ""

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def shows(self, words: str) -> None:
        """Waits until they stand there, behind what was waited for before."""
        try:
            async with asyncio.timeout(SECONDS), self._came:
                await self._came.wait_for(lambda: words in self.said[self._seen :])
        except TimeoutError:
            raise AssertionError(f"{words!r} did not come; it says {self.said!r}") from None
        self._seen = self.said.index(words, self._seen) + len(words)

    async def ends(self) -> int:
        async with asyncio.timeout(SECONDS):
            code = await self._process.wait()
            async with self._came:
                await self._came.wait_for(lambda: self._has_ended)
        return code

    async def ends_by_interrupts(self) -> int:
        """As people do it: readline loses one that comes in the instant before it waits."""
        while self._process.returncode is None:
            self.type("\x03")
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._process.wait()
        return await self.ends()

    async def read(self) -> None:
        # Its other end is closed with the program: then reading is an error.
        with suppress(OSError):
            while piece := await asyncio.to_thread(os.read, self._screen, 65_536):
                async with self._came:
                    self.said += piece.decode(errors="replace")
                    self._came.notify_all()
        async with self._came:
            self._has_ended = True
            self._came.notify_all()


@asynccontextmanager
async def at_terminal(
    *arguments: str, env: Mapping[str, str] | None = None, width: int = 80, kind: str = "xterm"
) -> AsyncIterator[Terminal]:
    """Somebody sits there and looks on."""
    screen, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AT_TERMINAL, "chat"),
        *arguments,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env={**own_environment(), "TERM": kind, **(env or {})},
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(inside)
    terminal = Terminal(screen, process)
    reading = asyncio.create_task(terminal.read(), name="terminal")
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading
        os.close(screen)
