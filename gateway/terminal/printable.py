"""Text of models and tools as a terminal may see it: it shows, and steers nothing."""

import re

from rich.cells import cell_len, set_cell_size

from gateway.text import displayable

# A sequence that is cut in two loses its first character only; the rest shows, and does nothing.
_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|[ -/]*[0-Z\\^-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# Of a long result nobody sees more in one line than this.
MOST_IN_LINE = 1_000


def printable(text: str) -> str:
    """The text without control characters, escape sequences, and what hides or reorders it."""
    return displayable(_SEQUENCES.sub("", text))


def one_line(text: str) -> str:
    """Its beginning, with every run of blanks and line ends as one blank."""
    return " ".join(printable(text[:MOST_IN_LINE]).split())


def clipped(text: str, width: int) -> str:
    """At most so many columns, in which some characters take two; `…` says that more follows."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"
