"""The tools of a downstream provider, those that may be shown and no others."""

import json
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from gateway.clock import Clock, now, rfc3339
from gateway.downstream.capabilities import MAX_NAME_CHARACTERS, Capabilities, ProviderTool
from gateway.downstream.provider import Provider
from gateway.downstream.translation import plain, unreadable
from gateway.text import displayable, displayable_json
from gateway.tools.arguments import check_schema
from gateway.tools.tool import Answer, Arguments, Effect, Tool

logger = logging.getLogger(__name__)

PORTABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
MAX_DESCRIPTION_CHARACTERS = 1_024
WARNING = " This changes something outside: ask the user first."


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which tools may be shown, by patterns such as `binance.get_*`; no pattern, no tool.

    `read` holds for tools whose provider does not say what they change, and for those it
    says only read. `destructive` must name a tool that changes something, always.
    """

    read: Sequence[str] = ()
    destructive: Sequence[str] = ()

    def effect(self, tool: ProviderTool) -> Effect | None:
        if matches(tool.name, self.destructive):
            return Effect.DESTROY
        is_changing = "destructive" in tool.tags
        if not is_changing and matches(tool.name, self.read):
            return Effect.READ
        return None


class ServiceTools:
    """Offers a provider's tools as it lists them now, also while it is down.

    `binance.get_ticker` is called `binance_get_ticker`: a name without dots works with every
    client. None has a `reserved` name. A call raises what `Provider.invoke` raises.
    """

    def __init__(
        self,
        provider: Provider,
        exposure: Exposure,
        *,
        reserved: Collection[str] = (),
        clock: Clock = now,
    ) -> None:
        self._provider = provider
        self._reserved = reserved
        self._exposure = exposure
        self._clock = clock
        self._listed: tuple[Capabilities | None, Sequence[Tool]] = (None, ())

    async def tools(self) -> Sequence[Tool]:
        capabilities = self._provider.capabilities
        if capabilities is not self._listed[0]:
            self._listed = (capabilities, self._shown(capabilities))
            self._report(self._listed[1])
        return self._listed[1]

    def _report(self, tools: Sequence[Tool]) -> None:
        """A definition that changed without a release is a warning sign: its hash is in the log."""
        told = [[tool.name, tool.description, tool.input_schema] for tool in tools]
        digest = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        logger.info("tools of=%s shown=%d sha256=%s", self._provider.name, len(tools), digest)

    def _shown(self, capabilities: Capabilities | None) -> Sequence[Tool]:
        """Of two tools that would have one name the first is shown."""
        shown: dict[str, Tool] = {}
        for listed in capabilities.tools if capabilities else ():
            effect = self._exposure.effect(listed)
            if effect is None:
                continue
            try:
                tool = self._tool(listed, effect)
                if tool.name in shown or tool.name in self._reserved:
                    raise ValueError(f"an earlier tool is called {tool.name}")
            except ValueError as error:
                name = plain(listed.name, limit=MAX_NAME_CHARACTERS)
                logger.warning("left out tool=%r: %s", name, plain(str(error)))
                continue
            shown[tool.name] = tool
        return [shown[name] for name in sorted(shown)]

    def _tool(self, tool: ProviderTool, effect: Effect) -> Tool:
        """
        Raises:
            ValueError: no client could use it.
        """

        async def call(arguments: Arguments) -> Answer:
            is_read = effect is Effect.READ
            answer = await self._provider.invoke(tool.name, arguments, is_read=is_read)
            try:
                return Answer(self._labelled(tool, answer))
            except ValueError as error:
                why = f"sent an answer for {tool.name} that cannot be shown: {error}"
                raise unreadable(self._provider.name, why, is_read=is_read) from error

        # No output schema: what the service states is not true of an answer with labels.
        return Tool(
            name=_portable(tool.name),
            title=displayable(_title(tool)),
            description=_description(tool, effect),
            input_schema=_input_schema(tool),
            effect=effect,
            is_open_world=True,
            call=call,
            origin=self._provider.name,
            takes_key="idempotent" in tool.tags,
        )

    def _labelled(self, tool: ProviderTool, answer: Any) -> Mapping[str, Any]:
        """An object as it is, a list under `result`; both say where they come from."""
        content = displayable_json(answer)
        if not isinstance(content, Mapping):
            content = {"result": content, "as_of": rfc3339(self._clock())}
        if "simulated" not in tool.tags:
            return {"source": self._provider.name, **content}
        # First to be read, last to win over what the answer claims.
        label = {"source": "simulated exchange", "simulated": True}
        return {**label, **content, **label}


def _portable(name: str) -> str:
    portable = name.replace(".", "_").lower()
    if not PORTABLE_NAME.fullmatch(portable):
        raise ValueError("its name does not work with every client")
    return portable


def _input_schema(tool: ProviderTool) -> Mapping[str, Any]:
    # Clients refuse a whole list of tools for one schema that does not state its type.
    schema = {"type": "object", **displayable_json(tool.input_schema)}
    check_schema(schema)
    return schema


def _title(tool: ProviderTool) -> str:
    service, _, verb = tool.name.rpartition(".")
    words = verb.replace("_", " ").capitalize()
    return f"{words} ({service.capitalize()})" if service else words


def _description(tool: ProviderTool, effect: Effect) -> str:
    """The provider's own words; a tool without any says at least what it is."""
    said = displayable(tool.description).strip()
    said = said or f"The tool {tool.name} of a downstream service."
    # However much a service says, what the gateway adds must be read.
    warning = WARNING if effect is Effect.DESTROY else ""
    return said[: MAX_DESCRIPTION_CHARACTERS - len(warning)] + warning


def matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
