"""Follows runs of agents at a terminal: each step as it is recorded, each run as it goes on."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.text import Text

from gateway.agents.agents import Agents
from gateway.agents.as_json import run_to_json, step_to_json, story_to_json, suggestion_to_json
from gateway.agents.run import Run, Status, Step, Story
from gateway.terminal import agents_shown as shown
from gateway.terminal.benchmark_run import Screens
from gateway.terminal.waiting import Waiting

# Another process may carry a run out: looking again is all there is.
LOOK_SECONDS = 0.25
LISTEN_SECONDS = 1.0
_FAILED: tuple[Status, ...] = ("failed", "stopped")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are listed."""

    agent: str | None = None
    is_failed: bool = False
    limit: int = 20


async def show_story(agents: Agents, run_id: str, *, as_json: bool) -> None:
    story = await agents.story(run_id)
    if as_json:
        typer.echo(json.dumps(story_to_json(story), ensure_ascii=True, indent=2))
        return
    shown.show_story(Screens.usual(), story)


async def follow_run(agents: Agents, run_id: str, *, as_json: bool) -> bool:
    """Show each step once it has ended, until the run has; whether it answered."""
    screens = Screens.usual()
    telling = _Telling(screens, as_json=as_json)
    story = await agents.story(run_id)
    telling.begin(story)
    await _warn_of_a_wait(agents, story.run, screens)
    try:
        while telling.goes_on(story):
            await asyncio.sleep(LOOK_SECONDS)
            story = await agents.story(run_id)
    except asyncio.CancelledError:
        screens.tell(f"it goes on where a gateway runs: gateway agents logs {run_id} --follow")
        raise
    finally:
        telling.rest()
    telling.end(story)
    return story.run.status == "done"


async def show_runs(agents: Agents, wanted: Wanted, *, follows: bool, as_json: bool) -> None:
    """The latest; with `follows`, each again whenever it goes on, until somebody interrupts."""
    screens = Screens.usual()
    listed = await _listed(agents, wanted)
    if not follows:
        if as_json:
            typer.echo(json.dumps([run_to_json(one) for one in listed], indent=2))
            return
        shown.show_runs(screens, listed)
        return
    seen: dict[str, Status] = {}
    while True:
        # As they happened: the latest last.
        for run in reversed(listed):
            if seen.get(run.id) != run.status:
                _print(screens, [shown.run_line(run)], run_to_json(run) if as_json else None)
        seen = {run.id: run.status for run in listed}
        await asyncio.sleep(LISTEN_SECONDS)
        listed = await _listed(agents, wanted)


async def _listed(agents: Agents, wanted: Wanted) -> Sequence[Run]:
    statuses: Sequence[Status | None] = _FAILED if wanted.is_failed else (None,)
    found = [
        run
        for status in statuses
        for run in await agents.runs(agent=wanted.agent, status=status, limit=wanted.limit)
    ]
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)[: wanted.limit]


async def _warn_of_a_wait(agents: Agents, run: Run, screens: Screens) -> None:
    """What waits for a person, or for the end of quiet hours, may wait long."""
    if run.has_ended or run.agent not in [one.name for one in agents.known()]:
        return
    standing = await agents.standing(run.agent)
    if standing.paused:
        screens.tell(f"{run.agent} is paused: gateway agents resume {run.agent}, or --all")
    elif standing.is_quiet:
        screens.tell(f"{run.agent} has quiet hours: it begins when they end")


class _Telling:
    """Tells a run as it comes; `as_json`, one line for each thing."""

    def __init__(self, screens: Screens, *, as_json: bool) -> None:
        self._screens = screens
        self._as_json = as_json
        self._waiting = Waiting(screens.aside)
        self._waits_for = ""
        self._told = 0

    def begin(self, story: Story) -> None:
        lines = shown.beginning_lines(story.run, story.event)
        self._tell("run", lines, run_to_json(story.run))

    def goes_on(self, story: Story) -> bool:
        """Tell what is new; whether there may be more."""
        for step in story.steps[self._told :]:
            if step.ended is None:
                break
            self._tell("step", shown.step_lines(step), step_to_json(step))
            self._told += 1
        if story.run.has_ended or story.run.status == "paused":
            return False
        self._wait(_under_way(story.run, story.steps[self._told :]))
        return True

    def end(self, story: Story) -> None:
        for one in story.suggestions:
            self._tell("suggestion", shown.suggestion_lines(one), suggestion_to_json(one))
        self._tell("end", shown.end_lines(story.run), run_to_json(story.run))

    def rest(self) -> None:
        self._waiting.end()
        self._waits_for = ""

    def _wait(self, words: str) -> None:
        if words != self._waits_for:
            self._waiting.begin(words)
            self._waits_for = words

    def _tell(self, kind: str, lines: Iterable[str], content: Mapping[str, Any]) -> None:
        self.rest()
        _print(self._screens, lines, {"type": kind, **content} if self._as_json else None)


def _under_way(run: Run, steps: Sequence[Step]) -> str:
    if run.status == "waiting":
        return f"{run.agent} waits to begin"
    return f"{run.agent}: {shown.doing(steps[0])}" if steps else f"{run.agent} runs"


def _print(screens: Screens, lines: Iterable[str], content: Mapping[str, Any] | None) -> None:
    if content is not None:
        # Whatever steers a terminal is escaped.
        typer.echo(json.dumps(content, ensure_ascii=True))
        return
    for line in lines:
        screens.out.print(Text(line), soft_wrap=True)
