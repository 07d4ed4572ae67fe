"""Settings: a YAML file and the environment, read strictly into the gateway's own nouns."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.documents.registry import SearchSettings
from gateway.downstream.service import Tls
from gateway.errors import ConfigurationError
from gateway.market.settings import MarketSettings
from gateway.tools.downstream import Exposure

# Who runs the gateway behind nginx lets these pages call it; programs send no Origin.
ORIGINS = ("https://chatgpt.com", "https://chat.openai.com", "https://claude.ai")

# The market tools that anybody may read, for a provider that does not say what its tools do.
PUBLIC_MARKET_TOOLS = (
    "binance.get_ticker",
    "binance.get_orderbook",
    "binance.get_recent_trades",
    "binance.get_klines",
    "binance.get_exchange_info",
    "binance.get_avg_price",
    "binance.orderbook_*",
    "binance.get_order_flow",
    "binance.get_volume_profile",
    "binance.detect_market_anomalies",
    "binance.get_microstructure_health",
    "binance.get_liquidity_vacuums",
)
ACCOUNT_TOOLS = (
    "binance.get_account",
    "binance.get_my_trades",
    "binance.get_order",
    "binance.get_open_orders",
    "binance.get_all_orders",
)
TRADING_TOOLS = ("binance.place_order", "binance.cancel_order")

_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")

Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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


class ToolsConfig(_Strict):
    """Patterns of the tools that are shown; whatever is named nowhere stays hidden."""

    read: tuple[str, ...] = PUBLIC_MARKET_TOOLS
    destructive: tuple[str, ...] = ()


class ServiceConfig(_Strict):
    """A gRPC service that speaks `provider.v1`."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    address: Annotated[str, Field(min_length=1)]
    tls: TlsConfig | None = None
    deadline_seconds: Seconds = 5.0
    max_concurrent: Annotated[int, Field(ge=1, le=1_000)] = 64
    queue_seconds: Seconds = 1.0
    probe_seconds: Seconds = 10.0
    tools: ToolsConfig = ToolsConfig()

    @property
    def exposure(self) -> Exposure:
        return Exposure(self.tools.read, self.tools.destructive)

    @property
    def transport(self) -> Tls | None:
        return Tls(**self.tls.model_dump()) if self.tls else None


class MarketConfig(_Strict):
    """The bundled market provider, which runs when `services` is empty."""

    exchange: Literal["simulated", "binance", "testnet"] = "simulated"
    exchange_url: str | None = None
    api_key: Annotated[str | None, Field(repr=False)] = None
    api_secret: Annotated[str | None, Field(repr=False)] = None
    trading: bool = False
    account_for_everybody: bool = False

    def settings(self, *, host: str, port: int) -> MarketSettings:
        return MarketSettings(
            **self.model_dump(exclude={"account_for_everybody"}), host=host, port=port
        )

    @property
    def exposure(self) -> Exposure:
        # The provider offers account and trading tools only with keys, and switched on.
        return Exposure((*PUBLIC_MARKET_TOOLS, *ACCOUNT_TOOLS), TRADING_TOOLS)


class Config(_Strict):
    """All settings, with defaults that are safe and work without a file."""

    host: str = "127.0.0.1"
    port: Port = 3001
    public_url: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ORIGINS
    tool_deadline_seconds: Seconds = 30.0
    search: SearchConfig = SearchConfig()
    services: tuple[ServiceConfig, ...] = ()
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
    config = _checked(values, where=file.name if file else "settings")
    _refuse_public_account(config)
    return config


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file}: is not YAML: {error}") from error
    if not isinstance(values or {}, dict):
        raise ConfigurationError(f"{file}: takes keys and values, such as 'port: 3001'")
    return values or {}


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    named = {
        "host": env.get("GATEWAY_HOST"),
        "port": env.get("GATEWAY_PORT"),
        "public_url": env.get("GATEWAY_PUBLIC_URL"),
        "market": {
            name: value
            for name, value in {
                "exchange": env.get("GATEWAY_MARKET_EXCHANGE"),
                "api_key": env.get("BINANCE_API_KEY"),
                "api_secret": env.get("BINANCE_API_SECRET"),
            }.items()
            if value
        },
    }
    return {name: value for name, value in named.items() if value}


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
    return env[match[1]]


def _merged(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for name, value in others.items():
        is_nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if is_nested else value
    return merged


def _checked(values: Mapping[str, Any], *, where: str) -> Config:
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        mistakes = "; ".join(_mistake(one, where) for one in error.errors())
        raise ConfigurationError(mistakes) from None
    if config.public_url and not re.match(r"https?://[^/\s]+", config.public_url):
        raise ConfigurationError(
            f"{where}: public_url: {config.public_url!r} is no URL such as https://gw.example.com"
        )
    names = [service.name for service in config.services]
    if config.market_service not in (None, *names) or len(set(names)) < len(names):
        raise ConfigurationError(
            f"{where}: services: names must differ, and market_service be one of them: {names}"
        )
    return config


def _mistake(error: Any, where: str) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: {place}: unknown key; it takes {', '.join(_keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{where}: {place}: is missing"
    # A secret that was put in the wrong place must not come out in a message.
    given = "" if "api_" in place else f", not {error['input']!r}"[:80]
    return f"{where}: {place}: {error['msg'].removeprefix('Input ')}{given}"


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


def _refuse_public_account(config: Config) -> None:
    """Balances and orders are not for whoever finds the address: there is no login yet."""
    has_account = bool(config.market.api_key and config.market.api_secret and not config.services)
    host = urlsplit(config.url).hostname or ""
    is_local = host in ("localhost", "::1") or host.startswith("127.")
    is_bound_here = config.host in ("localhost", "::1") or config.host.startswith("127.")
    if has_account and not (is_local and is_bound_here) and not config.market.account_for_everybody:
        raise ConfigurationError(
            "BINANCE_API_KEY is set and the gateway is public "
            f"({config.url}, bound to {config.host}): everybody could read the account. Remove "
            "the keys, or set market.account_for_everybody: true if that is meant"
        )
