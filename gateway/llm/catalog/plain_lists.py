"""Reads the lists that say little: OpenAI's, Anthropic's, and the deployments of an Azure."""

from datetime import date
from typing import Any

from gateway.errors import BadAnswer
from gateway.llm.catalog.facts import Facts
from gateway.llm.catalog.json_values import (
    count,
    day,
    part,
    rows,
    shared,
    text,
    truth,
)

# OpenAI's list has all of its models, and nothing but the name tells what they make.
_MAKES = (
    ("embed", "embedding"),
    ("moderation", "moderation"),
    ("dall-e", "image"),
    ("gpt-image", "image"),
    ("chatgpt-image", "image"),
    ("sora", "video"),
    ("tts", "audio"),
    ("realtime", "audio"),
)
_HEARS = ("whisper", "transcribe")
# The key under which a deployment's details name its model.
MODEL = "model"


def read_openai(body: Any, as_of: date) -> tuple[Facts, ...]:
    """Also of whatever else speaks it, whose `created` is often the moment of asking.

    Raises:
        BadAnswer: it is no model list.
    """
    return tuple(
        Facts(
            name=name,
            title=text(row.get("name")),
            context_tokens=count(row.get("context_length")) or count(row.get("max_model_len")),
            input_modalities=shared(["audio"]) if any(one in name for one in _HEARS) else None,
            output_modalities=_makes(name),
            source="OpenAI-compatible model list",
            as_of=as_of,
        )
        for row in _rows(body)
        if (name := text(row.get("id"))) is not None
    )


def read_anthropic(body: Any, as_of: date) -> tuple[Facts, ...]:
    """Raises:
    BadAnswer: it is no model list.
    """
    return tuple(
        _anthropic(row, name, as_of)
        for row in _rows(body)
        if (name := text(row.get("id"))) is not None
    )


def read_deployments(body: Any, as_of: date) -> tuple[Facts, ...]:
    """Azure's deployments, each with its `model` as the configuration says it."""
    return tuple(
        Facts(
            name=name,
            details={MODEL: str(row.get(MODEL) or name)},
            source="deployment",
            as_of=as_of,
        )
        for row in _rows(body)
        if (name := text(row.get("id"))) is not None
    )


def _anthropic(row: dict[str, Any], name: str, as_of: date) -> Facts:
    can = part(row, "capabilities")
    sees, reads = truth(can.get("image_input")), truth(can.get("pdf_input"))
    inputs = {"text"} | ({"image"} if sees else set()) | ({"pdf"} if reads else set())
    return Facts(
        name=name,
        title=text(row.get("display_name")),
        context_tokens=count(row.get("max_input_tokens")),
        max_output_tokens=count(row.get("max_tokens")),
        input_modalities=None if sees is None else shared(inputs),
        has_structured_output=truth(can.get("structured_outputs")),
        has_reasoning=truth(can.get("thinking")),
        released=day(row.get("created_at")),
        source="Anthropic",
        as_of=as_of,
    )


def _makes(name: str) -> frozenset[str] | None:
    return next((shared([made]) for part_of_name, made in _MAKES if part_of_name in name), None)


def _rows(body: Any) -> list[dict[str, Any]]:
    listed = rows(body)
    if listed is None:
        raise BadAnswer("the model list has no `data`")
    return listed
