"""Agents, runs, suggestions and events at a terminal, where what models wrote steers nothing."""

import json
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from gateway.agents.agents import Standing
from gateway.agents.as_json import state_of
from gateway.agents.event import Event
from gateway.agents.run import Run, Step, Story
from gateway.agents.steps import message_of
from gateway.agents.suggestion import Suggestion
from gateway.clock import rfc3339
from gateway.sources.agents.spoken import about as event_about
from gateway.sources.agents.spoken import came_of
from gateway.terminal.benchmark_run import Screens
from gateway.terminal.printable import clipped, one_line, printable
from gateway.usage.limit import dollars

MOST_IN_LINE = 200
MOST_IN_CELL = 80


def show_standings(screens: Screens, standings: Sequence[Standing], *, off: Sequence[str]) -> None:
    head = ("Agent", "State", "Hears", "Now", "Waits", "Ended today", "Spent today", "Last run")
    rows = [
        (
            one.agent.name,
            state_of(one),
            ", ".join(each.pattern for each in one.agent.hears) or "questions only",
            f"{one.running}",
            f"{one.waiting}",
            ", ".join(f"{count} {status}" for status, count in one.ended_today.items()) or "0",
            f"{_cost(one.spent_today_microusd)} of {_cost(one.agent.bounds.day_microusd)}",
            f"{one.last.id} {came_of(one.last)}" if one.last else "",
        )
        for one in standings
    ]
    _print(screens, head, rows)
    if any(one.paused for one in standings):
        screens.tell("go on with those that are paused: gateway agents resume NAME, or --all")
    if not standings:
        screens.tell("no agent is on: switch some on in agents.yaml")
    if off:
        screens.tell(f"off, and ready to switch on in agents.yaml: {', '.join(off)}")


def show_runs(screens: Screens, runs: Sequence[Run]) -> None:
    head = ("Run", "Agent", "Status", "Created", "Steps", "Cost", "What came of it")
    rows = [
        (
            one.id,
            one.agent,
            came_of(one),
            rfc3339(one.created),
            str(one.rounds + one.calls),
            _cost(one.cost_microusd),
            clipped(one_line(one.result or one.because or ""), MOST_IN_CELL),
        )
        for one in runs
    ]
    _print(screens, head, rows)
    if not runs:
        screens.tell("no such run")


def show_events(screens: Screens, events: Sequence[Event]) -> None:
    head = ("Event", "Time", "Topic", "From", "About")
    rows = [
        (
            one.id,
            rfc3339(one.time),
            one.topic,
            one.news.source,
            clipped(one_line(event_about(one)), MOST_IN_CELL),
        )
        for one in events
    ]
    _print(screens, head, rows)
    if not events:
        screens.tell("no such event")


def show_suggestions(screens: Screens, suggestions: Sequence[Suggestion]) -> None:
    for one in suggestions:
        for line in suggestion_lines(one):
            screens.out.print(Text(line), soft_wrap=True)
        screens.out.print()
    if not suggestions:
        screens.tell("no such suggestion")


def show_story(screens: Screens, story: Story) -> None:
    for line in story_lines(story):
        screens.out.print(Text(line), soft_wrap=True)


def story_lines(story: Story) -> Iterator[str]:
    yield from beginning_lines(story.run, story.event)
    for step in story.steps:
        yield from step_lines(step)
    for one in story.suggestions:
        yield from suggestion_lines(one)
    yield from end_lines(story.run)


def beginning_lines(run: Run, event: Event) -> Iterator[str]:
    about = one_line(event_about(event))
    yield f"run {run.id} of {one_line(run.agent)}, {rfc3339(run.created)}"
    yield f"  for {event.id} {event.topic}{f': {clipped(about, MOST_IN_LINE)}' if about else ''}"
    if run.replay_of:
        yield f"  repeats {run.replay_of}"
    if run.parent:
        yield f"  asked for by {run.parent}"


def step_lines(step: Step) -> Iterator[str]:
    """What it did, what that took, and what was said."""
    return _call_lines(step) if step.kind == "call" else _ask_lines(step)


def doing(step: Step) -> str:
    return f"calls {one_line(step.name)}" if step.kind == "call" else "asks its model"


def end_lines(run: Run) -> Iterator[str]:
    tokens = f"{run.input_tokens:,} in, {run.output_tokens:,} out"
    why = f": {one_line(run.because)}" if run.because and run.status != "done" else ""
    yield f"{run.id} is {came_of(run)}{why} ({tokens}, {_cost(run.cost_microusd)})"


def run_line(run: Run) -> str:
    said = clipped(one_line(run.result or run.because or ""), MOST_IN_LINE)
    return f"{run.id} {one_line(run.agent)} is {came_of(run)}{': ' if said else ''}{said}"


def suggestion_lines(one: Suggestion) -> Iterator[str]:
    yield f"{one.id} ({one.status}) {one_line(one.title)}"
    yield f"  from {one_line(one.agent)} in {one.run_id}, {rfc3339(one.created)}"
    yield from (f"  {line}" for line in printable(one.reason).splitlines())
    yield from (f"  - {one_line(evidence)}" for evidence in one.evidence)
    if one.tool:
        # All of it, and nothing hidden: a person decides by what stands here.
        yield f"  calls {one_line(one.tool)}"
        yield from (f"    {line}" for line in json.dumps(one.arguments, indent=1).splitlines())
    if one.decided_by:
        note = f": {one_line(one.note)}" if one.note else ""
        yield f"  {one.status} by {one_line(one.decided_by)}{note}"
    if one.outcome:
        yield f"  {clipped(one_line(one.outcome), MOST_IN_LINE)}"
    if one.status in ("open", "failed"):
        yield f"  gateway agents accept {one.id}, or dismiss {one.id}"


def _call_lines(step: Step) -> Iterator[str]:
    arguments = one_line(str(step.asked.get("arguments", "")))
    took = f" ({_seconds(step)})" if step.ended else ""
    yield f"{_mark(step)} {step.number} {one_line(step.name)}{took} " + clipped(
        arguments, MOST_IN_LINE
    )
    if step.answer is not None:
        answer = one_line(str(step.answer.get("text", "")))
        yield f"  {one_line(step.outcome or '')}: {clipped(answer, MOST_IN_LINE)}"


def _ask_lines(step: Step) -> Iterator[str]:
    tokens = f"{step.input_tokens:,} in, {step.output_tokens:,} out, {_cost(step.cost_microusd)}"
    took = f" ({_seconds(step)}, {tokens})" if step.ended else ""
    yield f"{_mark(step)} {step.number} asked {one_line(step.model or 'its model')}{took}"
    if step.answer is None:
        yield from [f"  {one_line(step.outcome)}"] if step.outcome else []
        return
    said = message_of(step)
    yield from (f"  {line}" for line in printable(said.text).splitlines())
    if said.tool_calls:
        yield f"  wants {', '.join(one_line(call.name) for call in said.tool_calls)}"


def _mark(step: Step) -> str:
    if step.ended is None:
        return "…"
    return "✓" if step.outcome in ("ok", "proposed") else "✗"


def _seconds(step: Step) -> str:
    return f"{step.seconds or 0:.1f} s"


def _cost(microusd: int | None) -> str:
    return "cost unknown" if microusd is None else dollars(microusd)


def _print(screens: Screens, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    screens.out.print(table)
