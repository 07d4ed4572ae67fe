"""What a provider's model list said, word for word, labelled with the shape it is in."""

from dataclasses import dataclass
from typing import Any, Literal

ListingKind = Literal[
    "nanogpt_detailed",
    "nanogpt_subscription",
    "nanogpt_personalized",
    "openrouter",
    "anthropic",
    "ollama_tags",
    "ollama_show",
    "ollama_ps",
    "lmstudio",
    "openai",
    "azure",
    "vertex",
    "demo",
]


@dataclass(frozen=True, slots=True)
class Listing:
    """`body` is the JSON of one answer. An `ollama_show` is about one model, its `subject`."""

    kind: ListingKind
    body: Any
    subject: str | None = None
