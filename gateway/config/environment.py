"""What the environment says, in the words of the settings file; an empty variable is not set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.config.callers import callers_of_variable
from gateway.config.strict import EnvironmentText
from gateway.errors import ConfigurationError

_PLAIN = {
    "host": "GATEWAY_HOST",
    "port": "GATEWAY_PORT",
    "public_url": "GATEWAY_PUBLIC_URL",
    "database_url": "GATEWAY_DATABASE_URL",
    "data_dir": "MCP_DATABASE_DIR",
    "max_parallel_tasks": "MAX_PARALLEL_TASKS",
}
# People write OpenRouter and Quality.
_WORDS = {"llm_provider": "LLM_PROVIDER", "default_priority": "DEFAULT_PRIORITY"}
_FILES = {
    "models_file": "GATEWAY_MODELS",
    "tools_file": "GATEWAY_TOOLS",
    "agents_file": "GATEWAY_AGENTS",
}
_MARKET = {
    "exchange": "GATEWAY_MARKET_EXCHANGE",
    "api_key": "BINANCE_API_KEY",
    "api_secret": "BINANCE_API_SECRET",
}
_HOSTED = ("nanogpt", "openrouter", "openai", "anthropic")
_OLLAMA_PORT = 11_434


def named_file(env: Mapping[str, str]) -> Path | None:
    return Path(env["GATEWAY_CONFIG"]) if env.get("GATEWAY_CONFIG") else None


def from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    """All but the providers, which `environment_providers` gives.

    Raises:
        ConfigurationError: names the variable and what it takes.
    """
    named = {key: _text(env, variable) for key, variable in _PLAIN.items()}
    words = {key: _text(env, variable) for key, variable in _WORDS.items()}
    files = {key: env.get(variable) for key, variable in _FILES.items()}
    values = {
        **named,
        **{
            key: word and EnvironmentText(word.lower(), word.variable)
            for key, word in words.items()
        },
        # Their own folder is this one, wherever the settings file lies.
        **{key: str(Path(name).absolute()) if name else None for key, name in files.items()},
        "market": _set({key: _text(env, variable) for key, variable in _MARKET.items()}),
        "callers": callers_of_variable(env.get("GATEWAY_API_KEYS") or ""),
        "limits": _limits(env),
    }
    return _set(values)


def environment_providers(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """One for each kind whose variables are set, in the words of `providers`.

    Raises:
        ConfigurationError: names the variable and what it takes.
    """
    found = [_hosted(env, kind) for kind in _HOSTED]
    found += [_azure(env), _vertex(env), _ollama(env), _lmstudio(env)]
    return [provider for provider in found if provider]


def default_data_dir(env: Mapping[str, str]) -> Path:
    if env.get("XDG_DATA_HOME"):
        return Path(env["XDG_DATA_HOME"], "gateway")
    try:
        return Path.home() / ".local" / "share" / "gateway"
    except RuntimeError:
        raise ConfigurationError("there is no home directory; set MCP_DATABASE_DIR") from None


def _limits(env: Mapping[str, str]) -> list[dict[str, Any]]:
    named: Sequence[dict[str, Any]] = (
        {
            "name": "monthly-budget",
            "budget_usd": _text(env, "GATEWAY_MONTHLY_BUDGET_USD"),
            "window": "month",
            "where": {"tier": "paid"},
        },
        {
            "name": "token-budget",
            "quota_tokens": _text(env, "TOKEN_BUDGET"),
            "window": "rolling_30_days",
        },
        {
            "name": "cost-alert",
            "budget_usd": _text(env, "COST_ALERT_THRESHOLD"),
            "window": "month",
            "alert_only": True,
        },
    )
    return [limit for limit in named if limit.get("budget_usd") or limit.get("quota_tokens")]


def _hosted(env: Mapping[str, str], kind: str) -> dict[str, Any] | None:
    key = _text(env, f"{kind.upper()}_API_KEY")
    url = _text(env, f"{kind.upper()}_BASE_URL")
    return _set({"kind": kind, "api_key": key, "base_url": url}) if key else None


def _azure(env: Mapping[str, str]) -> dict[str, Any] | None:
    key = _text(env, "AZURE_OPENAI_API_KEY") or _text(env, "AZURE_API_KEY")
    url = _text(env, "AZURE_OPENAI_ENDPOINT") or _text(env, "AZURE_ENDPOINT")
    deployments = _deployments(env.get("AZURE_OPENAI_DEPLOYMENTS") or "")
    named = {"api_key": key, "base_url": url, "deployments": deployments}
    return _set({"kind": "azure", **named}) if key else None


def _deployments(text: str) -> Mapping[str, str]:
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if not all(name and model for name, _, model in pairs):
        raise ConfigurationError(
            "AZURE_OPENAI_DEPLOYMENTS takes deployment=model pairs, such as my-gpt=gpt-5.5,"
            "my-small=gpt-5.4-mini"
        )
    return {name.strip(): model.strip() for name, _, model in pairs}


def _vertex(env: Mapping[str, str]) -> dict[str, Any] | None:
    # On Google's machines the second is set for any program, with or without Vertex.
    named, shared = _text(env, "VERTEX_PROJECT"), _text(env, "GOOGLE_CLOUD_PROJECT")
    credentials = _text(env, "GOOGLE_APPLICATION_CREDENTIALS")
    values = {
        "kind": "vertex",
        "project": named or shared,
        "location": _text(env, "VERTEX_LOCATION"),
        "credentials_file": credentials,
        "base_url": _text(env, "VERTEX_BASE_URL"),
    }
    return _set(values) if named or (shared and credentials) else None


def _ollama(env: Mapping[str, str]) -> dict[str, Any] | None:
    url, host = _text(env, "OLLAMA_BASE_URL"), _text(env, "OLLAMA_HOST")
    if host is not None:
        host = EnvironmentText(_ollama_url(host), host.variable)
    return {"kind": "ollama", "base_url": url or host} if url or host else None


def _ollama_url(host: str) -> str:
    """As Ollama reads it: the scheme and the port may be left out, `0.0.0.0` is everywhere."""
    scheme, has_scheme, rest = host.rpartition("://")
    name = rest.rstrip("/").replace("0.0.0.0", "127.0.0.1", 1)
    has_port = name.rpartition("]")[2].rpartition(":")[1] != ""
    if name.startswith(":"):
        name = f"127.0.0.1{name}"
    port = "" if has_port or has_scheme else f":{_OLLAMA_PORT}"
    return f"{scheme or 'http'}://{name}{port}"


def _lmstudio(env: Mapping[str, str]) -> dict[str, Any] | None:
    url = _text(env, "LMSTUDIO_BASE_URL")
    return {"kind": "lmstudio", "base_url": url} if url else None


def _text(env: Mapping[str, str], variable: str) -> EnvironmentText | None:
    value = (env.get(variable) or "").strip()
    return EnvironmentText(value, variable) if value else None


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
