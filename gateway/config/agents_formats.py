"""Text of a certain form in `agents.yaml`: topics, hours of the day, zones, times of a clock."""

import re
from collections.abc import Callable
from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from gateway.agents.agent import Quiet
from gateway.agents.topic import checked_pattern
from gateway.agents.watchers.settings import checked_cron
from gateway.errors import GatewayError
from gateway.llm.wanted import read_wanted

_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)(?: (\S+))?")
_ZONE = "UTC"


def zone(name: str) -> ZoneInfo:
    """Raises:
    ValueError: nowhere is called that.
    """
    try:
        return ZoneInfo(name)
    # A folder of zones, such as Europe, is no file; a path out of them is no name.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("takes a zone such as Europe/Vienna or UTC") from None


def quiet(text: str) -> Quiet:
    """Raises:
    ValueError: it is not two different times of a day, and a zone.
    """
    takes = "takes hours of the day and a zone, such as '22:00-06:30 Europe/Vienna'"
    found = _HOURS.fullmatch(text)
    if not found:
        raise ValueError(takes)
    try:
        begins, ends = (time(int(found[one]), int(found[one + 1])) for one in (1, 3))
    except ValueError:
        raise ValueError(f"{takes}; the last minute of a day is 23:59") from None
    if begins == ends:
        raise ValueError(f"{takes}; these end when they begin")
    return Quiet(begins, ends, zone(found[5] or _ZONE))


def _checked(check: Callable[[str], object]) -> AfterValidator:
    def checked(text: str) -> str:
        try:
            check(text)
        except GatewayError as error:
            raise ValueError(str(error)) from None
        return text

    return AfterValidator(checked)


TopicPattern = Annotated[str, _checked(checked_pattern)]
Cron = Annotated[str, _checked(checked_cron)]
Zone = Annotated[str, _checked(zone)]
QuietHours = Annotated[str, _checked(quiet)]
# As in requests, where an alias never begins with auto.
WantedModel = Annotated[str, Field(min_length=1), _checked(lambda text: read_wanted(text, {}))]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
"""The name of a variable of the environment."""
