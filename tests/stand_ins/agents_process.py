"""Gateways without doors in processes of their own, which carry runs out until they are killed.

A nursery loads everything once, and each gateway is a fork of it: to load all of it takes seconds,
and a test that kills many has not so many.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.stand_ins.gateway_process import ROOT, own_environment


@dataclass(frozen=True, slots=True)
class Nursery:
    process: Process

    async def open(self) -> int:
        """The process ID of another gateway, which opens now; it ends with the nursery."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"another\n")
        return int(await self._line())

    async def _line(self) -> bytes:
        assert self.process.stdout is not None
        if not (line := await self.process.stdout.readline()):
            raise RuntimeError("the nursery of agents ended; its log says why")
        return line


def kill(pid: int) -> None:
    """As `kill -9` does."""
    os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def nursery(config: Path, *, env: Mapping[str, str], log: Path) -> AsyncIterator[Nursery]:
    with log.open("ab") as written:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.stand_ins.agents_process", str(config)),
            cwd=ROOT,
            env={**own_environment(), **env},
            stdin=PIPE,
            stdout=PIPE,
            stderr=written,
        )
    try:
        yield Nursery(process)
    finally:
        await process.communicate(b"")


def main(config: Path) -> None:
    """A line in is another gateway, a line out its process ID; all end with the input."""
    import dbos  # noqa: F401 - a gateway loads it when it opens, too late for the others

    from gateway.app import opening  # noqa: F401 - for all forks

    # Nobody waits for those that were killed; as zombies they would stay.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    forks: list[int] = []
    for _ in sys.stdin.buffer:
        if not (fork := os.fork()):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(_carry_out(config))
        forks.append(fork)
        sys.stdout.write(f"{fork}\n")
        sys.stdout.flush()
    for fork in forks:
        with suppress(ProcessLookupError):
            os.kill(fork, signal.SIGKILL)


async def _carry_out(config: Path) -> None:
    from gateway.app.opening import opened
    from gateway.config.settings import load

    async with opened(load(config, environment=os.environ), carries_out="all"):
        await asyncio.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
