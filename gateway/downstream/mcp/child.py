"""An MCP server that is a program of its own: started here, spoken with over stdio, always reaped.

It begins a session of processes, so that whatever it starts ends with it. It ends when its stdin
does, else by SIGTERM, else by SIGKILL. Should the gateway crash, stdin ends by itself, and on Linux
the kernel sends SIGTERM. A launcher asks for that between fork and exec, as a process of its own:
code of ours that ran in the fork itself could hang on a lock that another thread held.
"""

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.downstream.mcp.link import Inbox, Outgoing
from gateway.downstream.mcp.messages import MAX_MESSAGE_BYTES, NotSent, Unreachable
from gateway.downstream.translation import plain

logger = logging.getLogger(__name__)

Process = subprocess.Popen[bytes]

# How long a child may take to end by itself, then after SIGTERM, then after SIGKILL.
EOF_SECONDS = 1.0
TERM_SECONDS = 1.0
KILL_SECONDS = 2.0
# After its death, for what is still in its pipes; a grandchild may hold them open for ever.
LAST_WORDS_SECONDS = 0.1
BEGINNING_BYTES = 512
MAX_LOG_LINES = 50  # of its stderr, in each minute
MAX_LOG_CHARACTERS = 400
_CANNOT_RUN = 127
# 1 is PR_SET_PDEATHSIG. Python ignores two signals, and exec would pass that on.
_LAUNCHER = f"""
import ctypes, os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError:
        sys.exit({_CANNOT_RUN})
"""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, secrets and all; `environment` is all that it gets to see of one."""

    command: tuple[str, ...] = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None

    @property
    def address(self) -> str:
        """Without arguments, which may hold a secret."""
        return f"stdio:{Path(self.command[0]).name}"


class Child:
    """A `Link` to a child process."""

    def __init__(self, name: str, command: Command) -> None:
        self._name = name
        self._command = command
        self._pipes: _Pipes | None = None

    async def open(self, inbox: Inbox) -> None:
        program, environment = self._command.command[0], dict(self._command.environment)
        if os.sep not in program and not shutil.which(program, path=environment.get("PATH")):
            raise NotSent(f"its command {plain(program, limit=60)} is not installed")
        self._pipes = _Pipes(self._name, inbox, self._started(environment))
        await self._pipes.connect()

    def _started(self, environment: Mapping[str, str]) -> Process:
        """Not by the event loop: uvloop forks, and gRPC's threads do not survive a fork.

        Python's own way is vfork, which runs none of the handlers that gRPC has for it.
        """
        try:
            return subprocess.Popen(
                _launched(self._command.command),
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=self._command.folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise NotSent(f"its command cannot be run: {reason}") from error

    async def send(self, message: Outgoing) -> None:
        if self._pipes is None:
            raise Unreachable("its process is not running")
        if self._pipes.has_ended:
            raise Unreachable(self._pipes.end_reason)
        await self._pipes.write(message.raw)

    def listen(self) -> None:
        """A child may speak whenever it likes."""

    async def close(self) -> None:
        pipes, self._pipes = self._pipes, None
        if pipes is not None:
            await pipes.close()


class _Pipes:
    """The process and its three pipes."""

    def __init__(self, name: str, inbox: Inbox, process: Process) -> None:
        self._name = name
        self._inbox = inbox
        self._process = process
        self._lines = Lines()
        self._log = _ErrorLog(name)
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._exited = asyncio.Event()
        self._stdin: asyncio.WriteTransport | None = None
        self._open: list[asyncio.BaseTransport] = []
        self.has_ended = False

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._wait, args=(loop,), name=f"wait for mcp {self._name}", daemon=True
        ).start()
        heard, logged = _Reader(self._heard, self._end_soon), _Reader(self._log.take)
        self._open.append((await loop.connect_read_pipe(lambda: heard, self._process.stdout))[0])
        self._open.append((await loop.connect_read_pipe(lambda: logged, self._process.stderr))[0])
        writer = _Writer(self._may_write)
        self._stdin, _ = await loop.connect_write_pipe(lambda: writer, self._process.stdin)
        self._open.append(self._stdin)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._process.wait()
        # A loop that is closed has nobody who would want to know.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._process_exited)

    def _heard(self, data: bytes) -> None:
        self._inbox.heard(len(data))
        for line, is_whole in self._lines.split(data):
            (self._inbox.take if is_whole else self._inbox.take_beginning)(line)

    def _process_exited(self) -> None:
        self._exited.set()
        self._end_soon()

    async def write(self, raw: bytes) -> None:
        """
        Raises:
            Unreachable: the process has closed its stdin.
        """
        await self._may_write.wait()
        if self.has_ended or self._stdin is None or self._stdin.is_closing():
            raise Unreachable("its process does not listen any more")
        # One write, so that a caller that goes away leaves no half of a line.
        self._stdin.write(raw + b"\n")

    async def close(self) -> None:
        """Ends the process and all that it started, whatever interrupts the waiting."""
        self.has_ended = True
        try:
            if self._stdin:
                self._stdin.close()
            if not await self._exits_within(EOF_SECONDS):
                self._signal(signal.SIGTERM)
                await self._exits_within(TERM_SECONDS)
        finally:
            self._signal(signal.SIGKILL)
            await self._exits_within(KILL_SECONDS)
            for pipe in self._open:
                pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group: a wrapper such as npx has children of its own."""
        # No other process gets this number while any of the group lives.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _exits_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._exited.wait()
        except TimeoutError:
            return False
        return True

    def _end_soon(self) -> None:
        """The end of a process and that of its pipes are told apart, in either order."""
        if not self.has_ended:
            self.has_ended = True
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._end)

    def _end(self) -> None:
        self._log.end(is_crash=bool(self._process.returncode))
        self._may_write.set()
        self._inbox.end(self.end_reason)

    @property
    def end_reason(self) -> str:
        return _described(self._process.returncode)


