"""One agent of `agents.yaml`: what it says itself, and what ships with the gateway for the rest."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from gateway.agents.agent import KINDS, Agent, Bounds, Kind
from gateway.agents.topic import Hearing
from gateway.config.agents_formats import QuietHours, TopicPattern, WantedModel, quiet
from gateway.config.limits import microusd
from gateway.config.strict import Count, Listed, Name, Seconds, Strict, Text, Usd
from gateway.shipped import shipped

_MOST_SHOWN = 30
_PLAIN = Agent("plain", "own", "")
_BOUNDS = Bounds()
TAKEN_NAMES = ("runs", "pause", "resume")


class HearingConfig(Strict):
    """A pattern of topics; the topic alone may stand for it."""

    topic: TopicPattern
    where: dict[Text, Text] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_topic(cls, value: Any) -> Any:
        return {"topic": value} if isinstance(value, str) else value

    @property
    def hearing(self) -> Hearing:
        return Hearing(self.topic, self.where)


class AgentConfig(Strict):
    """An agent; what it leaves out is as its kind ships, or else as `Agent` and `Bounds` say."""

    name: Name
    kind: Kind = "own"
    is_on: bool
    description: str = ""
    instructions: Text
    model: WantedModel = _PLAIN.model
    hears: Listed[HearingConfig] = ()
    tools: Listed[Text] = ()
    proposes: Listed[Text] = ()
    models: Listed[Text] = _PLAIN.models
    delegates_to: Listed[Name] = ()
    budget_per_run_usd: Usd = _BOUNDS.run_microusd / 1_000_000
    budget_per_day_usd: Usd = _BOUNDS.day_microusd / 1_000_000
    max_rounds: Annotated[int, Field(ge=1, le=100)] = _BOUNDS.most_rounds
    max_tool_calls: Annotated[int, Field(ge=0, le=1_000)] = _BOUNDS.most_calls
    max_depth: Annotated[int, Field(ge=0, le=10)] = _BOUNDS.most_depth
    # A run's budget looks back on days, so that no run may take longer than one.
    max_minutes: Annotated[float, Field(gt=0, le=1_440)] = _BOUNDS.seconds / 60
    max_step_seconds: Seconds = _BOUNDS.step_seconds
    concurrency: Annotated[int, Field(ge=1, le=64)] = _PLAIN.concurrency
    quiet_hours: Listed[QuietHours] = ()
    context_messages: Annotated[int, Field(ge=2, le=1_000)] = _PLAIN.context_messages
    remembers: Annotated[int, Field(ge=0, le=50)] = _PLAIN.remembers
    dry_run: bool = _PLAIN.is_dry_run
    sees_spending: bool = _PLAIN.is_owner
    output_tokens: Count = _PLAIN.output_tokens

    @model_validator(mode="before")
    @classmethod
    def _with_what_ships(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        name, ships = value.get("name"), shipped_agents()
        is_shipped = isinstance(name, str) and name in ships
        kind = value.get("kind", name if is_shipped else _PLAIN.kind)
        if is_shipped and kind != name:
            raise ValueError(
                f"{name} is the shipped agent of the kind {name}; one of another kind takes "
                "another name"
            )
        given = ships.get(kind, {}) if isinstance(kind, str) else {}
        return {**given, "kind": kind, "is_on": not is_shipped, **value}

    @field_validator("kind", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if value not in KINDS:
            raise ValueError(f"takes {', '.join(KINDS)}")
        return value

    @field_validator("name")
    @classmethod
    def _is_no_word_of_the_api(cls, name: str) -> str:
        if name in TAKEN_NAMES:
            raise ValueError(f"{name} is a word of /v1/agents; choose another")
        return name

    @field_validator("instructions")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("takes a text that says what is to be done")
        return text.strip()

    @property
    def agent(self) -> Agent:
        return Agent(
            self.name,
            self.kind,
            self.instructions,
            description=self.description,
            model=self.model,
            hears=tuple(one.hearing for one in self.hears),
            tools=self.tools,
            proposes=self.proposes,
            models=self.models,
            delegates_to=self.delegates_to,
            bounds=self._bounds,
            quiet=tuple(map(quiet, self.quiet_hours)),
            concurrency=self.concurrency,
            context_messages=self.context_messages,
            remembers=self.remembers,
            is_dry_run=self.dry_run,
            is_owner=self.sees_spending,
            output_tokens=self.output_tokens,
        )

    @property
    def _bounds(self) -> Bounds:
        return Bounds(
            most_rounds=self.max_rounds,
            most_calls=self.max_tool_calls,
            most_depth=self.max_depth,
            seconds=self.max_minutes * 60,
            step_seconds=self.max_step_seconds,
            run_microusd=microusd(self.budget_per_run_usd),
            day_microusd=microusd(self.budget_per_day_usd),
        )


@cache
def shipped_agents() -> Mapping[str, Mapping[str, Any]]:
    """By kind, in the words of `agents.yaml`; their names are their kinds."""
    found: Mapping[str, Mapping[str, Any]] = shipped("gateway.agents", "shipped_agents.yaml")
    return found
