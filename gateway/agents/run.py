"""A run: one agent's answer to one event, step by step, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gateway.agents.event import Event
from gateway.agents.suggestion import Suggestion

Status = Literal["waiting", "running", "paused", "done", "failed", "stopped", "cancelled"]
ENDED: frozenset[Status] = frozenset(("done", "failed", "stopped", "cancelled"))
Guard = Literal[
    "rounds", "calls", "loop", "time", "depth", "echo", "run budget", "day budget", "kill switch"
]
"""What stops a run: too many rounds or calls, the same call over and over, too long, an event too
deep or its own echo, a budget, or a person for all runs at once."""
Wanted = Literal["cancel", "pause", "kill"]
StepKind = Literal["ask", "call"]


@dataclass(frozen=True, slots=True)
class Run:
    """`status` is stopped where a `guard` stopped it; `because` says in a sentence why it ended.

    `started` is when it was begun, or went on, last; `attempt` counts how often it was begun or
    resumed by somebody. `parent` is the run that asked for it,
    `replay_of` the one that it repeats. Runs of one `team` answer in turn, each after `after`, and
    read each other's results. `question` is what was asked where nothing else happened. `wanted`
    is what a person wants of it while it runs. Costs are micro-dollars; None is unknown.
    """

    id: str
    agent: str
    event_id: str
    status: Status
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    attempt: int = 0
    wanted: Wanted | None = None
    parent: str | None = None
    replay_of: str | None = None
    team: str | None = None
    after: str | None = None
    result: str | None = None
    guard: Guard | None = None
    because: str | None = None
    rounds: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_microusd: int | None = 0

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Step:
    """One answer of a model (`ask`), or one call of a tool (`call`), numbered from 1.

    `asked` is what went out: for a call `{"id", "name", "arguments"}`; for an answer nothing, or if
    it had to wait `{"waited_for", "waited_seconds"}`, which is a limit. `answer` is what came: for
    an answer the message of the model as JSON; for a call `{"text", "is_error"}`. Without `ended`
    it runs, or its process died. `outcome` is `ok`, `proposed`, or an error's code.
    """

    run_id: str
    number: int
    kind: StepKind
    name: str
    began: datetime
    ended: datetime | None = None
    outcome: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] | None = None
    model: str | None = None
    route_id: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_microusd: int | None = None

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else (self.ended - self.began).total_seconds()


@dataclass(frozen=True, slots=True)
class Story:
    """The whole of a run: the event, each step, and what it suggested."""

    run: Run
    event: Event
    steps: Sequence[Step]
    suggestions: Sequence[Suggestion]
