"""One name for a tool that a client of the Responses API keeps in a namespace."""

import zlib

MOST_CHARACTERS = 64  # what providers take
_BETWEEN = "__"


def offered_name(name: str, namespace: str | None) -> str:
    """What models know the tool by; the same every time, for the calls of a conversation."""
    if namespace is None or namespace == name:
        return name
    between = "" if namespace.endswith(_BETWEEN) else _BETWEEN
    whole = f"{namespace}{between}{name}"
    if len(whole) <= MOST_CHARACTERS:
        return whole
    told_apart = f"_{zlib.crc32(whole.encode('utf-8', 'replace')):08x}"
    return whole[: MOST_CHARACTERS - len(told_apart)] + told_apart
