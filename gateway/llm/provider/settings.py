"""How one provider is reached and treated, as the configuration says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

ProviderKind = Literal[
    "nanogpt",
    "openrouter",
    "openai",
    "anthropic",
    "azure",
    "vertex",
    "ollama",
    "lmstudio",
    "openai_compatible",
    "demo",
]
NO_PROVIDER = (
    "no model provider is configured: set NANOGPT_API_KEY (or OPENROUTER_API_KEY, OPENAI_API_KEY, "
    "ANTHROPIC_API_KEY, OLLAMA_HOST, …), or try gateway serve --demo-llm"
)
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"
KINDS: tuple[ProviderKind, ...] = get_args(ProviderKind)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until a connection stands, until the first piece of an answer, between two
    pieces (a keep-alive counts as one), and for one answer from beginning to end.
    """

    connect_seconds: float = 5.0
    first_token_seconds: float = 120.0
    silence_seconds: float = 60.0
    total_seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Of Google: who signs for its tokens. `private_key` is PEM."""

    email: str
    private_key: str = field(repr=False)
    private_key_id: str | None = None
    token_url: str = GOOGLE_TOKEN_URL


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Of Google: what `gcloud auth application-default login` leaves behind."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    token_url: str = GOOGLE_TOKEN_URL


@dataclass(frozen=True, slots=True)
class MetadataServer:
    """Of Google: what gives tokens to the programs that run on its machines."""

    url: str = (
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
    )


GoogleCredentials = ServiceAccount | RefreshToken | MetadataServer


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """`base_url` without one is the kind's own address, where it has one.

    `headers` are sent with every request. `deployments` are the names of an Azure resource's
    deployments, each with the name of its model, for its price. `attempts` counts the first
    one. Without a `proxy` the provider is called directly.
    """

    name: str
    kind: ProviderKind
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    google: GoogleCredentials | None = None
    deployments: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_concurrent: int = 256
    attempts: int = 2
    proxy: str | None = field(default=None, repr=False)
