"""The real `git`, asked only to read, in a way in which a repository cannot make it run programs.

What a repository configures is not trusted: https://git-scm.com/docs/git#_security. Programs that
read for other programs (`rev-list`, `diff-tree`) look at no configuration of how output is shown,
so that no signature is checked and no pager begun.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gateway.errors import BadAnswer, DeadlineExceeded

DEADLINE_SECONDS = 60.0
MOST_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_MOST_COMPLAINT_BYTES = 2_000
# Nothing of the gateway's own environment goes in, and so none of its keys.
_ENVIRONMENT: Mapping[str, str] = {
    "PATH": f"{os.defpath}:/usr/local/bin:/opt/homebrew/bin",
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # What a partial clone lacks would be fetched, by whatever program the repository names.
    "GIT_NO_LAZY_FETCH": "1",
    # Unlike `protocol.allow`, no repository can override it.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_OPTIONAL_LOCKS": "0",
}
_FIXED = (
    "--no-pager",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "protocol.allow=never",
    "-c",
    "core.quotePath=false",
    # Its owner may be another one, as in a container; with all of this it need not be ours.
    "-c",
    "safe.directory=*",
)


class Said(NamedTuple):
    """`is_cut` where there was more than was to be read."""

    output: bytes
    is_cut: bool


class Git:
    """Of one repository; nothing above its folder is looked at."""

    def __init__(self, repository: Path, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._repository = repository.absolute()
        self._deadline_seconds = deadline_seconds
        self._environment = {
            **_ENVIRONMENT,
            "GIT_CEILING_DIRECTORIES": str(self._repository.parent),
        }

    async def run(
        self, *arguments: str, most_bytes: int = MOST_BYTES, lines: Iterable[str] | None = None
    ) -> Said:
        """With `lines` for it to read, of which there may be more than arguments.

        Raises:
            BadAnswer: it failed; says how.
            DeadlineExceeded: it took too long, and was ended.
        """
        process = await self._begin(arguments, reads=lines is not None)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                said, complaint, _ = await asyncio.gather(
                    _read(process, process.stdout, most_bytes),
                    _read(process, process.stderr, _MOST_COMPLAINT_BYTES),
                    _write(process.stdin, lines or ()),
                )
                # Also reads what is left: until then its pipes would stay open.
                await process.communicate()
        except TimeoutError:
            raise DeadlineExceeded(
                f"git {arguments[0]}: took more than {self._deadline_seconds:g} seconds"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        if process.returncode and not said.is_cut:
            text = complaint.output.decode("utf-8", "replace").strip()
            raise BadAnswer(f"git {arguments[0]}: {text or f'ended with {process.returncode}'}")
        return said

    async def _begin(
        self, arguments: tuple[str, ...], *, reads: bool
    ) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                "git",
                "-C",
                str(self._repository),
                *_FIXED,
                *arguments,
                stdin=asyncio.subprocess.PIPE if reads else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment,
            )
        except OSError as error:
            raise BadAnswer(f"the program git cannot be started: {error.strerror}") from error


async def _write(pipe: asyncio.StreamWriter | None, lines: Iterable[str]) -> None:
    if pipe is None:
        return
    # One that ends before it has read all says why on its own.
    with suppress(ConnectionError):
        pipe.write("".join(f"{line}\n" for line in lines).encode())
        await pipe.drain()
    pipe.close()


async def _read(
    process: asyncio.subprocess.Process, pipe: asyncio.StreamReader | None, most_bytes: int
) -> Said:
    read = bytearray()
    while pipe is not None and (chunk := await pipe.read(_CHUNK_BYTES)):
        read += chunk
        if len(read) > most_bytes:
            if process.returncode is None:
                process.kill()
            return Said(bytes(read[:most_bytes]), True)
    return Said(bytes(read), False)
