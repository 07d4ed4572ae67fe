"""Reads what a provider's model lists said, whichever provider it is."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from gateway.llm.catalog import nanogpt, ollama, openrouter
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.catalog.facts import Facts
from gateway.llm.catalog.lmstudio import read as read_lmstudio
from gateway.llm.catalog.plain_lists import read_anthropic, read_deployments, read_openai
from gateway.llm.listing import ListingKind

Reader = Callable[[Any, date], tuple[Facts, ...]]
# The first one that came counts: LM Studio's own list says more than the OpenAI one beside it.
_READERS: Mapping[ListingKind, Reader] = {
    "openrouter": openrouter.read,
    "anthropic": read_anthropic,
    "lmstudio": read_lmstudio,
    "azure": read_deployments,
    "openai": read_openai,
    "vertex": read_openai,
    "demo": nanogpt.read_demo,
}


def listed(answers: Sequence[DatedListing]) -> tuple[Facts, ...] | None:
    """What the lists of one provider say together; None if they are no lists to go by.

    Each model stands once, or twice where a subscription includes what can also be paid.

    Raises:
        BadAnswer: a list is not what its kind should be.
    """
    found = _listed(answers)
    # Names go into headers and lines of the log, which no provider may write.
    return found and tuple(one for one in found if one.name.isprintable())


def _listed(answers: Sequence[DatedListing]) -> tuple[Facts, ...] | None:
    by_kind: dict[ListingKind, list[DatedListing]] = {}
    for answer in answers:
        by_kind.setdefault(answer.listing.kind, []).append(answer)
    if "ollama_tags" in by_kind:
        return ollama.read(by_kind)
    if any(kind.startswith("nanogpt_") for kind in by_kind):
        return nanogpt.read(by_kind)
    return _of_one_list({kind: dated[-1] for kind, dated in by_kind.items()})


def _of_one_list(by_kind: Mapping[ListingKind, DatedListing]) -> tuple[Facts, ...] | None:
    for kind, read in _READERS.items():
        if (answer := by_kind.get(kind)) is not None:
            return read(answer.listing.body, answer.as_of)
    return None
