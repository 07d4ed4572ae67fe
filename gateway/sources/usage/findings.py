"""What was unusual in a time, and what was saved in it, as sections of a document."""

from collections.abc import Sequence

from gateway.sources.models.rendering import plain
from gateway.usage import savings_words, unusual_words
from gateway.usage.savings import NOTES, Comparison, Savings
from gateway.usage.unusual import Unusual

MOST_FLAGS = 10
NO_ALTERNATIVE = (
    "No other model is known to compare with: ask `GET /v1/usage/savings?alternative=MODEL` "
    "with the ID of a paid one."
)


def unusual_section(flags: Sequence[Unusual]) -> Sequence[str]:
    if not flags:
        return ()
    lines = [f"- {plain(unusual_words.sentence(flag))}" for flag in flags[:MOST_FLAGS]]
    more = len(flags) - MOST_FLAGS
    rest = [f"{more:,} more are not shown."] if more > 0 else []
    return ("\n\n".join(["## Unusual", "\n".join(lines), *rest, unusual_words.METHOD]),)


def savings_section(figures: Savings) -> Sequence[str]:
    told = [
        savings_words.by_list(figures),
        savings_words.elsewhere(figures) or NO_ALTERNATIVE,
        savings_words.failed(figures),
    ]
    lines = "\n".join(f"- {plain(line)}" for line in told if line)
    return ("\n\n".join(["## Savings", lines, " ".join(NOTES)]),)


def findings_summary(flags: Sequence[Unusual], figures: Savings) -> str:
    """What one line has room for: the first that is unusual, and both figures."""
    unusual = f" Unusual: {unusual_words.sentence(flags[0])}" if flags else ""
    compared = [savings_words.against(one, what) for one, what in _compared(figures) if one.calls]
    return f"{unusual} Savings: {'; '.join(compared)}." if compared else unusual


def _compared(figures: Savings) -> Sequence[tuple[Comparison, str]]:
    found = [(figures.by_list, "their own list prices")]
    if figures.elsewhere is not None and figures.alternative is not None:
        found.append((figures.elsewhere, figures.alternative.model))
    return found
