"""Settings of the LLM providers: what is in a file, completed with what the environment has."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, model_validator

from gateway.config.formats import WebUrl
from gateway.config.models_file import ApiConfig
from gateway.config.strict import Name, Seconds, Strict, Text, validated
from gateway.errors import ConfigurationError
from gateway.llm.provider.settings import (
    GoogleCredentials,
    MetadataServer,
    ProviderKind,
    ProviderSettings,
    Timeouts,
)

# What has to be set for a kind to be there, in the words of the environment.
VARIABLES: Mapping[str, str] = {
    "nanogpt": "NANOGPT_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "azure": "AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_DEPLOYMENTS",
    "vertex": "VERTEX_PROJECT and GOOGLE_APPLICATION_CREDENTIALS",
    "ollama": "OLLAMA_HOST",
    "lmstudio": "LMSTUDIO_BASE_URL",
}
_NEED_KEY = ("nanogpt", "openrouter", "openai", "anthropic", "azure")
_FROM_METADATA = "metadata"
_AZURE_PATH = "/openai/v1"

KINDS: tuple[str, ...] = get_args(ProviderKind)


class TimeoutsConfig(Strict):
    """In seconds; see `Timeouts` for what each is about."""

    connect: Seconds = Timeouts().connect_seconds
    first_token: Seconds = Timeouts().first_token_seconds
    silence: Seconds = Timeouts().silence_seconds
    total: Seconds = Timeouts().total_seconds

    @property
    def timeouts(self) -> Timeouts:
        return Timeouts(self.connect, self.first_token, self.silence, self.total)


class ProviderConfig(Strict):
    """One provider. `name` is what its model IDs begin with; left out, it is the kind."""

    kind: ProviderKind
    name: Name = ""
    base_url: WebUrl | None = None
    api_key: Annotated[Text | None, Field(repr=False)] = None
    deployments: dict[Text, Text] = Field(default_factory=dict)
    project: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9.:-]+$")] = None
    location: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "global"
    credentials_file: Text | None = None
    headers: dict[Text, Text] = Field(default_factory=dict, repr=False)
    timeouts: TimeoutsConfig = TimeoutsConfig()
    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] = 256
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    proxy: Annotated[str | None, Field(repr=False)] = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if isinstance(values, dict) and "name" not in values and values.get("kind") in KINDS:
            return {"name": values["kind"], **values}
        return values

    @property
    def is_usable(self) -> bool:
        return self.kind not in _NEED_KEY or self.api_key is not None

    @property
    def settings(self) -> ProviderSettings:
        """Raises:
        ConfigurationError: the file of Google's credentials cannot be read.
        """
        return ProviderSettings(
            name=self.name,
            kind=self.kind,
            base_url=self._url,
            api_key=self.api_key,
            google=self._google if self.kind == "vertex" else None,
            deployments=self.deployments,
            headers=self.headers,
            timeouts=self.timeouts.timeouts,
            max_concurrent=self.max_concurrent,
            attempts=self.attempts,
            proxy=self.proxy,
        )

    @property
    def _url(self) -> str | None:
        if self.kind == "azure" and self.base_url:
            url = self.base_url.rstrip("/")
            return url if _AZURE_PATH in url else f"{url}{_AZURE_PATH}"
        if self.kind == "vertex" and not self.base_url:
            region = "" if self.location == "global" else f"{self.location}-"
            return (
                f"https://{region}aiplatform.googleapis.com/v1/projects/{self.project}"
                f"/locations/{self.location}/endpoints/openapi"
            )
        return self.base_url

    @property
    def _google(self) -> GoogleCredentials:
        if self.credentials_file in (None, _FROM_METADATA):
            return MetadataServer()
        # It brings a JWT library, which only Vertex needs.
        from gateway.llm.provider.google_token import google_credentials

        file = Path(str(self.credentials_file))
        try:
            return google_credentials(_json_object(file))
        except ConfigurationError as error:
            raise ConfigurationError(f"credentials_file {file}: {error}") from None


def with_defaults(
    stated: Sequence[ProviderConfig], api: ApiConfig, found: Sequence[ProviderConfig]
) -> tuple[ProviderConfig, ...]:
    """What is stated wins; `api` and then what was found fill what it leaves open, and add."""
    added = _completed(_of_api(api, stated), found)
    completed = _completed(stated, added)
    names = {one.name for one in stated}
    # A models.yaml may speak of a provider whose key this machine does not have.
    return tuple(one for one in completed if one.name in names or one.is_usable)


def _of_api(api: ApiConfig, stated: Sequence[ProviderConfig]) -> Sequence[ProviderConfig]:
    if not api.model_fields_set:
        return ()
    kinds = {one.name: one.kind for one in stated}
    own = api.provider if api.provider in KINDS else "openai_compatible"
    values: dict[str, Any] = {"name": api.provider, "kind": kinds.get(api.provider, own)}
    values |= {"base_url": api.base_url, "api_key": api.api_key}
    if api.timeout is not None:
        values["timeouts"] = TimeoutsConfig(first_token=api.timeout)
    given = {name: value for name, value in values.items() if value is not None}
    return (validated(ProviderConfig, given, where="models: api"),)


def _completed(
    stated: Sequence[ProviderConfig], defaults: Sequence[ProviderConfig]
) -> tuple[ProviderConfig, ...]:
    """A default of another kind fills nothing: its key is not for whoever else has the name."""
    by_name = {one.name: one for one in defaults}
    filled = [_filled(one, by_name.get(one.name)) for one in stated]
    names = {one.name for one in stated}
    return (*filled, *(one for one in defaults if one.name not in names))


def check_provider(provider: ProviderConfig) -> None:
    """Raises:
    ConfigurationError: names the key that is missing, without its place.
    """
    variable = VARIABLES.get(provider.kind, "")
    if not provider.is_usable:
        raise ConfigurationError(f"api_key: is missing; set {variable}")
    if provider.kind == "azure" and not provider.base_url:
        raise ConfigurationError(
            "base_url: is missing; set AZURE_OPENAI_ENDPOINT, such as https://name.openai.azure.com"
        )
    if provider.kind in ("openai_compatible", "demo") and not provider.base_url:
        raise ConfigurationError("base_url: is missing, such as http://127.0.0.1:8000/v1")
    if provider.kind == "azure" and not provider.deployments:
        raise ConfigurationError(
            "deployments: is missing: each deployment with its model, such as my-gpt: gpt-5.5 "
            "(or AZURE_OPENAI_DEPLOYMENTS=my-gpt=gpt-5.5)"
        )
    if provider.kind == "vertex":
        _check_vertex(provider)


def _check_vertex(provider: ProviderConfig) -> None:
    if not provider.project and not provider.base_url:
        raise ConfigurationError("project: is missing; set VERTEX_PROJECT")
    if provider.credentials_file is None:
        raise ConfigurationError(
            "credentials_file: is missing; set GOOGLE_APPLICATION_CREDENTIALS, or "
            f"credentials_file: {_FROM_METADATA} on a machine of Google's"
        )
    _ = provider.settings


def _filled(stated: ProviderConfig, default: ProviderConfig | None) -> ProviderConfig:
    if default is None or default.kind != stated.kind:
        return stated
    missing = default.model_fields_set - stated.model_fields_set
    return stated.model_copy(update={name: getattr(default, name) for name in missing})


def _json_object(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}") from error
    except ValueError:
        # The cause quotes the file.
        raise ConfigurationError("is not JSON") from None
    if not isinstance(content, dict):
        raise ConfigurationError("is no JSON object")
    return content
