"""`agents.yaml`: agents that are always on, what is watched for them, and who is told."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from gateway.agents.agent import Agent
from gateway.agents.watchers.settings import FileWatch, GitWatch, Schedule
from gateway.agents.webhook_secrets import WebhookSecrets
from gateway.config.agents_entry import AgentConfig, shipped_agents
from gateway.config.agents_watch import ScheduleConfig, WatchConfig
from gateway.config.agents_webhooks import WebhookOutConfig, WebhooksInConfig
from gateway.config.files import read
from gateway.config.strict import Count, Listed, Strict, validated
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.agents.webhooks_out import WebhookTarget

RUNS_AT_ONCE = 4
RETENTION_DAYS = 90


@dataclass(frozen=True, slots=True)
class AgentsConfig:
    """All that `agents.yaml` says, as the rest of the gateway takes it.

    `agents` are those that are on, `off` the others, with those that ship and are not named. What
    ended is kept for `retention_days`; None is for ever.
    """

    agents: Sequence[Agent] = ()
    off: Sequence[Agent] = ()
    git: Sequence[GitWatch] = ()
    files: Sequence[FileWatch] = ()
    schedules: Sequence[Schedule] = ()
    webhooks_in: WebhookSecrets = field(default_factory=WebhookSecrets)
    webhooks_out: Sequence["WebhookTarget"] = ()
    runs_at_once: int = RUNS_AT_ONCE
    retention_days: int | None = RETENTION_DAYS

    @property
    def is_empty(self) -> bool:
        """No agent is on, and nothing happens that one could hear."""
        watched = (self.git, self.files, self.schedules, self.webhooks_in.senders)
        return not self.agents and not any(watched)


class AgentLimits(Strict):
    runs_at_once: Annotated[int, Field(ge=1, le=256)] = RUNS_AT_ONCE
    retention_days: Count | None = RETENTION_DAYS


class AgentsFile(Strict):
    agents: Listed[AgentConfig] = ()
    watch: WatchConfig = WatchConfig()
    schedules: Listed[ScheduleConfig] = ()
    webhooks_in: WebhooksInConfig = WebhooksInConfig()
    webhooks_out: Listed[WebhookOutConfig] = ()
    limits: AgentLimits = AgentLimits()

    @model_validator(mode="after")
    def _each_name_stands_once(self) -> "AgentsFile":
        _refuse_twice("agents", [one.name for one in self.agents])
        _refuse_twice("watch.git", [one.name for one in self.watch.git])
        _refuse_twice("watch.files", [one.name for one in self.watch.files])
        _refuse_twice("schedules", [one.name for one in self.schedules])
        _refuse_twice("webhooks_out", [one.name for one in self.webhooks_out])
        return self

    @model_validator(mode="after")
    def _delegates_to_agents(self) -> "AgentsFile":
        names = {*(one.name for one in self.agents), *shipped_agents()}
        for one in self.agents:
            for other in one.delegates_to:
                if other == one.name or other not in names:
                    there_are = ", ".join(sorted(names - {one.name}))
                    raise ValueError(
                        f"agents: {one.name} cannot delegate to {other}; there are: {there_are}"
                    )
        return self

    def config(self, env: Mapping[str, str], *, folder: Path) -> AgentsConfig:
        """Paths begin at `folder`.

        Raises:
            ConfigurationError: names the variable of a secret that is not set.
        """
        named = [(one.agent, one.is_on) for one in self.agents]
        return AgentsConfig(
            agents=tuple(agent for agent, is_on in named if is_on),
            off=(*(agent for agent, is_on in named if not is_on), *self._unnamed()),
            git=tuple(one.watch(folder) for one in self.watch.git),
            files=tuple(one.watch(folder) for one in self.watch.files),
            schedules=tuple(one.schedule for one in self.schedules),
            webhooks_in=self.webhooks_in.secrets(env),
            webhooks_out=tuple(one.target(env) for one in self.webhooks_out),
            runs_at_once=self.limits.runs_at_once,
            retention_days=self.limits.retention_days,
        )

    def _unnamed(self) -> Iterable[Agent]:
        named = {one.name for one in self.agents}
        for name in shipped_agents():
            if name not in named:
                yield AgentConfig.model_validate({"name": name}).agent


def read_agents(file: Path, env: Mapping[str, str]) -> AgentsConfig:
    """
    Raises:
        ConfigurationError: names the file, the key, what is wrong and what would be right.
    """
    stated = validated(AgentsFile, read(file, env), where=file.name)
    try:
        return stated.config(env, folder=file.parent)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file.name}: {error}") from None


def without_file() -> AgentsConfig:
    return AgentsFile().config({}, folder=Path())


def _refuse_twice(key: str, names: Iterable[str]) -> None:
    if twice := sorted(name for name, often in Counter(names).items() if often > 1):
        raise ValueError(f"{key}: two are called {', '.join(twice)}; rename one")
