"""A payload that is larger than an event may be, cut so that what it is about stays readable."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.text import MAX_LEVELS

# Links to other calls of a forge's API are half of what it sends, and say nothing of what happened.
_LINKS = "_url"
_KEPT_LINKS = ("html_url", "web_url")
_NOISE = ("_links", "node_id")
NOTE = "_trimmed"


@dataclass(frozen=True, slots=True)
class _Measure:
    """How long a text, a list and an object may be, and how deep all may be nested."""

    characters: int
    items: int
    keys: int
    levels: int

    def __str__(self) -> str:
        return (
            f"texts are cut to {self.characters:,} characters, lists to {self.items:,} entries, "
            f"objects to {self.keys:,} keys and all to {self.levels} levels"
        )


# The last one is under 256 KiB whatever it measures.
_MEASURES = (
    _Measure(20_000, 1_000, 1_000, MAX_LEVELS),
    _Measure(4_000, 300, 300, 16),
    _Measure(1_000, 100, 100, 8),
    _Measure(500, 30, 100, 8),
    _Measure(200, 10, 50, 6),
    _Measure(100, 10, 10, 2),
)


def trimmed(payload: Mapping[str, Any], *, most_bytes: int) -> Mapping[str, Any]:
    """The payload as it is, if it is small enough; else it loses links and is cut.

    The first measure under which it fits is taken; under `_trimmed` it says which that was.
    """
    before = written_bytes(payload)
    if before <= most_bytes:
        return payload
    return next(one for one in _cut(payload, before) if written_bytes(one) <= most_bytes)


def written_bytes(value: Any) -> int:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(written.encode("utf-8", "replace"))


def _cut(payload: Mapping[str, Any], before: int) -> Iterator[Mapping[str, Any]]:
    bare = _within(payload, _Measure(before, before, before, MAX_LEVELS))
    said = f"it had {before:,} bytes; links to other calls are left out"
    yield {**bare, NOTE: said}
    for measure in _MEASURES:
        yield {**_within(bare, measure), NOTE: f"{said}, {measure}"}
    # What a number or a key of a thousand digits makes of the last measure.
    yield {NOTE: f"it had {before:,} bytes, and nothing of it could be kept"}


def _within(value: Any, measure: _Measure, levels: int | None = None) -> Any:
    rest = measure.levels if levels is None else levels
    if isinstance(value, str):
        return value if len(value) <= measure.characters else f"{value[: measure.characters]}…"
    if not isinstance(value, Mapping | list):
        return value
    if not rest:
        return "…"
    if isinstance(value, list):
        return [_within(one, measure, rest - 1) for one in value[: measure.items]]
    named = [name for name in value if _says_something(name, measure)][: measure.keys]
    return {name: _within(value[name], measure, rest - 1) for name in named}


def _says_something(name: str, measure: _Measure) -> bool:
    is_link = name.endswith(_LINKS) and name not in _KEPT_LINKS
    return not (is_link or name in _NOISE) and len(name) <= measure.characters
