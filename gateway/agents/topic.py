"""Topics that agents hear: `git:commit`, with `*` for one part and `**` for all that follow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from gateway.errors import InvalidRequest

MOST_CHARACTERS = 100
# What the gateway says of itself, and only owners beside it.
OF_THE_GATEWAY = ("agent", "budget", "provider", "schedule")
# Nor may an agent, or whoever sends webhooks, speak as a watcher.
RESERVED = (*OF_THE_GATEWAY, "git", "github", "gitlab", "file", "task")
_TOPIC = re.compile(r"[a-z0-9][a-z0-9_.-]*(?::[a-z0-9][a-z0-9_.-]*)*")
_PATTERN = re.compile(
    r"(?:[a-z0-9][a-z0-9_.-]*|\*)(?::(?:[a-z0-9][a-z0-9_.-]*|\*))*(?::\*\*)?|\*\*"
)


def checked_topic(text: str) -> str:
    """Raises:
    InvalidRequest: it is no topic.
    """
    if len(text) > MOST_CHARACTERS or not _TOPIC.fullmatch(text):
        raise InvalidRequest(
            f"topic: {text[:MOST_CHARACTERS]!r} is none; it takes parts of small letters, digits, "
            "_, . and -, with a colon between them, such as git:commit"
        )
    return text


def checked_pattern(text: str) -> str:
    """Raises:
    InvalidRequest: no topic can match it.
    """
    if len(text) > MOST_CHARACTERS or not _PATTERN.fullmatch(text):
        raise InvalidRequest(
            f"topic: {text[:MOST_CHARACTERS]!r} matches none; it takes a topic such as "
            "git:commit, in which * stands for one part, and ** at the end for all that follow"
        )
    return text


def matches(pattern: str, topic: str) -> bool:
    wanted, parts = pattern.split(":"), topic.split(":")
    if wanted[-1] == "**":
        wanted, parts = wanted[:-1], parts[: len(wanted) - 1]
    return len(wanted) == len(parts) and all(
        one in ("*", part) for one, part in zip(wanted, parts, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Hearing:
    """What an agent hears: a pattern of topics, and what the data of such an event must be.

    `where` maps a path in the data, such as `repository.name` or `files.*.path`, to a pattern
    such as `*.py`; of a list one match is enough, and all of `where` must match.
    """

    pattern: str
    where: Mapping[str, str] = field(default_factory=dict)

    def hears(self, topic: str, said: Mapping[str, Any]) -> bool:
        return matches(self.pattern, topic) and all(
            any(fnmatchcase(one, wanted) for one in _at(said, path.split(".")))
            for path, wanted in self.where.items()
        )


def _at(said: Any, path: list[str]) -> list[str]:
    """All values at a path, as texts."""
    if isinstance(said, list | tuple):
        rest = path[1:] if path[:1] == ["*"] else path
        return [value for one in said for value in _at(one, rest)]
    if not path:
        return [] if said is None or isinstance(said, Mapping) else [_text(said)]
    return _at(said.get(path[0]), path[1:]) if isinstance(said, Mapping) else []


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
