"""Text from elsewhere, without what a reader cannot see."""

import re
from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 80
MAX_LEVELS = 64  # of objects and lists in each other, which encoders must follow

# Control characters but tab and newline, bidi controls and isolates, invisible marks, tags that
# smuggle text, and half surrogates, which could not even be sent.
_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def displayable(text: str) -> str:
    """The text without characters that hide, reorder or break what a reader sees."""
    return _UNSHOWN.sub("", text)


def displayable_json(value: Any, levels: int = MAX_LEVELS) -> Any:
    """The JSON value with all its texts as they may be shown to a model.

    Raises:
        ValueError: it is nested more deeply than that.
    """
    if isinstance(value, str):
        return displayable(value)
    if not isinstance(value, list | Mapping):
        return value
    if not levels:
        raise ValueError(f"it is nested more than {MAX_LEVELS} levels deep")
    if isinstance(value, list):
        return [displayable_json(one, levels - 1) for one in value]
    return {displayable(name): displayable_json(one, levels - 1) for name, one in value.items()}


def shown(text: str) -> str:
    """A caller's own text as an error may repeat it: the beginning is enough to know it by."""
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
