"""What watchers watch: git repositories, folders and files, and the clock."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.errors import ConfigurationError

_CRON_FIELDS = 5
_RANDOM = re.compile(r"(?<![a-z])r(?![a-z])", re.IGNORECASE)
# Some day on which to begin; whether a time ever comes does not hang on it.
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GitWatch:
    """A repository whose new commits, on branches of these patterns, become events."""

    name: str
    repository: Path
    branches: tuple[str, ...] = ("*",)
    most_diff_characters: int = 60_000
    every_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class FileWatch:
    """A file, or a folder with all below it, whose changes become events.

    `include` and `ignore` are patterns of paths below `path`; what is ignored is so even where it
    is included. Changes that follow each other within `debounce_seconds` are one event.
    """

    name: str
    path: Path
    include: tuple[str, ...] = ("*",)
    ignore: tuple[str, ...] = ()
    debounce_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times of a clock in `zone`, each of which is an event `schedule:{name}` with this data."""

    name: str
    cron: str
    zone: ZoneInfo
    data: Mapping[str, Any] = field(default_factory=dict)


def checked_cron(text: str) -> str:
    """
    Raises:
        ConfigurationError: it is no time that ever comes.
    """
    # It takes a tenth of a second to import, and most gateways have no schedule.
    from croniter import CroniterError, croniter

    takes = (
        "it takes minute, hour, day, month and day of the week, such as '0 18 * * 1-5' for 18:00 "
        "from Monday to Friday"
    )
    if _RANDOM.search(text):
        raise ConfigurationError(f"{text!r} is another time with each start; {takes}")
    if len(text.split()) != _CRON_FIELDS:
        raise ConfigurationError(f"{text!r} does not have {_CRON_FIELDS} fields; {takes}")
    try:
        croniter(text, _SOME_DAY).get_next(datetime)
    except (CroniterError, ValueError) as error:
        raise ConfigurationError(f"{text!r} is no time that ever comes; {takes}") from error
    return text
