"""Runs code that a model wrote where it can compute and nothing else, or not at all.

The program in `sandboxed` does the work, in a session of processes of its own: without network,
files, environment, other processes and threads, and with an end to its time and its memory.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gateway.benchmarks.sandboxed.confinement import FORBIDDEN
from gateway.benchmarks.unit_tests import count, names_tested, steps
from gateway.errors import Refused

MEMORY_BYTES = 512 * 1024 * 1024
OPEN_FILES = 32
MOST_RESULT_BYTES = 1024 * 1024
# Looking for a pattern and holding against a schema: by the clock, and of the processor.
LOOK_SECONDS, LOOK_CPU_SECONDS = 8.0, 2
LOOK_MEMORY_BYTES = 256 * 1024 * 1024
# What starting takes on a busy machine, and ending after SIGTERM.
START_SECONDS, STOP_SECONDS = 5.0, 2.0
_ROOT = Path(__file__).parents[2]
# What holding against a schema imports; the program has no site-packages of its own.
_SCHEMA_PACKAGES = (
    "jsonschema",
    "jsonschema_specifications",
    "referencing",
    "rpds",
    "attr",
    "attrs",
    "typing_extensions",
)
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from gateway.benchmarks.sandboxed.start import main; main()"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the tests went, in order: None is passed, else the exception's name.

    `loading` is the exception that loading the code ended with. `is_cut_off` says that not all
    tests ended in time, or in the memory that there was; those that did not are missing.
    """

    tests: tuple[str | None, ...]
    count: int
    loading: str | None
    is_cut_off: bool


class Sandbox:
    def __init__(self, *, at_once: int = 2, may_use_landlock: bool = True) -> None:
        """`at_once` jobs run at the same time; nothing is to be opened or closed."""
        self._turns = asyncio.Semaphore(at_once)
        self._may_use_landlock = may_use_landlock

    async def run_tests(self, sources: Sequence[str], tests: str, *, seconds: float) -> Outcome:
        """Tests what the sources of an answer define; which of them is meant is found out inside.

        Raises:
            Refused: this machine cannot confine the code, which did not run then.
            ValueError: the tests are not Python, or there are none.
        """
        _check_platform()
        taken_apart = steps(tests)
        told = await self._told(
            {"sources": sources, "steps": taken_apart, "names": names_tested(tests)},
            {
                "job": "tests",
                "seconds": seconds,
                "cpu_seconds": int(seconds) + 1,
                "memory_bytes": MEMORY_BYTES,
                "open_files": OPEN_FILES,
                "may_use_landlock": self._may_use_landlock,
            },
        )
        return _outcome(told, count(taken_apart))

    async def refusal(self) -> str | None:
        """Why no code can run here, None where it can."""
        try:
            await self.run_tests((), "assert True", seconds=START_SECONDS)
        except Refused as error:
            return str(error)
        return None

    async def finds(self, pattern: str, text: str) -> bool | None:
        """Whether a regular expression is found; None, when looking takes too long."""
        told = await self._looked("search", {"pattern": pattern, "text": text})
        return bool(told["found"]) if "found" in told else None

    async def fault(self, text: str, schema: Mapping[str, Any]) -> str | None:
        """Why a text holds no JSON of this schema, None where it does.

        Raises:
            Refused: finding out takes too long, or cannot be done.
        """
        job = {"text": text, "schema": schema, "paths": _schema_paths()}
        told = await self._looked("schema", job)
        if "fault" not in told:
            why = told.get("error", "it takes too long")
            raise Refused(f"not held against the schema: {why}")
        return None if told["fault"] is None else str(told["fault"])

    async def _looked(self, job: str, given: Any) -> Mapping[str, Any]:
        """Nothing, where it took too long or too much."""
        limits = {
            "job": job,
            "seconds": LOOK_SECONDS,
            "cpu_seconds": LOOK_CPU_SECONDS,
            "memory_bytes": LOOK_MEMORY_BYTES,
        }
        told = await self._told(given, limits)
        return told[0] if told else {}

    async def _told(self, job: Any, limits: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        async with self._turns:
            program = _Program()
            work = asyncio.ensure_future(asyncio.to_thread(program.run, job, limits))
            try:
                async with asyncio.timeout(limits["seconds"] + START_SECONDS):
                    return await asyncio.shield(work)
            except asyncio.CancelledError:
                await program.stop(work)
                raise
            except TimeoutError:
                await program.stop(work)
                return ()
            except OSError as error:
                raise Refused(f"the sandbox cannot start: {error.strerror}") from error


class _Program:
    """One run of the launcher, in a thread; `stop` is for the loop's."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ended = False
        self._lock = threading.Lock()

    def run(self, job: Any, limits: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        with (
            tempfile.TemporaryDirectory(prefix="gateway-sandbox-") as folder,
            tempfile.TemporaryFile() as stdin,
        ):
            Path(folder, FORBIDDEN).touch()
            stdin.write(json.dumps(job).encode())
            stdin.seek(0)
            with self._lock:
                if self._is_ended:
                    return ()
                process = self._process = subprocess.Popen(
                    (
                        sys.executable,
                        "-I",
                        "-S",
                        "-c",
                        _PROGRAM,
                        str(_ROOT),
                        json.dumps(limits),
                        str(os.getpid()),
                    ),
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env={},
                    start_new_session=True,
                )
            with process:
                raw = process.stdout.read(MOST_RESULT_BYTES) if process.stdout else b""
                process.terminate()
        return [json.loads(line) for line in raw.split(b"\n")[:-1]]

    async def stop(self, work: "asyncio.Future[Any]") -> None:
        """Ends the program, which ends and reaps what it began, and waits for its thread."""
        with self._lock:
            self._is_ended = True
            if self._process:
                self._process.terminate()
        await asyncio.wait([work], timeout=STOP_SECONDS)
        self._kill()
        await asyncio.wait([work], timeout=STOP_SECONDS)

    def _kill(self) -> None:
        process = self._process
        # Its number is its own until the thread has waited for it.
        if process and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@lru_cache(1)
def _schema_paths() -> Sequence[str]:
    """Found without loading them, which takes 100 ms and is not needed here."""
    specs = filter(None, map(find_spec, _SCHEMA_PACKAGES))
    origins = [Path(spec.origin) for spec in specs if spec.origin]
    roots = [one.parents[1] if one.name == "__init__.py" else one.parent for one in origins]
    return tuple(dict.fromkeys(map(str, roots)))


def _check_platform() -> None:
    if sys.platform != "linux":
        raise Refused("code of models is only run on Linux, where it can be confined")


def _outcome(told: Sequence[Mapping[str, Any]], tests: int) -> Outcome:
    said: dict[str, Any] = {}
    for one in told:
        said.update(one)
    if "refused" in said:
        raise Refused(f"code of models cannot be confined here: {said['refused']}")
    if "ready" not in said:
        raise Refused("code of models cannot be confined here: it did not start in time")
    return Outcome(
        tests=tuple(one["test"] for one in told if "test" in one),
        count=tests,
        loading=said.get("loaded"),
        is_cut_off="done" not in said and not said.get("loaded"),
    )
