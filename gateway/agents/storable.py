"""Text and JSON as every database takes them, with the lengths that a row may have."""

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidRequest
from gateway.text import MAX_LEVELS, displayable, shown

# A NUL as JSON writes it; the backslash of another one escapes nothing.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def storable(text: str) -> str:
    """The text without half surrogates, which no database takes, and NUL, which PostgreSQL has
    not."""
    if text.isprintable():
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def storable_json(name: str, value: Any, *, most_bytes: int) -> str:
    """The value written as JSON.

    Raises:
        InvalidRequest: it is no JSON, too deep or too long; says so of `name`.
    """
    _check_depth(name, value)
    try:
        written = _write(value).encode("utf-8", "replace")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{name}: is not JSON: {error}") from error
    if len(written) > most_bytes:
        raise InvalidRequest(f"{name}: has {len(written):,} bytes as JSON; at most {most_bytes:,}")
    text = written.decode()
    return _NUL.sub("\\1\ufffd", text) if r"\u0000" in text else text


def within(name: str, text: str, most_characters: int) -> str:
    """The storable text.

    Raises:
        InvalidRequest: it is too long; says so of `name`, and how it begins.
    """
    if len(text) > most_characters:
        raise InvalidRequest(
            f"{name}: {shown(storable(text))!r} has {len(text):,} characters; at most "
            f"{most_characters:,}"
        )
    return storable(text)


def cut(text: str, most_characters: int) -> str:
    """What a model wrote, as people may read it; where it is too long, its beginning."""
    clean = displayable(text).strip()
    return clean if len(clean) <= most_characters else clean[: most_characters - 1] + "…"


def one_line(text: str, most_characters: int) -> str:
    # What is cut off anyway need not be read.
    return cut(" ".join(text[: 10 * most_characters].split()), most_characters)


def _check_depth(name: str, value: Any, levels: int = MAX_LEVELS) -> None:
    if not isinstance(value, Mapping | list | tuple):
        return
    if not levels:
        raise InvalidRequest(f"{name}: is nested more than {MAX_LEVELS} levels deep")
    for one in value.values() if isinstance(value, Mapping) else value:
        _check_depth(name, one, levels - 1)
