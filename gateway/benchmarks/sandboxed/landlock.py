"""Hides all files but some folders from this process, by the kernel's Landlock.

See landlock(7); the numbers of its calls are the same on all machines.
"""

import ctypes
import os
import struct
from collections.abc import Sequence

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WHICH_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
# How many kinds of access to files each version can refuse.
_KINDS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}
_KINDS = 16
_ALL_OF_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def hide_files(but: Sequence[str]) -> bool:
    """Whether the kernel does it; then these folders can be read, and nothing can be written.

    Raises:
        OSError: the kernel has Landlock and refuses all the same.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = _version(libc)
    if version < 1:
        return False
    wanted = _ruleset(version)
    ruleset = _done(libc.syscall(_CREATE_RULESET, wanted, ctypes.c_size_t(len(wanted)), 0))
    try:
        for folder in but:
            _allow_reading(libc, ruleset, folder)
        _done(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def can_hide_files() -> bool:
    return _version(ctypes.CDLL(None, use_errno=True)) >= 1


def _version(libc: ctypes.CDLL) -> int:
    version: int = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _WHICH_VERSION)
    return version


def _ruleset(version: int) -> bytes:
    """A struct landlock_ruleset_attr, as long as this version knows it."""
    files = (1 << _KINDS_BY_VERSION.get(version, _KINDS)) - 1
    known = 1 if version < 4 else 2 if version < 6 else 3
    return struct.pack(f"{known}Q", *(files, _ALL_OF_TCP, _ABSTRACT_SOCKETS_AND_SIGNALS)[:known])


def _allow_reading(libc: ctypes.CDLL, ruleset: int, folder: str) -> None:
    try:
        opened = os.open(folder, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError:
        return
    try:
        rule = struct.pack("=Qi", _READ_FILE | _READ_FOLDER, opened)
        _done(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(opened)


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock refuses")
    return result
