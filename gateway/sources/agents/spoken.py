"""How documents speak of runs, events and suggestions; what models and strangers wrote is inert."""

from collections.abc import Sequence
from datetime import datetime

from gateway.agents.event import Event
from gateway.agents.run import Run
from gateway.agents.suggestion import Suggestion
from gateway.clock import rfc3339
from gateway.sources.models.rendering import plain, table
from gateway.sources.money import usd
from gateway.text import displayable

MOST_IN_TITLE = 110
MOST_IN_CELL = 160
_STATUS_WORDS = {"done": "done", "waiting": "waiting to begin"}


def short(text: str, most: int) -> str:
    """The beginning of a text, on one line, as plain text."""
    words = plain(" ".join(text[: 4 * most].split()))
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def quoted(text: str, most: int) -> str:
    """A text as it was written, or its beginning, which no markdown in it can leave."""
    shown = displayable(text).replace("`", "'").strip("\n")
    if len(shown) > most:
        shown = f"{shown[:most]}\n[cut here: {len(shown):,} characters in all]"
    return f"```text\n{shown}\n```"


def came_of(run: Run) -> str:
    """How a run is, or how it ended, in a few words."""
    if run.status == "stopped" and run.guard:
        return f"stopped ({run.guard})"
    return _STATUS_WORDS.get(run.status, run.status)


def account(run: Run) -> str:
    """What it found, or why it ended."""
    return run.result or run.because or ""


def run_title(run: Run) -> str:
    said = short(account(run), MOST_IN_TITLE)
    return f"Run of {plain(run.agent)}, {came_of(run)}{': ' if said else ''}{said}"


def run_snippet(run: Run) -> str:
    parts = [
        f"{rfc3339(run.created)}",
        took(run),
        f"{counted(run.rounds, 'answer')} of its model, {counted(run.calls, 'tool call')}",
        usd(run.cost_microusd) if run.cost_microusd is not None else "cost unknown",
    ]
    return ", ".join(part for part in parts if part) + "."


def took(run: Run) -> str:
    if run.ended is None:
        return ""
    return seconds((run.ended - run.created).total_seconds())


def seconds(amount: float | None) -> str:
    if amount is None:
        return ""
    if amount < 100:
        return f"{amount:.1f} s"
    minutes, rest = divmod(round(amount), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def runs_table(runs: Sequence[Run]) -> str:
    rows = [
        (
            f"`run:{plain(one.id)}`",
            plain(one.agent),
            came_of(one),
            rfc3339(one.created),
            took(one),
            usd(one.cost_microusd),
            short(account(one), MOST_IN_CELL),
        )
        for one in runs
    ]
    head = ("Document", "Agent", "Status", "Created", "Took", "Cost", "What came of it")
    return table(head, rows) if rows else ""


def about(event: Event) -> str:
    """What it is about: its subject, or what was asked."""
    return event.news.subject or str(event.news.data.get("question") or "")


def event_title(event: Event) -> str:
    said = short(about(event), MOST_IN_TITLE)
    return f"Event {plain(event.topic)}{': ' if said else ''}{said}"


def event_snippet(event: Event) -> str:
    by = f", by {plain(event.news.by)}" if event.news.by else ""
    return f"{rfc3339(event.time)}, from {plain(event.news.source)}{by}."


def events_table(events: Sequence[Event]) -> str:
    rows = [
        (
            f"`event:{plain(one.id)}`",
            plain(one.topic),
            short(about(one), MOST_IN_CELL),
            rfc3339(one.time),
            plain(one.news.source),
        )
        for one in events
    ]
    head = ("Document", "Topic", "About", "Time", "From")
    return table(head, rows) if rows else ""


def suggestions_table(suggestions: Sequence[Suggestion]) -> str:
    rows = [
        (
            f"`{plain(one.id)}`",
            short(one.title, MOST_IN_CELL),
            plain(one.agent),
            plain(one.tool or "advice only"),
            f"`run:{plain(one.run_id)}`",
        )
        for one in suggestions
    ]
    head = ("Suggestion", "What", "From", "Calls", "Why, and on what it rests")
    return table(head, rows) if rows else ""


def how_to_decide(suggestion_id: str) -> str:
    one = plain(suggestion_id)
    return (
        f"To accept it: `gateway agents accept {one}`, or the tool accept_suggestion. To put it "
        f"aside: `gateway agents dismiss {one}`, or dismiss_suggestion."
    )


def section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def facts(rows: dict[str, str]) -> str:
    return table(("What", "Value"), [(name, value) for name, value in rows.items() if value])


def time(moment: datetime | None) -> str:
    return "" if moment is None else rfc3339(moment)
