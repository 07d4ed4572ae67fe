"""Settings: YAML files and the environment, read strictly into the gateway's own nouns."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr

from gateway.agents.agent import limits_of
from gateway.caller import Caller
from gateway.config.agents_file import AgentsConfig, read_agents, without_file
from gateway.config.callers import CallerConfig, caller_without_key, callers_by_hash
from gateway.config.checks import (
    check_addresses,
    check_database,
    check_market,
    check_origins,
    check_providers,
    check_retention,
    check_services,
    refuse_public_account,
    refuse_strangers,
)
from gateway.config.environment import (
    default_data_dir,
    environment_providers,
    from_environment,
    named_file,
)
from gateway.config.files import merged, read
from gateway.config.grpc_services import GrpcServiceConfig
from gateway.config.limits import LimitConfig, lets_pay, limits_of_file, with_distinct_names
from gateway.config.market import MarketConfig
from gateway.config.models_file import ModelsFile
from gateway.config.providers import ProviderConfig, with_defaults
from gateway.config.routing import Selection
from gateway.config.services import ServiceConfig
from gateway.config.strict import (
    Count,
    Host,
    Listed,
    Port,
    Seconds,
    Strict,
    Text,
    validated,
)
from gateway.config.tool_loop import LoopConfig
from gateway.config.tools_file import (
    RemoteServer,
    ToolsFile,
    check_task_server,
    read_tools,
)
from gateway.documents.registry import SearchSettings
from gateway.errors import ConfigurationError
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.loop.loop import LoopSettings
from gateway.llm.policy import Context, Policy, Priority
from gateway.llm.provider.settings import ProviderSettings
from gateway.loopback import first_public
from gateway.usage.limit import Limit

# Who runs the gateway behind nginx lets these pages call it; programs send no Origin.
ORIGINS = ("https://chatgpt.com", "https://chat.openai.com", "https://claude.ai")


class SearchConfig(Strict):
    """How search answers; see `SearchSettings` for what each number means."""

    snippets: bool = True
    limit: Annotated[int, Field(ge=1, le=10)] = 10
    deadline_seconds: Seconds = 2.0
    live_titles: Annotated[int, Field(ge=0, le=10)] = 3
    live_wait_seconds: Annotated[float, Field(ge=0)] = 0.3

    @property
    def settings(self) -> SearchSettings:
        return SearchSettings(**self.model_dump(exclude={"snippets"}))


class Config(Strict):
    """All settings, with defaults that are safe and work without a file.

    The properties are what the rest of the gateway takes; `limits` and `callers` are put together
    from all places that speak of them.
    """

    host: Host = "127.0.0.1"
    port: Port = 3001
    public_url: str | None = None
    allowed_hosts: Listed[str] = ()
    allowed_origins: Listed[str] = ORIGINS
    tool_deadline_seconds: Seconds = 40.0
    tool_loop: LoopConfig = LoopConfig()
    search: SearchConfig = SearchConfig()
    services: Listed[ServiceConfig] = ()
    market_service: str | None = None
    grpc_services: Listed[GrpcServiceConfig] = ()
    tools_file: str | None = None
    agents_file: str | None = None
    market: MarketConfig = MarketConfig()
    providers: Listed[ProviderConfig] = ()
    llm_provider: Text | None = None
    models_file: str | None = None
    models: ModelsFile = ModelsFile()
    aliases: dict[Text, Text] = Field(default_factory=dict)
    default_priority: Priority = "cost"
    default_context: Context = "personal"
    unknown_price: Literal["refuse", "allow"] = "refuse"
    max_parallel_tasks: Count = 512
    stated_limits: Annotated[Listed[LimitConfig], Field(alias="limits")] = ()
    alerts: Listed[Annotated[int, Field(ge=1, le=1_000)]] = (50, 80, 100)
    stated_callers: Annotated[Listed[CallerConfig], Field(alias="callers")] = ()
    private_documents_for_everybody: bool = False
    database_url: Annotated[Text | None, Field(repr=False)] = None
    data_dir: Annotated[Path, Field(strict=False), AfterValidator(Path.expanduser)] = Field(
        default_factory=lambda: default_data_dir({})
    )
    retention_days: Count | None = None

    _tools: ToolsFile = PrivateAttr(default_factory=ToolsFile)
    _remote_servers: Sequence[RemoteServer] = PrivateAttr(())
    _agents: AgentsConfig = PrivateAttr(default_factory=without_file)

    @property
    def remote_servers(self) -> Sequence[RemoteServer]:
        """Other MCP servers, as `tools_file` names them."""
        return self._remote_servers

    @property
    def remote_tool_names(self) -> Sequence[str]:
        """The names that the settings give to tools of theirs."""
        return self._tools.tool_names

    @property
    def task_server(self) -> str | None:
        """Whose tasks take the place of the gateway's own."""
        return self._tools.task_server

    @property
    def agents(self) -> AgentsConfig:
        """The agents that are always on, as `agents_file` describes them, and what they hear."""
        return self._agents

    @property
    def loop_settings(self) -> LoopSettings:
        return self.tool_loop.settings

    @property
    def url(self) -> str:
        """Where browsers reach the gateway, without a last slash."""
        if self.public_url:
            return self.public_url.rstrip("/")
        is_any = self.host in ("0.0.0.0", "::")
        host = "127.0.0.1" if is_any else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def hosts(self) -> Sequence[str]:
        return (urlsplit(self.url).hostname or "", *self.allowed_hosts)

    @property
    def origins(self) -> Sequence[str]:
        """The pages that may call; without keys on this machine only those that are stated.

        Otherwise a page of somebody else, open in a browser here, could spend.
        """
        is_stated = "allowed_origins" in self.model_fields_set
        is_for_others = self.public_name is not None or bool(self.stated_callers)
        return self.allowed_origins if is_stated or is_for_others else ()

    @property
    def public_name(self) -> str | None:
        """A name by which others may reach the gateway; None if only this machine does."""
        return first_public((self.host, *self.hosts))

    @property
    def provider_settings(self) -> Sequence[ProviderSettings]:
        return tuple(provider.settings for provider in self.providers)

    @property
    def limits(self) -> Sequence[Limit]:
        stated = (limit.limit for limit in self.stated_limits)
        of_callers = (limit for caller in self.stated_callers for limit in caller.limits)
        of_agents = limits_of(self.agents.agents)
        named = [*stated, *limits_of_file(self.models), *of_callers, *of_agents]
        return with_distinct_names(named)

    @property
    def callers(self) -> Mapping[str, Caller]:
        """By the SHA-256 of their keys, in hexadecimal digits."""
        return callers_by_hash(self.stated_callers)

    @property
    def caller_without_key(self) -> Caller:
        return caller_without_key(
            has_keys=bool(self.stated_callers),
            is_public=self.public_name is not None,
            reads_everything=self.private_documents_for_everybody,
        )

    @property
    def database(self) -> str:
        """The URL of the database; without one, a file in `data_dir`."""
        return self.database_url or f"sqlite:///{self.data_dir / 'gateway.db'}"

    @property
    def selection(self) -> Selection:
        return Selection(self.models, {provider.name for provider in self.providers})

    @property
    def model_overrides(self) -> Sequence[ModelOverride]:
        return self.selection.overrides

    @property
    def policy(self) -> Policy:
        selection, fallback = self.selection, self.models.fallback
        return Policy(
            strategy=self.models.model_selection.strategy,
            priority=self.default_priority,
            task_models=selection.task_models,
            aliases=selection.aliases(self.aliases),
            free_models=selection.listed("free"),
            paid_models=selection.listed("paid"),
            tier_order=selection.tier_order,
            on_quota_exceeded=selection.on_quota_exceeded,
            fallback=fallback.strategies,
            degrades_work=fallback.degraded.work,
            degrades_named=fallback.degraded.named,
            explore_share=self.models.model_selection.explore.share,
            explores_work=self.models.model_selection.explore.work,
            forced_provider=self.llm_provider,
            may_pay=bool(self.models.tiers.paid.models) or any(map(lets_pay, self.limits)),
            default_context=self.default_context,
            unknown_price=self.unknown_price,
        )


