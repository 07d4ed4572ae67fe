"""A program: reads a job on stdin, does it in confined processes, and tells results on stdout.

It begins two processes, the worker and the examiner, before it has read anything, so that neither
has what belongs to the other. It waits for both, and runs no strange code itself: whatever these
do, they are ended and reaped.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

from gateway.benchmarks.sandboxed.confinement import (
    Limits,
    confine,
    end_with_parent,
    import_before,
)
from gateway.benchmarks.sandboxed.examiner import (
    examine,
    may_be_lent,
    search,
    serve_functions_of_tests,
)
from gateway.benchmarks.sandboxed.landlock import can_hide_files
from gateway.benchmarks.sandboxed.peer import Peer
from gateway.benchmarks.sandboxed.worker import work

_READY = b"+"
_NICENESS = 10
# It holds the tests and what they are told, not what the code makes.
EXAMINER_MEMORY_BYTES = 256 * 1024 * 1024


def main() -> None:
    limits = json.loads(sys.argv[2])
    children: list[int] = []
    _end_at(limits.pop("seconds"), children)
    end_with_parent(int(sys.argv[3]), signal.SIGTERM)
    # What the code could import from there is not what it would find elsewhere.
    sys.path.remove(sys.argv[1])
    job = limits.pop("job")
    if job in _LOOKS:
        _begin(children, lambda: _look(_LOOKS[job], **limits))
    else:
        _begin_both(children, Limits(**limits))
    # The last one has the results; its number may belong to another process afterwards.
    os.waitpid(children[-1], 0)
    children.pop()
    _end(children)


def _begin_both(children: list[int], limits: Limits) -> None:
    worker_reads, examiner_writes = os.pipe()
    examiner_reads, worker_writes = os.pipe()

    if not (limits.may_use_landlock and can_hide_files()):
        import_before()

    def be_worker() -> None:
        _keep_only(worker_reads, worker_writes)
        try:
            confine(limits)
        except OSError as error:
            os.write(worker_writes, f"-{error}".encode())
            return
        os.write(worker_writes, _READY)
        work(worker_reads, worker_writes)

    def be_examiner() -> None:
        results = _moved_stdout()
        _keep_only(0, results, examiner_reads, examiner_writes)
        _examine(examiner_reads, examiner_writes, results=results, limits=limits)

    _begin(children, be_worker)
    _begin(children, be_examiner)
    for pipe in (worker_reads, worker_writes, examiner_reads, examiner_writes):
        os.close(pipe)


def _examine(reads: int, writes: int, *, results: int, limits: Limits) -> None:
    def tell(what: dict[str, Any]) -> None:
        os.write(results, json.dumps(what).encode() + b"\n")

    with os.fdopen(0, "rb", closefd=False) as stdin:
        job = json.load(stdin)
    if os.read(reads, 1) != _READY:
        tell({"refused": os.read(reads, 200).decode(errors="replace") or "it did not start"})
        return
    try:
        confine(replace(limits, memory_bytes=EXAMINER_MEMORY_BYTES))
    except OSError as error:
        tell({"refused": str(error)})
        return
    peer = Peer(reads, writes, serve=serve_functions_of_tests, lends=may_be_lent)
    tell({"ready": True})
    examine(peer, job["sources"], job["steps"], names=job["names"], tell=tell)
    tell({"done": True})


def _look(look: Callable[[Any], dict[str, Any]], *, cpu_seconds: int, memory_bytes: int) -> None:
    """What it runs is ours, on what others wrote, so that it is bounded and no more."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        told = look(json.load(sys.stdin))
    except Exception as error:
        told = {"error": type(error).__name__}
    os.write(1, json.dumps(told).encode() + b"\n")


def _search(job: Any) -> dict[str, Any]:
    return {"found": search(job["pattern"], job["text"])}


def _hold_against_schema(job: Any) -> dict[str, Any]:
    sys.path += job["paths"]
    # Only here: it loads much that no other job needs.
    from gateway.benchmarks.sandboxed.validation import fault

    return {"fault": fault(job["text"], job["schema"])}


_LOOKS = {"search": _search, "schema": _hold_against_schema}


def _give_way() -> None:
    """The gateway answers first, and lives on where memory ends.

    The launcher does not give way: it has to end the others in time.
    """
    # A hardened unit refuses it.
    with suppress(OSError):
        os.nice(_NICENESS)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _begin(children: list[int], be: Callable[[], None]) -> None:
    launcher = os.getpid()
    child = os.fork()
    if child:
        children.append(child)
        return
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0)
        end_with_parent(launcher, signal.SIGKILL)
        _give_way()
        be()
    finally:
        os._exit(0)


def _moved_stdout() -> int:
    """What tests print must not be taken for their results."""
    results = os.dup(1)
    _silence(1)
    return results


def _keep_only(*kept: int) -> None:
    for standard in {0, 1, 2}.difference(kept):
        _silence(standard)
    start = 3
    for descriptor in sorted(one for one in kept if one > 2):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _silence(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _end_at(seconds: float, children: list[int]) -> None:
    def stop(*_: object) -> NoReturn:
        _end(children)
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _end(children: list[int]) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    for child in children:
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
