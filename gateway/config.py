"""Settings: a YAML file and the environment, read strictly into the gateway's own nouns."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gateway.documents.registry import SearchSettings
from gateway.downstream.provider import (
    DEADLINE_SECONDS,
    MAX_CONCURRENT,
    PROBE_SECONDS,
    QUEUE_SECONDS,
    WRITE_DEADLINE_SECONDS,
)
from gateway.downstream.service import Tls
from gateway.errors import ConfigurationError
from gateway.loopback import first_public
from gateway.market.settings import HOST, ExchangeName, MarketSettings, is_web_url, shown_url
from gateway.market.tool_names import ACCOUNT_TOOLS, PUBLIC_MARKET_TOOLS, TRADING_TOOLS
from gateway.tools.downstream import Exposure

# Who runs the gateway behind nginx lets these pages call it; programs send no Origin.
ORIGINS = ("https://chatgpt.com", "https://chat.openai.com", "https://claude.ai")

_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")

_SECRET = re.compile(r"key|secret|token|password", re.IGNORECASE)
_MOST_SHOWN = 30  # a secret is longer

Item = TypeVar("Item")
Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# Of a name or an address: what stands before the port in a URL.
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:%-]+$")]
# YAML knows lists only.
Listed = Annotated[tuple[Item, ...], Field(strict=False)]


class _EnvironmentText(str):
    """A variable's value: text even where a number is meant, and never shown."""

    __slots__ = ()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _converted(cls, value: Any, field: ValidationInfo) -> Any:
        wanted = cls.model_fields[field.field_name or ""].annotation
        return _of_text(value, wanted) if isinstance(value, _EnvironmentText) else value


class SearchConfig(_Strict):
    """How search answers; see `SearchSettings` for what each number means."""

    snippets: bool = True
    limit: Annotated[int, Field(ge=1, le=10)] = 10
    deadline_seconds: Seconds = 2.0
    live_titles: Annotated[int, Field(ge=0, le=10)] = 3
    live_wait_seconds: Annotated[float, Field(ge=0)] = 0.3

    @property
    def settings(self) -> SearchSettings:
        return SearchSettings(**self.model_dump(exclude={"snippets"}))


class TlsConfig(_Strict):
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    @property
    def tls(self) -> Tls:
        return Tls(
            ca_file=_path(self.ca_file),
            certificate_file=_path(self.certificate_file),
            key_file=_path(self.key_file),
            server_name=self.server_name,
        )


class ToolsConfig(_Strict):
    """Patterns of the tools that are shown; whatever is named nowhere stays hidden."""

    read: Listed[str] = PUBLIC_MARKET_TOOLS
    destructive: Listed[str] = ()


class ServiceConfig(_Strict):
    """A gRPC service that speaks `provider.v1`."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    address: Annotated[str, Field(min_length=1)]
    tls: TlsConfig | None = None
    deadline_seconds: Seconds = DEADLINE_SECONDS
    write_deadline_seconds: Seconds = WRITE_DEADLINE_SECONDS
    max_concurrent: Annotated[int, Field(ge=1, le=1_000)] = MAX_CONCURRENT
    queue_seconds: Seconds = QUEUE_SECONDS
    probe_seconds: Seconds = PROBE_SECONDS
    tools: ToolsConfig = ToolsConfig()

    @property
    def exposure(self) -> Exposure:
        return Exposure(self.tools.read, self.tools.destructive)

    @property
    def transport(self) -> Tls | None:
        return self.tls.tls if self.tls else None


class MarketConfig(_Strict):
    """The bundled market provider, which runs when `services` is empty."""

    exchange: ExchangeName = "simulated"
    exchange_url: str | None = None
    api_key: Annotated[str | None, Field(repr=False)] = None
    api_secret: Annotated[str | None, Field(repr=False)] = None
    trading: bool = False
    account_for_everybody: bool = False

    def settings(self, *, host: str, port: int) -> MarketSettings:
        """Raises:
        ConfigurationError: they do not fit together, or would let everybody in.
        """
        return MarketSettings(**self.model_dump(), host=host, port=port)

    @property
    def exposure(self) -> Exposure:
        # The provider offers account and trading tools only with keys, and switched on.
        return Exposure((*PUBLIC_MARKET_TOOLS, *ACCOUNT_TOOLS), TRADING_TOOLS)


class Config(_Strict):
    """All settings, with defaults that are safe and work without a file."""

    host: Host = "127.0.0.1"
    port: Port = 3001
    public_url: str | None = None
    allowed_hosts: Listed[str] = ()
    allowed_origins: Listed[str] = ORIGINS
    tool_deadline_seconds: Seconds = 40.0
    search: SearchConfig = SearchConfig()
    services: Listed[ServiceConfig] = ()
    market_service: str | None = None
    market: MarketConfig = MarketConfig()

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
    file = path or (Path(env["GATEWAY_CONFIG"]) if env.get("GATEWAY_CONFIG") else None)
    values = _with_variables(_read(file), env, where=str(file)) if file else {}
    for settings in (_from_environment(env), overrides or {}):
        values = _merged(values, settings)
    where = file.name if file else "settings"
    config = _validated(values, where=where)
    try:
        _check(config)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    return config


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Its words quote the file, in which a secret may stand.
        mark = getattr(error, "problem_mark", None)
        place = f" from line {mark.line + 1}, column {mark.column + 1} on" if mark else ""
        raise ConfigurationError(f"{file}: is not YAML{place}") from None
    if not isinstance(values or {}, dict):
        raise ConfigurationError(f"{file}: takes keys and values, such as 'port: 3001'")
    return values or {}


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    named = {
        "host": env.get("GATEWAY_HOST"),
        "port": env.get("GATEWAY_PORT"),
        "public_url": env.get("GATEWAY_PUBLIC_URL"),
        "market": {
            name: _EnvironmentText(value)
            for name, value in {
                "exchange": env.get("GATEWAY_MARKET_EXCHANGE"),
                "api_key": env.get("BINANCE_API_KEY"),
                "api_secret": env.get("BINANCE_API_SECRET"),
            }.items()
            if value
        },
    }
    return {
        name: _EnvironmentText(value) if isinstance(value, str) else value
        for name, value in named.items()
        if value
    }


def _with_variables(value: Any, env: Mapping[str, str], *, where: str) -> Any:
    """`${NAME}` stands for a variable of the environment, so that no secret is in a file."""
    if isinstance(value, dict):
        return {
            name: _with_variables(one, env, where=f"{where}: {name}") for name, one in value.items()
        }
    if isinstance(value, list):
        return [_with_variables(one, env, where=where) for one in value]
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    if not env.get(match[1]):
        raise ConfigurationError(f"{where}: the environment has no {match[1]}; set it or leave it")
    return _EnvironmentText(env[match[1]])


def _path(file: str | None) -> Path | None:
    return Path(file) if file else None


def _of_text(text: str, wanted: Any) -> Any:
    """A variable's number or yes-or-no; what is neither is left for the type check to refuse."""
    try:
        if wanted is bool:
            return {"true": True, "false": False}.get(text.lower(), text)
        return wanted(text) if wanted in (int, float) else text
    except ValueError:
        return text