class _Reader(asyncio.Protocol):
    def __init__(
        self, take: Callable[[bytes], None], end: Callable[[], None] | None = None
    ) -> None:
        self._take = take
        self._end = end

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end()


class _Writer(asyncio.BaseProtocol):
    """Lets others write while the pipe takes what they write."""

    def __init__(self, may_write: asyncio.Event) -> None:
        self._may_write = may_write

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._may_write.set()


class Lines:
    """Puts chunks of bytes together to lines; of one that is too long only the beginning stays."""

    def __init__(self, most_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._line = bytearray()
        self._is_whole = True

    def split(self, chunk: bytes) -> Iterator[tuple[bytes, bool]]:
        """Each line that has ended, and whether it is whole."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            line, is_whole = bytes(self._line), self._is_whole
            self._line.clear()
            self._is_whole = True
            if line.strip():
                yield line, is_whole
        self._add(rest)

    def _add(self, part: bytes) -> None:
        self._line += part
        if len(self._line) > self._most_bytes or not self._is_whole:
            self._is_whole = False
            del self._line[BEGINNING_BYTES:]


class _ErrorLog:
    """The child's stderr in our log: short, clean lines, and only so many of them."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lines = Lines(most_bytes=64 * 1024)
        self._since = clock()
        self._count = 0
        self._last = b""

    def take(self, chunk: bytes) -> None:
        for line, _ in self._lines.split(chunk):
            # Only what is logged is read: a child may say more than anybody could.
            self._log(line[: 4 * MAX_LOG_CHARACTERS])

    def end(self, *, is_crash: bool) -> None:
        # What it said last is mostly why; other lines may hold what passed through it.
        if is_crash and self._last:
            logger.info("mcp=%s ended after saying %r", self._name, _clean(self._last))

    def _log(self, line: bytes) -> None:
        self._last = line
        now = self._clock()
        if now - self._since >= 60:
            self._since, self._count = now, 0
        self._count += 1
        if self._count <= MAX_LOG_LINES:
            logger.debug("mcp=%s stderr=%r", self._name, _clean(line))


def _clean(line: bytes) -> str:
    return plain(line.decode(errors="replace"), limit=MAX_LOG_CHARACTERS)


def _launched(command: tuple[str, ...]) -> tuple[str, ...]:
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command)


def _described(status: int | None) -> str:
    if status is None or status == 0:
        return "its process ended"
    if status == _CANNOT_RUN:
        return "its command cannot be run"
    if status < 0:
        return f"its process was ended by signal {-status}"
    return f"its process ended with status {status}"
