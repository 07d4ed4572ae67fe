"""An agent: what it hears, what it asks which model, what it may do, and what stops it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from fnmatch import fnmatchcase
from typing import Any, Literal
from zoneinfo import ZoneInfo

from gateway.agents.topic import Hearing
from gateway.caller import AGENT_PREFIX, Caller
from gateway.usage.limit import Limit
from gateway.usage.window import Window

KINDS = ("review", "research", "documentation", "test", "debugger", "own")
Kind = Literal["review", "research", "documentation", "test", "debugger", "own"]
# Longer than any run: all that a run spends counts for it.
_OF_A_RUN = Window.parse("rolling_30_days")
_OF_A_DAY = Window.parse("day")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day in which nothing begins; they may go past midnight."""

    begins: time
    ends: time
    zone: ZoneInfo

    def holds(self, moment: datetime) -> bool:
        here = moment.astimezone(self.zone).time()
        if self.begins <= self.ends:
            return self.begins <= here < self.ends
        return here >= self.begins or here < self.ends


@dataclass(frozen=True, slots=True)
class Bounds:
    """What no run goes beyond: rounds of a model, calls of tools, seconds, depth of events.

    A run may spend `run_microusd`, and all runs of an agent together `day_microusd` in a
    calendar day (UTC). An event that agents caused by other events has a depth; an agent does not
    answer one of more than `most_depth`.
    """

    most_rounds: int = 8
    most_calls: int = 24
    most_depth: int = 3
    seconds: float = 900.0
    step_seconds: float = 180.0
    run_microusd: int = 50_000
    day_microusd: int = 500_000

    @property
    def may_pay(self) -> bool:
        """With a budget of nothing, only what is free may answer."""
        return min(self.run_microusd, self.day_microusd) > 0


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, as `agents.yaml` describes it.

    `tools` and `proposes` are patterns: of the tools it may use, and of those whose calls are
    only proposed; with `is_dry_run` these are all that write. `context_messages` is how many of
    the last messages of a run its model is shown (see `conversation`), `remembers` of how many
    earlier runs it is told the results. `delegates_to` are the agents that it may ask.
    """

    name: str
    kind: Kind
    instructions: str
    description: str = ""
    model: str = "auto"
    hears: tuple[Hearing, ...] = ()
    tools: tuple[str, ...] = ()
    proposes: tuple[str, ...] = ()
    models: tuple[str, ...] = ("*",)
    delegates_to: tuple[str, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    quiet: tuple[Quiet, ...] = ()
    concurrency: int = 1
    context_messages: int = 40
    remembers: int = 0
    is_dry_run: bool = False
    is_owner: bool = False
    output_tokens: int = 2_000

    @property
    def caller(self) -> Caller:
        """As whom it asks models and calls tools."""
        return Caller(
            AGENT_PREFIX + self.name, models=self.models, tools=self.tools, is_owner=self.is_owner
        )

    @property
    def run_limit(self) -> Limit:
        """What one run may spend."""
        return self._limit("run", self.bounds.run_microusd, _OF_A_RUN, is_per_run=True)

    @property
    def day_limit(self) -> Limit:
        """What all runs of a day may spend together."""
        return self._limit("day", self.bounds.day_microusd, _OF_A_DAY, is_per_run=False)

    def listens(self, topic: str, said: Mapping[str, Any]) -> bool:
        return any(one.hears(topic, said) for one in self.hears)

    def is_quiet(self, moment: datetime) -> bool:
        return any(one.holds(moment) for one in self.quiet)

    def only_proposes(self, tool: str) -> bool:
        """Whether calls of a tool that writes are proposed to people instead of made."""
        return self.is_dry_run or any(fnmatchcase(tool, pattern) for pattern in self.proposes)

    def _limit(self, name: str, most: int, window: Window, *, is_per_run: bool) -> Limit:
        return Limit(
            f"agent-{self.name}-{name}",
            "microusd",
            most,
            window,
            where={"caller": AGENT_PREFIX + self.name},
            per=("request_id",) if is_per_run else (),
        )


def agent_of_caller(name: str) -> str | None:
    """The agent that asks under this name of a caller."""
    return name.removeprefix(AGENT_PREFIX) if name.startswith(AGENT_PREFIX) else None


def limits_of(agents: Sequence[Agent]) -> Sequence[Limit]:
    return [limit for one in agents for limit in (one.run_limit, one.day_limit)]
