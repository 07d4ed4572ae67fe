"""Reads what LM Studio has, from its own list or from the older one."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from gateway.errors import BadAnswer
from gateway.llm.catalog.facts import Facts, free_of_charge
from gateway.llm.catalog.json_values import count, part, rows, shared, text, truth
from gateway.llm.catalog.ollama import LOADED

SOURCE = "LM Studio"


def read(body: Any, as_of: date) -> tuple[Facts, ...]:
    """Raises:
    BadAnswer: it is neither list.
    """
    models, older = rows(body, "models"), rows(body)
    if models is not None:
        return tuple(_own(models, as_of))
    if older is not None:
        return tuple(_older(older, as_of))
    raise BadAnswer("LM Studio's model list has neither `models` nor `data`")


def _own(models: list[dict[str, Any]], as_of: date) -> Iterator[Facts]:
    for row in models:
        if name := text(row.get("key")):
            can = part(row, "capabilities")
            yield Facts(
                name=name,
                title=text(row.get("display_name")),
                context_tokens=_loaded_context(row) or count(row.get("max_context_length")),
                input_modalities=_inputs(truth(can.get("vision"))),
                output_modalities=_outputs(row),
                has_tools=truth(can.get("trained_for_tool_use")),
                has_reasoning=None if not can else bool(can.get("reasoning")),
                price=free_of_charge(as_of),
                is_local=True,
                details=LOADED if row.get("loaded_instances") else None,
                source=SOURCE,
                as_of=as_of,
            )


def _older(models: list[dict[str, Any]], as_of: date) -> Iterator[Facts]:
    for row in models:
        if name := text(row.get("id")):
            context = count(row.get("loaded_context_length")) or row.get("max_context_length")
            can = row.get("capabilities")
            yield Facts(
                name=name,
                context_tokens=count(context),
                input_modalities=_inputs(row["type"] == "vlm" if "type" in row else None),
                output_modalities=_outputs(row),
                has_tools="tool_use" in can if isinstance(can, list) else None,
                price=free_of_charge(as_of),
                is_local=True,
                details=LOADED if row.get("state") == "loaded" else None,
                source=SOURCE,
                as_of=as_of,
            )


def _loaded_context(row: dict[str, Any]) -> int | None:
    """As it was loaded, which is often with less than it could take."""
    instances = rows(row, "loaded_instances") or []
    sizes = [count(part(one, "config").get("context_length")) for one in instances]
    return max((size for size in sizes if size is not None), default=None)


def _inputs(has_vision: bool | None) -> frozenset[str] | None:
    if has_vision is None:
        return None
    return shared(["text", "image"] if has_vision else ["text"])


def _outputs(row: dict[str, Any]) -> frozenset[str] | None:
    if "type" not in row:
        return None
    return shared(["embedding" if "embed" in str(row["type"]) else "text"])
