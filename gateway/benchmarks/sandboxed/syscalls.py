"""Has the kernel refuse every system call but those that computing needs, by seccomp.

What is not named here fails with EPERM: sockets, other processes and threads, signals, files that
are opened for writing, limits that are raised, tracing. See seccomp(2) and bpf(4).
"""

import ctypes
import os
import struct
from collections.abc import Iterator, Mapping

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # places in struct seccomp_data
_X32 = 0x40000000

# For each machine: its AUDIT_ARCH, and the numbers of its calls.
_ARCHITECTURES: Mapping[str, tuple[int, str]] = {
    "x86_64": (
        0xC000003E,
        "read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 "
        "munmap=11 brk=12 rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 readv=19 "
        "writev=20 access=21 select=23 sched_yield=24 mremap=25 madvise=28 dup=32 nanosleep=35 "
        "getpid=39 exit=60 uname=63 fcntl=72 getcwd=79 readlink=89 gettimeofday=96 getrlimit=97 "
        "getrusage=98 sysinfo=99 times=100 getuid=102 getgid=104 geteuid=107 getegid=108 "
        "getppid=110 sigaltstack=131 gettid=186 time=201 futex=202 sched_getaffinity=204 "
        "getdents64=217 clock_gettime=228 clock_getres=229 clock_nanosleep=230 exit_group=231 "
        "openat=257 newfstatat=262 readlinkat=267 faccessat=269 pselect6=270 ppoll=271 "
        "set_robust_list=273 prlimit64=302 getrandom=318 membarrier=324 statx=332 rseq=334 "
        "faccessat2=439",
    ),
    "aarch64": (
        0xC00000B7,
        "getcwd=17 dup=23 fcntl=25 faccessat=48 openat=56 close=57 getdents64=61 lseek=62 read=63 "
        "write=64 readv=65 writev=66 pread64=67 pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 "
        "fstat=80 exit=93 exit_group=94 futex=98 set_robust_list=99 nanosleep=101 "
        "clock_gettime=113 clock_getres=114 clock_nanosleep=115 sched_getaffinity=123 "
        "sched_yield=124 sigaltstack=132 rt_sigaction=134 rt_sigprocmask=135 rt_sigreturn=139 "
        "times=153 uname=160 getrlimit=163 getrusage=165 gettimeofday=169 getpid=172 getppid=173 "
        "getuid=174 geteuid=175 getgid=176 getegid=177 gettid=178 sysinfo=179 brk=214 munmap=215 "
        "mremap=216 mmap=222 mprotect=226 madvise=233 prlimit64=261 getrandom=278 membarrier=283 "
        "statx=291 rseq=293 faccessat2=439",
    ),
}
# They tell whether a file is there, how large and how old.
_BY_PATH = "stat lstat access readlink newfstatat readlinkat faccessat faccessat2 statx".split()
# By other commands of fcntl a signal is sent to whatever process one likes.
_FCNTL_COMMANDS = (0, 1, 2, 3, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC
# O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND and the bit of O_TMPFILE.
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000


def filter_syscalls(*, may_open_files: bool) -> None:
    """For this process and for ever; it needs PR_SET_NO_NEW_PRIVS.

    Raises:
        OSError: the kernel has no seccomp, or this machine's calls are not known here.
    """
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise OSError(f"the system calls of {machine} are not known here")
    program = b"".join(_program(*_ARCHITECTURES[machine], may_open_files=may_open_files))
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: how many instructions, and where they are.
    described = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")


def _program(architecture: int, listed: str, *, may_open_files: bool) -> Iterator[bytes]:
    yield from (_load(_ARCHITECTURE), _skip(_EQUAL, architecture, 1), _give(_KILL))
    yield from (_load(_NUMBER), _skip(_AT_LEAST, _X32, 0, 1), _give(_KILL))
    for word in listed.split():
        name, number = word.split("=")
        rule = _rule(name, may_open_files=may_open_files)
        yield _skip(_EQUAL, int(number), 0, len(rule))
        yield from rule
    yield _give(_EPERM)


def _rule(name: str, *, may_open_files: bool) -> list[bytes]:
    if not may_open_files and name in ("open", "openat", *_BY_PATH):
        return [_give(_EPERM)]
    if name in ("open", "openat"):
        flags = _load(_ARGUMENTS + 8 * (2 if name == "openat" else 1))
        return [flags, _skip(_ANY_BIT, _WRITING, 1), _give(_ALLOW), _give(_EPERM)]
    if name == "fcntl":
        checks = [
            part for one in _FCNTL_COMMANDS for part in (_skip(_EQUAL, one, 0, 1), _give(_ALLOW))
        ]
        return [_load(_ARGUMENTS + 8), *checks, _give(_EPERM)]
    if name == "prlimit64":  # Its third argument, two halves of a pointer, would set new limits.
        return [
            _load(_ARGUMENTS + 16),
            _skip(_EQUAL, 0, 0, 3),
            _load(_ARGUMENTS + 20),
            _skip(_EQUAL, 0, 0, 1),
            _give(_ALLOW),
            _give(_EPERM),
        ]
    return [_give(_ALLOW)]


def _load(place: int) -> bytes:
    return _instruction(_LOAD, 0, 0, place)


def _skip(comparison: int, value: int, if_true: int, if_false: int = 0) -> bytes:
    return _instruction(comparison, if_true, if_false, value)


def _give(answer: int) -> bytes:
    return _instruction(_RETURN, 0, 0, answer)


def _instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
