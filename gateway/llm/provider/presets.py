"""What is known of each kind of provider: its address, its dialect, and how it wants its key."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import ConfigurationError
from gateway.llm.dialects.anthropic import dialect as anthropic
from gateway.llm.dialects.dialect import Dialect
from gateway.llm.dialects.ollama import dialect as ollama
from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.dialects.responses import dialect as responses
from gateway.llm.model import Model
from gateway.llm.provider.settings import ProviderKind, ProviderSettings


@dataclass(frozen=True, slots=True)
class Preset:
    """`ending` is what a base URL must end with, and is added where a user left it out;
    `too_much` is what they may write although the dialect adds it.

    `key_header` takes the key, behind `Bearer` if it is `authorization`.
    """

    base_url: str | None
    key_header: str = "authorization"
    needs_key: bool = True
    ending: str = ""
    too_much: str = ""
    headers: Mapping[str, str] | None = None


PRESETS: Mapping[ProviderKind, Preset] = {
    "nanogpt": Preset("https://nano-gpt.com/api/v1", ending="/v1"),
    "openrouter": Preset("https://openrouter.ai/api/v1", ending="/v1"),
    "openai": Preset("https://api.openai.com/v1"),
    "anthropic": Preset(
        "https://api.anthropic.com/v1",
        key_header="x-api-key",
        ending="/v1",
        headers={"anthropic-version": "2023-06-01"},
    ),
    "azure": Preset(None, key_header="api-key", ending="/openai/v1"),
    "vertex": Preset(None, needs_key=False),
    "ollama": Preset("http://127.0.0.1:11434", needs_key=False, too_much="/v1"),
    "lmstudio": Preset("http://127.0.0.1:1234/v1", needs_key=False, ending="/v1"),
    "openai_compatible": Preset(None, needs_key=False),
    "demo": Preset(None, needs_key=False),
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where one provider is asked for what; `root` is the base without its version."""

    kind: ProviderKind
    base: str
    root: str

    @classmethod
    def of(cls, settings: ProviderSettings) -> "Addresses":
        """Raises:
        ConfigurationError: there is no base URL, and the kind has none of its own.
        """
        preset = PRESETS[settings.kind]
        base = (settings.base_url or preset.base_url or "").rstrip("/")
        if not base.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"provider {settings.name}: base_url {base!r} is no address like "
                f"{preset.base_url or 'https://host/v1'}"
            )
        base = base.removesuffix(preset.too_much)
        if not base.endswith(preset.ending):
            base += preset.ending
        # Whoever writes NanoGPT's subscription as the base never wants to pay from the balance.
        root = base.removesuffix("/v1").removesuffix("/subscription")
        return cls(settings.kind, base, root)

    def chat(self, dialect: Dialect, model: Model) -> str:
        if self.kind == "nanogpt" and model.is_included:
            # Here nothing but the subscription pays: a wrong guess is refused, not billed.
            return f"{self.root}/subscription/v1{dialect.path}"
        return f"{self.base}{dialect.path}"

    @property
    def embeddings(self) -> str | None:
        if self.kind == "anthropic":
            return None
        # Ollama has the OpenAI shape beside its own.
        return f"{self.base}{'/v1' if self.kind == 'ollama' else ''}/embeddings"


def dialect_of(kind: ProviderKind) -> Dialect:
    match kind:
        case "anthropic":
            return anthropic.Dialect()
        case "ollama":
            return ollama.Dialect()
        case "demo" | "openai_compatible":
            return openai.Dialect("generic")
        case _:
            return openai.Dialect(kind)


def responses_of(settings: ProviderSettings) -> responses.Dialect | None:
    """What those speak beside chat completions who serve models that want it."""
    if settings.kind not in ("openai", "azure"):
        return None
    return responses.Dialect(settings.kind, settings.name)
