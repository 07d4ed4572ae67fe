"""Takes from this process, for ever, all that computing does not need, and looks whether it is so.

Two walls stand behind each other: limits and seccomp always, and Landlock where the kernel has it.
Without Landlock no file can be opened or looked at; what may be imported is imported before. With
it, code may import, for which Python has to look where files are. So it can learn of any file
whether it is there, how large and how old, but not what it holds, and has nobody to tell.
"""

import ctypes
import importlib
import os
import resource
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.benchmarks.sandboxed.landlock import hide_files
from gateway.benchmarks.sandboxed.syscalls import filter_syscalls

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_AF_INET, _SOCK_STREAM = 2, 1
FORBIDDEN = "forbidden"
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITIES_VERSION = 0x20080522
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
_IMPORTED_BEFORE = (
    "_strptime array bisect calendar cmath collections collections.abc contextlib copy csv "
    "dataclasses datetime decimal enum fractions functools hashlib heapq html io itertools json "
    "math numbers operator queue random re secrets statistics string textwrap threading time "
    "types typing unicodedata uuid"
)


@dataclass(frozen=True, slots=True)
class Limits:
    cpu_seconds: int
    memory_bytes: int
    open_files: int
    may_use_landlock: bool


def confine(limits: Limits) -> None:
    """Raises:
    OSError: says what is not enforced; no code may run then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError("the kernel cannot bar new privileges")
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _drop_capabilities(libc)
    _limit(limits)
    hidden = limits.may_use_landlock and hide_files(but=(*sys.path, *_LIBRARIES))
    if not hidden:
        import_before()
        # Else what is not there would be found and could not be read.
        sys.path.clear()
        sys.path_importer_cache.clear()
    filter_syscalls(may_open_files=hidden)
    _look_whether_it_is_so(libc)


def import_before() -> None:
    """What code most often imports; asked for before a fork, it is done but once."""
    for name in _IMPORTED_BEFORE.split():
        importlib.import_module(name)


def end_with_parent(parent: int, number: int) -> None:
    """Whoever began this process is `parent`; with its end the kernel sends this signal."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root keeps its number only: some limits do not hold for who may do everything."""
    header = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    failed = libc.syscall(_CAPSET.get(os.uname().machine, -1), header, bytes(24))
    # A hardened unit refuses the call, to a process that has none to drop.
    if failed and _has_capabilities():
        raise OSError("capabilities cannot be dropped")


def _has_capabilities() -> bool:
    """Of its own, or any that it could take up."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        masks = [line.split()[1] for line in file if line.startswith(("CapEff:", "CapPrm:"))]
    return len(masks) != 2 or any(int(mask, 16) for mask in masks)


def _limit(limits: Limits) -> None:
    for kind, most in (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _look_whether_it_is_so(libc: ctypes.CDLL) -> None:
    """`FORBIDDEN` stands in the working directory, so that only a wall can hide it."""
    attempts: Mapping[str, Callable[[], object]] = {
        "sockets can be opened": lambda: _done(libc.socket(_AF_INET, _SOCK_STREAM, 0)),
        "files can be read": lambda: os.open(FORBIDDEN, os.O_RDONLY),
        "files can be written": lambda: os.open("new", os.O_WRONLY | os.O_CREAT),
        "folders can be made": lambda: os.mkdir("new"),
        "processes can be started": _fork,
        "signals can be sent": lambda: os.kill(os.getppid(), 0),
        "limits can be raised": lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 1)),
    }
    for danger, attempt in attempts.items():
        try:
            attempt()
        except (PermissionError, ValueError):
            continue
        raise OSError(f"{danger} in spite of all")


def _done(result: int) -> None:
    if result < 0:
        raise PermissionError


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
