"""What was used, and what limits leave, in words and tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clock import rfc3339
from gateway.sources.models.rendering import plain, table
from gateway.sources.money import usd
from gateway.sources.usage.windows import Span
from gateway.usage.limit import LimitState
from gateway.usage.report import Grouping, UsageLine

MOST_ROWS = 31
NOTHING = UsageLine(billed_microusd=0, list_microusd=0, charged_microusd=0)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The lines of a span, grouped by one thing; `title` is its heading."""

    by: Grouping
    title: str
    lines: Sequence[UsageLine]


def usage_title(span: Span, total: UsageLine) -> str:
    return f"Spent {span.title}: {spent(total)} for {_calls(total.calls)}"


def spent(line: UsageLine) -> str:
    """What is known of the cost, and that there is more when some calls have no known cost."""
    if not line.calls:
        return usd(0)
    unknown = line.calls_with_unknown_cost
    if line.charged_microusd is None:
        return f"an unknown amount ({_calls(unknown)} without a known cost)"
    more = f" and the unknown cost of {_calls(unknown)}" if unknown else ""
    return f"{usd(line.charged_microusd)}{more}"


def usage_summary(span: Span, total: UsageLine) -> str:
    return (
        f"{spent(total)} {span.title}; {_calls(total.calls)}, {total.failed:,} of them failed; "
        f"{total.input_tokens:,} tokens in, {total.output_tokens:,} out."
    )


def usage_text(span: Span, total: UsageLine, breakdowns: Sequence[Breakdown]) -> str:
    if not total.calls:
        return f"**No model was called {span.title}**, so nothing was spent."
    facts = {
        "Spent": spent(total),
        "Worth by the list": usd(total.list_microusd),
        "Calls": f"{total.calls:,}",
        "Failed": f"{total.failed:,}",
        "Requests to providers": f"{total.requests:,}",
        "Tokens in": f"{total.input_tokens:,} ({total.cached_tokens:,} of them cached)",
        "Tokens out": f"{total.output_tokens:,} ({total.reasoning_tokens:,} of them reasoning)",
        "Tool calls": f"{total.tool_calls:,}",
        "First token after": milliseconds(total.first_token_ms),
        "Whole answer after": milliseconds(total.total_ms),
    }
    head = f"**{usage_summary(span, total)}**"
    parts = [head, table(("What", "Value"), facts.items()), *map(_breakdown, breakdowns)]
    return "\n\n".join(parts)


def _breakdown(one: Breakdown) -> str:
    is_time = one.by in ("day", "week", "month")
    lines = list(one.lines) if is_time else sorted(one.lines, key=_by_cost)
    rows = [
        (
            plain(line.group.get(one.by) or "none"),
            usd(line.charged_microusd),
            usd(line.list_microusd),
            f"{line.calls_with_unknown_cost:,}",
            f"{line.calls:,}",
            f"{line.failed:,}",
            f"{line.input_tokens:,}",
            f"{line.output_tokens:,}",
        )
        for line in lines
    ]
    head = (
        one.by.capitalize(), "Spent", "List value", "Unknown cost", "Calls", "Failed",
        "Tokens in", "Tokens out",
    )  # fmt: skip
    shown = rows[-MOST_ROWS:] if is_time else rows[:MOST_ROWS]
    more = f"\n\n{len(rows) - MOST_ROWS:,} more are not shown." if len(rows) > MOST_ROWS else ""
    return f"## {one.title}\n\n{table(head, shown)}{more}"


def _by_cost(line: UsageLine) -> tuple[int, int]:
    return (-(line.charged_microusd or 0), -line.calls)


def limit_title(state: LimitState) -> str:
    limit = state.limit
    whose = f" of {plain(state.key)}" if state.key else ""
    return (
        f"{limit.kind.capitalize()} {plain(limit.name)}{whose}: {_left(state)} left, "
        f"resets {rfc3339(state.resets_at)}"
    )


def limit_summary(state: LimitState) -> str:
    limit = state.limit
    return (
        f"{_left(state)} left in {limit.window.title}; {limit.shown(state.used)} used "
        f"({state.percent:.0f} %); resets {rfc3339(state.resets_at)}."
    )


def limit_text(states: Sequence[LimitState]) -> str:
    limit = states[0].limit
    binds = ", ".join(f"{name} {pattern}" for name, pattern in limit.where.items()) or "every call"
    kept = "refuses calls beyond it" if limit.is_hard else "only gives alerts"
    head = (
        f"**{limit.kind.capitalize()} {plain(limit.name)}: {_left(states[0])} left.** "
        f"It allows {limit.shown(limit.most)} in {limit.window.title}, binds {plain(binds)}, "
        f"and {kept}."
    )
    rows = [
        (
            plain(state.key) or "all",
            limit.shown(state.settled),
            limit.shown(state.reserved),
            limit.shown(state.others),
            limit.shown(state.remaining),
            f"{state.percent:.1f} %",
            rfc3339(state.resets_at),
            _reported(state),
        )
        for state in states
    ]
    columns = (
        "For", "Used", "Held by running calls", "Used by others", "Left", "Part used", "Resets",
        "The provider says",
    )  # fmt: skip
    unknown = sum(state.unknown_costs for state in states)
    note = f"\n\n{_calls(unknown)} had no known cost and are not in it." if unknown else ""
    return f"{head}\n\n{table(columns, rows)}{note}"


def _left(state: LimitState) -> str:
    limit = state.limit
    if limit.is_budget:
        return f"{usd(state.remaining)} of {usd(limit.most)}"
    return f"{state.remaining:,} of {limit.shown(limit.most)}"


def _reported(state: LimitState) -> str:
    if state.reported is None or state.reported_at is None:
        return "nothing"
    return f"{state.limit.shown(state.reported)} used, at {rfc3339(state.reported_at)}"


def milliseconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f} ms on average"


def _calls(count: int) -> str:
    return f"{count:,} call" if count == 1 else f"{count:,} calls"
