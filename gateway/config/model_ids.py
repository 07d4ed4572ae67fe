"""Model IDs as users write them: with their provider's name in front, or without."""

from collections.abc import Collection

from gateway.config.providers import KINDS

# On other providers models of these makers have names such as `openai/gpt-5.5`.
_MAKERS = ("openai", "anthropic")


def full_id(text: str, *, provider: str, configured: Collection[str]) -> str:
    """The ID of a model that belongs to `provider`, unless it names another one in front."""
    first, slash, _ = text.partition("/")
    names = {*configured, *(kind for kind in KINDS if kind not in _MAKERS)}
    return text if slash and first in names else f"{provider}/{text}"
