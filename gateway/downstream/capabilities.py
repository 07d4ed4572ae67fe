"""What a provider offers, as it lists it: the tools, and which version it is."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.downstream.payload import decode
from gateway.downstream.translation import plain

logger = logging.getLogger(__name__)

MAX_NAME_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class ProviderTool:
    """`name` goes back to the provider exactly as it is here."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    tools: tuple[ProviderTool, ...]
    version: str | None

    @classmethod
    def read(cls, message: Any) -> "Capabilities":
        """From a `provider.v1.Capabilities`; a tool that makes no sense is left out."""
        return cls(
            tools=tuple(_tools(message.tools)),
            version=plain(message.provider_version, limit=MAX_NAME_CHARACTERS) or None,
        )


def _tools(messages: Iterable[Any]) -> Iterable[ProviderTool]:
    seen: set[str] = set()
    for message in messages:
        try:
            tool = _tool(message)
        except ValueError as error:
            name = plain(message.name, limit=MAX_NAME_CHARACTERS)
            logger.warning("left out tool=%r: %s", name, plain(str(error)))
            continue
        if tool.name not in seen:
            seen.add(tool.name)
            yield tool


def _tool(message: Any) -> ProviderTool:
    if not message.name:
        raise ValueError("it has no name")
    return ProviderTool(
        name=message.name,
        description=message.description,
        input_schema=_schema(message.input_schema.value) or {"type": "object"},
        tags=tuple(message.tags),
    )


def _schema(raw: bytes) -> Mapping[str, Any] | None:
    if not raw:
        return None
    schema = decode(raw)
    if not isinstance(schema, dict):
        raise ValueError("its schema is not a JSON object")
    return schema
