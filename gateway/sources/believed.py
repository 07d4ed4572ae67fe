"""How good the models of a route are believed to be, and by which measurements."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.sources.models.rendering import plain, table

_HEAD = ("Model", "Good answers", "Expected by its catalog", "Seen")
_LEAD = (
    "The share of good answers at usual requests of this task, give or take its doubt; what was "
    "seen counts half after 30 days, and only as far as it surely goes. The part *Quality* above "
    "is the same for what this request demands."
)


def believed_text(steps: Sequence[Mapping[str, Any]]) -> str:
    """A section about the steps of a route as JSON; empty for routes that were kept before."""
    rows = [
        (f"`{plain(step['model'])}`", *_row(step["belief"])) for step in steps if "belief" in step
    ]
    if not rows:
        return ""
    return f"## How good they are believed to be\n\n{_LEAD}\n\n{table(_HEAD, rows)}"


def _row(belief: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        f"{belief['quality']:.0%} ± {belief['spread']:.0%}",
        f"{belief['expected']:.0%}",
        "; ".join(_seen(belief["evidence"])) or "nothing yet",
    )


def _seen(evidence: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in evidence:
        kind = one["kind"] if one["looks"] == 1 else f"{one['kind']}s"
        yield (
            f"{one['looks']:,} {kind} at {one['quality']:.0%}, counting as {one['counts_as']:g}, "
            f"the last on {one['newest'][:10]} (`{plain(one['source'])}`)"
        )