def _merged(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for name, value in others.items():
        is_nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if is_nested else value
    return merged


def _validated(values: Mapping[str, Any], *, where: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        mistakes = "; ".join(_mistake(one, where) for one in error.errors())
        raise ConfigurationError(mistakes) from None


def _mistake(error: Any, where: str) -> str:
    place = ".".join(_part(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: {place}: unknown key; it takes {', '.join(_keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{where}: {place}: is missing"
    return f"{where}: {place}: {error['msg'].removeprefix('Input ')}{_given(place, error['input'])}"


def _part(part: str | int) -> str:
    text = str(part)
    return text if len(text) <= _MOST_SHOWN else "(a long key)"


def _given(place: str, value: object) -> str:
    """The value, unless it is or holds what may be a secret, in its place or in a wrong one."""
    if isinstance(value, _EnvironmentText):
        return "; the environment gives another"
    is_plain = value is None or isinstance(value, bool | int | float | str)
    if not is_plain or _SECRET.search(place) or len(str(value)) > _MOST_SHOWN:
        return ""
    return f", not {value!r}"


def _keys(place: Sequence[str | int]) -> Sequence[str]:
    """The keys that the settings at a place take."""
    models: Mapping[str, type[_Strict]] = {
        "search": SearchConfig,
        "services": ServiceConfig,
        "tls": TlsConfig,
        "tools": ToolsConfig,
        "market": MarketConfig,
    }
    named = [part for part in place if isinstance(part, str)]
    return list(models.get(named[-1], Config).model_fields) if named else list(Config.model_fields)


def _check(config: Config) -> None:
    """What no field shows alone.

    Raises:
        ConfigurationError: names the key, without the file.
    """
    _check_public_url(config)
    _check_services(config)
    try:
        # It is opened on this machine, whatever the gateway's own host is.
        config.market.settings(host=HOST, port=0)
    except ConfigurationError as error:
        raise ConfigurationError(f"market: {error}") from error
    _refuse_public_account(config)


def _check_public_url(config: Config) -> None:
    if config.public_url is not None and not is_web_url(config.public_url):
        raise ConfigurationError(
            f"public_url: {shown_url(config.public_url)} is no URL such as https://gw.example.com"
        )
    if not is_web_url(config.url):
        raise ConfigurationError(
            f"host: {config.host!r} is no name or address such as 127.0.0.1 or ::1"
        )


def _check_services(config: Config) -> None:
    names = [service.name for service in config.services]
    if config.market_service not in (None, *names) or len(set(names)) < len(names):
        raise ConfigurationError(
            f"services: names must differ, and market_service be one of them: {names}"
        )
    for number, service in enumerate(config.services):
        tls = service.tls or TlsConfig()
        if bool(tls.certificate_file) != bool(tls.key_file):
            missing = "key_file" if tls.certificate_file else "certificate_file"
            raise ConfigurationError(
                f"services.{number}.tls.{missing}: is missing: "
                "certificate_file and key_file only go together"
            )


def _refuse_public_account(config: Config) -> None:
    """Balances and orders are not for whoever finds the address: there is no login yet."""
    market = config.market
    public = first_public((config.host, *config.hosts))
    if public is None:
        return
    for service in config.services:
        if service.tools.destructive:
            raise ConfigurationError(
                f"services: {service.name}: tools.destructive shows tools that change something, "
                f"and the gateway is public ({public}): everybody could call them, because there "
                "is no login; leave it empty"
            )
    if config.services or not market.api_key:
        return
    if market.trading:
        raise ConfigurationError(
            f"market.trading is on and the gateway is public ({public}): everybody could trade, "
            "and nothing allows that, because there is no login; set market.trading: false, or "
            "let the gateway be reached from this machine only"
        )
    if not market.account_for_everybody:
        raise ConfigurationError(
            f"BINANCE_API_KEY is set and the gateway is public ({public}): everybody could read "
            "the account. Remove the keys, or set market.account_for_everybody: true if that is "
            "meant"
        )
