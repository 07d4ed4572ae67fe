"""What a provider offers, as it lists it; what it does not state is None, never "no"."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.downstream.payload import decode

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProviderTool:
    """`name` goes back to the provider exactly as it is here."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    tags: tuple[str, ...]
    auth_required: bool | None
    stability: str | None
    rate_limit_group: str | None


@dataclass(frozen=True, slots=True)
class ProviderResource:
    uri_scheme: str
    description: str
    mime_type: str | None


@dataclass(frozen=True, slots=True)
class ProviderPrompt:
    name: str
    description: str
    arguments_schema: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    tools: tuple[ProviderTool, ...]
    resources: tuple[ProviderResource, ...]
    prompts: tuple[ProviderPrompt, ...]
    version: str | None

    @classmethod
    def read(cls, message: Any) -> "Capabilities":
        """From a `provider.v1.Capabilities`; a tool or prompt that makes no sense is left out."""
        return cls(
            tools=tuple(_tools(message.tools)),
            resources=tuple(
                ProviderResource(item.uri_scheme, item.description, item.mime_type or None)
                for item in message.resources
            ),
            prompts=tuple(_prompts(message.prompts)),
            version=message.provider_version or None,
        )


def _tools(messages: Iterable[Any]) -> Iterable[ProviderTool]:
    seen: set[str] = set()
    for message in messages:
        try:
            tool = _tool(message)
        except ValueError as error:
            logger.warning("left out tool=%r: %s", message.name, error)
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
        output_schema=_schema(message.output_schema.value),
        tags=tuple(message.tags),
        # Proto3 sends no false: unset and "no" look the same, and most providers never set it.
        auth_required=message.auth_required or None,
        stability=message.stability or None,
        rate_limit_group=message.rate_limit_group or None,
    )


def _prompts(messages: Iterable[Any]) -> Iterable[ProviderPrompt]:
    for message in messages:
        try:
            schema = _schema(message.args_schema.value)
        except ValueError as error:
            logger.warning("left out prompt=%r: %s", message.name, error)
            continue
        yield ProviderPrompt(message.name, message.description, schema)


def _schema(raw: bytes) -> Mapping[str, Any] | None:
    if not raw:
        return None
    schema = decode(raw)
    if not isinstance(schema, dict):
        raise ValueError("its schema is not a JSON object")
    return schema