def load(
    path: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """The settings: `overrides` before the environment, before the file, before the defaults.

    Raises:
        ConfigurationError: names the file, the key, what is wrong and what would be right.
    """
    env = os.environ if environment is None else environment
    file = path or named_file(env)
    values: dict[str, Any] = {"data_dir": str(default_data_dir(env))}
    for settings in (read(file, env) if file else {}, from_environment(env), overrides or {}):
        values = merged(values, settings)
    where = file.name if file else "settings"
    config = validated(Config, values, where=where)
    config = _with_models_file(config, env, folder=file.parent if file else Path())
    config = _with_providers(config, env, where=where)
    _read_tools(config, env, folder=file.parent if file else Path())
    _read_agents(config, env, folder=file.parent if file else Path())
    try:
        _check(config)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    return config


def _with_models_file(config: Config, env: Mapping[str, str], *, folder: Path) -> Config:
    if config.models_file is None:
        return config
    if "models" in config.model_fields_set:
        raise ConfigurationError("models_file and models are both set; keep one of them")
    file = folder / config.models_file
    models = validated(ModelsFile, read(file, env), where=file.name)
    return config.model_copy(update={"models": models})


def _read_tools(config: Config, env: Mapping[str, str], *, folder: Path) -> None:
    if config.tools_file is None:
        return
    file = folder / config.tools_file
    config._tools = read_tools(file, env)
    config._remote_servers = config._tools.servers(env, folder=file.parent)


def _read_agents(config: Config, env: Mapping[str, str], *, folder: Path) -> None:
    if config.agents_file is not None:
        config._agents = read_agents(folder / config.agents_file, env)


def _with_providers(config: Config, env: Mapping[str, str], *, where: str) -> Config:
    """What `providers` states, then `api` of the models, then the environment."""
    found = validated(_FoundProviders, {"providers": environment_providers(env)}, where=where)
    providers = with_defaults(config.providers, config.models.api, found.providers)
    return config.model_copy(update={"providers": providers})


def _check(config: Config) -> None:
    """Raises:
    ConfigurationError: names the key, without the file.
    """
    check_addresses(config.host, url=config.url, public_url=config.public_url)
    check_services(config.services, config.market_service)
    check_origins(
        [*config.services, *config.grpc_services], [one.name for one in config.remote_servers]
    )
    servers = [one.name for one in config.remote_servers]
    servers += [one.name for one in config.services]
    servers += [one.name for one in config.grpc_services]
    check_task_server(config.task_server, servers)
    check_market(config.market)
    check_providers(config.providers, config.llm_provider)
    check_database(config.database_url)
    # What is put together from several places is checked while it is.
    _ = config.policy, config.model_overrides, config.limits, config.callers
    check_retention(config.retention_days, config.limits)
    refuse_public_account(config.market, config.services, public=config.public_name)
    refuse_strangers(config.host, has_callers=bool(config.stated_callers))


class _FoundProviders(Strict):
    providers: Listed[ProviderConfig] = ()
