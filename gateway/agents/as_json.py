"""Agents, runs and suggestions as JSON, alike over HTTP, as tools and on the command line."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.agents.agents import Standing
from gateway.agents.run import Run, Step, Story
from gateway.agents.suggestion import Suggestion
from gateway.clock import rfc3339

Json = Mapping[str, Any]


def standing_to_json(standing: Standing) -> Json:
    agent, bounds = standing.agent, standing.agent.bounds
    paused = standing.paused
    return {
        "name": agent.name,
        "kind": agent.kind,
        "description": agent.description,
        "model": agent.model,
        "hears": [one.pattern for one in agent.hears],
        "tools": list(agent.tools),
        "state": state_of(standing),
        "paused_by": paused.by if paused else None,
        "paused_since": _time(paused.since) if paused else None,
        "dry_run": agent.is_dry_run,
        "waiting": standing.waiting,
        "running": standing.running,
        "ended_today": dict(standing.ended_today),
        "spent_today_usd": _usd(standing.spent_today_microusd),
        "budget_per_day_usd": _usd(bounds.day_microusd),
        "budget_per_run_usd": _usd(bounds.run_microusd),
        "last_run": run_to_json(standing.last) if standing.last else None,
    }


def state_of(standing: Standing) -> str:
    if standing.paused:
        return "paused"
    if standing.running:
        return "running"
    return "quiet" if standing.is_quiet else "listening"


def run_to_json(run: Run) -> Json:
    return {
        "id": run.id,
        "agent": run.agent,
        "status": run.status,
        "guard": run.guard,
        "because": run.because,
        "result": run.result,
        "event_id": run.event_id,
        "created": _time(run.created),
        "started": _time(run.started),
        "ended": _time(run.ended),
        "rounds": run.rounds,
        "tool_calls": run.calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost_usd": _usd(run.cost_microusd),
        "parent": run.parent,
        "replay_of": run.replay_of,
        "team": run.team,
    }


def story_to_json(story: Story) -> Json:
    return {
        "run": run_to_json(story.run),
        "event": story.event.as_json(),
        "steps": [step_to_json(one) for one in story.steps],
        "suggestions": [suggestion_to_json(one) for one in story.suggestions],
    }


def step_to_json(step: Step) -> Json:
    return {
        "number": step.number,
        "kind": step.kind,
        "name": step.name,
        "outcome": step.outcome,
        "began": _time(step.began),
        "seconds": step.seconds,
        "asked": step.asked,
        "answer": step.answer,
        "model": step.model,
        "route_id": step.route_id,
        "input_tokens": step.input_tokens,
        "output_tokens": step.output_tokens,
        "cost_usd": _usd(step.cost_microusd),
    }


def suggestion_to_json(suggestion: Suggestion) -> Json:
    return {
        "id": suggestion.id,
        "title": suggestion.title,
        "reason": suggestion.reason,
        "evidence": list(suggestion.evidence),
        "tool": suggestion.tool,
        "arguments": suggestion.arguments,
        "status": suggestion.status,
        "agent": suggestion.agent,
        "run_id": suggestion.run_id,
        "created": _time(suggestion.created),
        "decided_by": suggestion.decided_by,
        "decided": _time(suggestion.decided),
        "note": suggestion.note,
        "outcome": suggestion.outcome,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1_000_000
