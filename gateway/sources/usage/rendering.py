"""What was used, and what limits leave, in words and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.sources.models.rendering import plain, table
from gateway.sources.money import usd
from gateway.sources.usage.outlook import outlook
from gateway.usage import forecast_words
from gateway.usage.forecast import Forecast
from gateway.usage.limit import LimitState
from gateway.usage.report import Grouping, UsageLine
from gateway.usage.span import Span
from gateway.usage.tool_calls import ToolLine

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


def usage_text(
    span: Span,
    total: UsageLine,
    breakdowns: Sequence[Breakdown],
    tools: Sequence[ToolLine] = (),
    *,
    findings: Sequence[str] = (),
) -> str:
    """`findings` are sections that stand before the breakdowns."""
    called = [_tools(tools)] if tools else []
    if not total.calls:
        nothing = f"**No model was called {span.title}**, so nothing was spent."
        return "\n\n".join([nothing, *called])
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
    numbers = table(("What", "Value"), facts.items())
    parts = [head, numbers, *findings, *map(_breakdown, breakdowns), *called]
    return "\n\n".join(parts)


def _tools(lines: Sequence[ToolLine]) -> str:
    """Of the gateway's own tools, whoever called them: a model here, or a client over MCP."""
    rows = [
        (
            plain(line.tool),
            plain(line.origin),
            f"{line.calls:,}",
            f"{line.failed:,}",
            milliseconds(line.milliseconds),
        )
        for line in lines[:MOST_ROWS]
    ]
    return f"## By tool\n\n{table(('Tool', 'Of', 'Calls', 'Failed', 'Time on average'), rows)}"


def _breakdown(one: Breakdown) -> str:
    is_time = one.by in ("day", "week", "month")
    lines = list(one.lines) if is_time else sorted(one.lines, key=_by_cost)
    rows = [
        (
            plain(line.group.get(one.by) or "none"),
            usd(line.charged_microusd),
            f"{line.calls:,}",
            f"{line.input_tokens:,}",
            f"{line.output_tokens:,}",
            usd(line.list_microusd),
            f"{line.failed:,}",
            f"{line.calls_with_unknown_cost:,}",
        )
        for line in lines
    ]
    head = (
        one.by.capitalize(), "Spent", "Calls", "Tokens in", "Tokens out", "List value", "Failed",
        "Unknown cost",
    )  # fmt: skip
    shown = rows[-MOST_ROWS:] if is_time else rows[:MOST_ROWS]
    more = f"\n\n{len(rows) - MOST_ROWS:,} more are not shown." if len(rows) > MOST_ROWS else ""
    return f"## {one.title}\n\n{_without_empty(head, shown, kept=6)}{more}"


def _by_cost(line: UsageLine) -> tuple[int, int]:
    return (-(line.charged_microusd or 0), -line.calls)


def limit_title(forecast: Forecast) -> str:
    state = forecast.state
    limit = state.limit
    whose = f" of {plain(state.key)}" if state.key else ""
    outlook = forecast_words.clause(forecast)
    return (
        f"{limit.kind.capitalize()} {plain(limit.name)}{whose}: {_left(state)} left, "
        f"resets {_time(state.resets_at)}{outlook and f'; {outlook}'}"
    )


def limit_summary(forecast: Forecast) -> str:
    state = forecast.state
    limit = state.limit
    return (
        f"{_left(state)} left in {limit.window.title}; {limit.shown(state.used)} used "
        f"({state.percent:.0f} %); resets {_time(state.resets_at)}. "
        f"{forecast_words.sentence(forecast)}"
    )


def limit_text(forecasts: Sequence[Forecast]) -> str:
    states = [one.state for one in forecasts]
    limit = states[0].limit
    binds = ", ".join(f"{name} {pattern}" for name, pattern in limit.where.items()) or "every call"
    kept = "refuses calls beyond it" if limit.is_hard else "only gives alerts"
    head = (
        f"**{limit.kind.capitalize()} {plain(limit.name)}: {_left(states[0])} left.** "
        f"It allows {limit.shown(limit.most)} in {limit.window.title}, binds {plain(binds)}, "
        f"and {kept}."
    )
    rows = [_facts(state) for state in states]
    # One on top of the other, it fits a phone.
    shown = (
        table(("What", "Value"), zip(_FACTS, rows[0], strict=True))
        if len(rows) == 1
        else _without_empty(_FACTS, rows)
    )
    unknown = sum(state.unknown_costs for state in states)
    note = f"\n\n{_calls(unknown)} had no known cost and are not in it." if unknown else ""
    return f"{head}\n\n{shown}{note}\n\n{outlook(forecasts)}"


_FACTS = (
    "For", "Left", "Used", "Part used", "Resets", "Held by running calls", "Used elsewhere",
    "The provider says",
)  # fmt: skip
_EMPTY = frozenset({"", "0", "$0.00", "0 requests", "0 tokens", "0 input tokens", "nothing"})


def _facts(state: LimitState) -> tuple[str, ...]:
    limit = state.limit
    return (
        plain(state.key) or "all",
        limit.shown(state.remaining),
        limit.shown(state.settled),
        f"{state.percent:.1f} %",
        _time(state.resets_at),
        limit.shown(state.reserved),
        limit.shown(state.others),
        _reported(state),
    )


def _without_empty(head: Sequence[str], rows: Sequence[Sequence[str]], *, kept: int = 5) -> str:
    """A table without the columns, behind the first few, that say nothing in any row."""
    telling = [
        place
        for place in range(len(head))
        if place < kept or any(row[place] not in _EMPTY for row in rows)
    ]
    return table(
        [head[place] for place in telling], [[row[place] for place in telling] for row in rows]
    )


def _time(moment: datetime) -> str:
    """Such as `1 Dec 2026, 00:00 UTC`."""
    return f"{moment.astimezone(UTC):%d %b %Y, %H:%M} UTC".removeprefix("0")


def _left(state: LimitState) -> str:
    limit = state.limit
    if limit.is_budget:
        return f"{usd(state.remaining)} of {usd(limit.most)}"
    return f"{state.remaining:,} of {limit.shown(limit.most)}"


def _reported(state: LimitState) -> str:
    if state.reported is None or state.reported_at is None:
        return "nothing"
    return f"{state.limit.shown(state.reported)} used, at {_time(state.reported_at)}"


def milliseconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f} ms on average"


def _calls(count: int) -> str:
    return f"{count:,} call" if count == 1 else f"{count:,} calls"
