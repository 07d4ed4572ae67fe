"""Reads what an Ollama says of itself: what it has, what each of these can do, what is loaded."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import BadAnswer
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.catalog.facts import Facts, free_of_charge
from gateway.llm.catalog.json_values import count, part, rows, shared, text
from gateway.llm.listing import ListingKind

SOURCE = "Ollama"
LOADED = {"loaded": "yes"}


def read(by_kind: Mapping[ListingKind, Sequence[DatedListing]]) -> tuple[Facts, ...]:
    """Raises:
    BadAnswer: it is no list of models.
    """
    tags = by_kind["ollama_tags"][-1]
    here = rows(tags.listing.body, "models")
    if here is None:
        raise BadAnswer("Ollama's /api/tags has no `models`")
    shown = {
        answer.listing.subject: answer.listing.body for answer in by_kind.get("ollama_show", ())
    }
    loaded = {
        row.get("name")
        for answer in by_kind.get("ollama_ps", ())
        for row in rows(answer.listing.body, "models") or ()
    }
    found = []
    for row in here:
        name = text(row.get("name")) or text(row.get("model"))
        if name is None:
            continue
        # Ollama's cloud runs these, and has prices that it does not tell.
        is_local = not row.get("remote_host")
        said = shown.get(name)
        found.append(
            Facts(
                name=name,
                **_abilities(said if isinstance(said, dict) else {}),
                price=free_of_charge(tags.as_of) if is_local else None,
                is_local=is_local,
                details=LOADED if name in loaded else None,
                source=SOURCE,
                as_of=tags.as_of,
            )
        )
    return tuple(found)


def _abilities(shown: dict[str, Any]) -> dict[str, Any]:
    """What `/api/show` says; nothing where it says nothing, as before its version 0.6.4."""
    model = part(shown, "model_info")
    context = count(model.get(f"{model.get('general.architecture')}.context_length"))
    can = shown.get("capabilities")
    if not isinstance(can, list):
        return {"context_tokens": context}
    return {
        "context_tokens": context,
        "has_tools": "tools" in can,
        "has_reasoning": "thinking" in can,
        # It holds any model to a schema, by its grammar.
        "has_structured_output": "completion" in can,
        "has_temperature": "completion" in can,
        "input_modalities": shared(["text", "image"] if "vision" in can else ["text"]),
        "output_modalities": shared(["text"] if "completion" in can else ["embedding"]),
    }
