"""The whole story of a run as a page: what happened, each step, its end, what it suggests."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.agents.event import Event
from gateway.agents.run import Run, Step, Story
from gateway.agents.steps import message_of
from gateway.agents.suggestion import Suggestion
from gateway.clock import rfc3339
from gateway.sources.agents.spoken import (
    came_of,
    counted,
    event_snippet,
    event_title,
    facts,
    how_to_decide,
    quoted,
    run_title,
    seconds,
    section,
    short,
    time,
    took,
)
from gateway.sources.models.rendering import plain, table
from gateway.sources.money import usd

MOST_STEPS = 60
MOST_RESULT = 8_000
MOST_SAID = 4_000
MOST_ASKED = 1_500
# As much as may be proposed, where a document has room for it.
MOST_PROPOSED = 20_000
MOST_ANSWERED = 2_000
MOST_EVENT = 3_000
_DECIDED = {
    "open": "it waits for a person",
    "accepting": "its call is being made",
    "accepted": "accepted",
    "failed": "accepted, but its call failed; it may be accepted again",
    "dismissed": "dismissed",
}


def story_text(story: Story, *, away: str | None = None) -> str:
    """`away` is why its agent begins nothing now, of a run that waits."""
    run = story.run
    parts = [
        f"**{run_title(run)}**",
        facts(_facts(run, away)),
        section("What it found", quoted(run.result, MOST_RESULT) if run.result else ""),
        section("Why it ended", _ending(run)),
        section("What it suggests", _suggestions(story.suggestions)),
        section("Its steps", _steps(story.steps)),
        section("What happened", _event(story.event)),
    ]
    return "\n\n".join(part for part in parts if part)


def _facts(run: Run, away: str | None) -> dict[str, str]:
    waits = f": {plain(away)}" if away else ""
    tokens = f"{run.input_tokens:,} in, {run.output_tokens:,} out"
    return {
        "Run": f"`run:{plain(run.id)}`",
        "Agent": f"`agent:{plain(run.agent)}`",
        "Status": f"{came_of(run)}{waits}",
        "For the event": f"`event:{plain(run.event_id)}`",
        "Created": rfc3339(run.created),
        "Begun": time(run.started),
        "Ended": f"{time(run.ended)}, after {took(run)}" if run.ended else "",
        "Begun so often": f"{run.attempt}" if run.attempt > 1 else "",
        "Its model answered": f"{counted(run.rounds, 'time')}, {tokens} tokens",
        "Tools called": counted(run.calls, "time"),
        "Cost": usd(run.cost_microusd),
        "Asked for by": f"`run:{plain(run.parent)}`" if run.parent else "",
        "Repeats": f"`run:{plain(run.replay_of)}`" if run.replay_of else "",
        "In the team of": f"`event:{plain(run.team)}`" if run.team else "",
        "After": f"`run:{plain(run.after)}`" if run.after else "",
        "Asked of it": f"to {run.wanted}" if run.wanted else "",
    }


def _ending(run: Run) -> str:
    if not run.because or run.status == "done":
        return ""
    guard = f"The guard of {plain(run.guard)} stopped it: " if run.guard else ""
    why = plain(run.because).rstrip(".")
    said = f"{guard}{why}" if guard else f"{why[:1].upper()}{why[1:]}"
    go_on = "" if not run.has_ended else (
        f"\n\nTo repeat it from a step: `gateway agents replay {plain(run.id)} --from-step N`."
    )  # fmt: skip
    return f"{said}.{go_on}"


def _suggestions(suggestions: Sequence[Suggestion]) -> str:
    return "\n\n".join(_suggestion(one) for one in suggestions)


def _suggestion(one: Suggestion) -> str:
    parts = [
        f"### {short(one.title, 200)}",
        f"`{plain(one.id)}`: {_DECIDED[one.status]}{_by(one)}.",
        quoted(one.reason, MOST_ASKED),
    ]
    if one.evidence:
        parts.append("\n".join(f"- {short(evidence, 400)}" for evidence in one.evidence))
    if one.tool:
        # Nothing in it may hide from whoever decides: what is no ASCII is written as its number.
        call = f"{one.tool} {json.dumps(one.arguments)}"
        parts += ["The call that it proposes:", quoted(call, MOST_PROPOSED)]
    if one.outcome:
        parts += ["What came of it:", quoted(one.outcome, MOST_ASKED)]
    if one.status in ("open", "failed"):
        parts.append(how_to_decide(one.id))
    return "\n\n".join(parts)


def _by(one: Suggestion) -> str:
    if one.decided_by is None:
        return ""
    note = f", with the note: {short(one.note, 400)}" if one.note else ""
    return f", by {plain(one.decided_by)}, {time(one.decided)}{note}"


def _steps(steps: Sequence[Step]) -> str:
    shown = steps[:MOST_STEPS]
    rows = [
        (
            str(one.number),
            _did(one),
            _outcome(one),
            seconds(one.seconds),
            f"{one.input_tokens:,} in, {one.output_tokens:,} out" if one.kind == "ask" else "",
            usd(one.cost_microusd) if one.kind == "ask" and one.ended else "",
            rfc3339(one.began),
        )
        for one in shown
    ]
    if not rows:
        return ""
    head = ("", "What it did", "Outcome", "Took", "Tokens", "Cost", "Begun")
    left = len(steps) - len(shown)
    all_of_them = f"`gateway agents logs {plain(steps[0].run_id)}` shows all"
    more = f"{counted(left, 'more step')}: {all_of_them}." if left else ""
    return "\n\n".join(filter(None, (table(head, rows), *map(_step, shown), more)))


def _did(step: Step) -> str:
    if step.kind == "call":
        return f"called {plain(step.name)}"
    return f"asked {plain(step.model)}" if step.model else "asked its model"


def _outcome(step: Step) -> str:
    if step.ended is None:
        return "under way"
    return "proposed to people" if step.outcome == "proposed" else plain(step.outcome or "")


def _step(step: Step) -> str:
    parts = [f"### {step.number}. It {_did(step)}", *_told(step)]
    return "\n\n".join(parts) if len(parts) > 1 else ""


def _told(step: Step) -> Iterator[str]:
    if step.kind == "call":
        arguments = step.asked.get("arguments", "")
        yield quoted(arguments if isinstance(arguments, str) else _json(arguments), MOST_ASKED)
        if step.answer is not None:
            failed = bool(step.answer.get("is_error"))
            yield "It failed:" if failed else "It answered:"
            yield quoted(str(step.answer.get("text", "")), MOST_ANSWERED)
        return
    if limit := step.asked.get("waited_for"):
        waited = seconds(step.asked.get("waited_seconds"))
        yield f"It waited {waited} for what calls under way held of the limit {plain(str(limit))}."
    if step.answer is None:
        return
    said = message_of(step)
    if said.text:
        yield quoted(said.text, MOST_SAID)
    if said.tool_calls:
        yield f"It wanted to call {', '.join(short(call.name, 80) for call in said.tool_calls)}."


def _event(event: Event) -> str:
    parts = [
        f"`event:{plain(event.id)}`: {event_title(event)}. {event_snippet(event)}",
        quoted(_json(event.news.data, indent=1), MOST_EVENT) if event.news.data else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _json(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
