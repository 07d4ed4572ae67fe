"""The tools of a downstream provider, those that may be shown and no others."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gateway.clock import Clock, now, rfc3339
from gateway.downstream.provider import Capabilities, Provider, ProviderTool
from gateway.tools.tool import Answer, Arguments, Effect, Tool

logger = logging.getLogger(__name__)

PORTABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
MAX_DESCRIPTION_CHARACTERS = 1_024


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which tools may be shown, by patterns such as `binance.get_*`; no pattern, no tool.

    `read` holds for tools whose provider does not say what they change, and for those it
    says only read. `destructive` must name a tool that changes something, always.
    """

    read: Sequence[str] = ()
    destructive: Sequence[str] = ()

    def effect(self, tool: ProviderTool) -> Effect | None:
        if _matches(tool.name, self.destructive):
            return Effect.DESTROY
        is_changing = "destructive" in tool.tags
        if not is_changing and _matches(tool.name, self.read):
            return Effect.READ
        return None


class ServiceTools:
    """Offers a provider's tools as it lists them now, also while it is down.

    `binance.get_ticker` is called `binance_get_ticker`: a name without dots works with every
    client. A call raises what `Provider.invoke` raises.
    """

    def __init__(self, provider: Provider, exposure: Exposure, *, clock: Clock = now) -> None:
        self._provider = provider
        self._exposure = exposure
        self._clock = clock
        self._listed: tuple[Capabilities | None, Sequence[Tool]] = (None, ())

    async def tools(self) -> Sequence[Tool]:
        capabilities = self._provider.capabilities
        if capabilities is not self._listed[0]:
            self._listed = (capabilities, self._shown(capabilities))
        return self._listed[1]

    def _shown(self, capabilities: Capabilities | None) -> Sequence[Tool]:
        listed = capabilities.tools if capabilities else ()
        shown = [
            self._tool(tool, effect) for tool in listed if (effect := self._exposure.effect(tool))
        ]
        for tool in shown:
            if not PORTABLE_NAME.fullmatch(tool.name):
                logger.warning("left out tool=%r: its name does not work everywhere", tool.name)
        return sorted(
            (tool for tool in shown if PORTABLE_NAME.fullmatch(tool.name)),
            key=lambda tool: tool.name,
        )

    def _tool(self, tool: ProviderTool, effect: Effect) -> Tool:
        async def call(arguments: Arguments) -> Answer:
            is_read = effect is Effect.READ
            answer = await self._provider.invoke(tool.name, arguments, is_read=is_read)
            return Answer(self._labelled(tool, answer))

        return Tool(
            name=tool.name.replace(".", "_").lower(),
            title=_title(tool),
            description=_description(tool, effect)[:MAX_DESCRIPTION_CHARACTERS],
            input_schema=tool.input_schema,
            output_schema=tool.output_schema,
            effect=effect,
            is_open_world=True,
            call=call,
        )

    def _labelled(self, tool: ProviderTool, answer: Any) -> Mapping[str, Any]:
        """An object as it is, a list under `result`; both say where they come from."""
        label: dict[str, Any] = {"source": self._provider.name}
        if "simulated" in tool.tags:
            label = {"source": "simulated exchange", "simulated": True}
        if isinstance(answer, Mapping):
            return {**label, **answer}
        return {"result": answer, "as_of": rfc3339(self._clock()), **label}


def _title(tool: ProviderTool) -> str:
    service, _, verb = tool.name.rpartition(".")
    words = verb.replace("_", " ").capitalize()
    return f"{words} ({service.capitalize()})" if service else words


def _description(tool: ProviderTool, effect: Effect) -> str:
    """The provider's own words; a tool without any says at least what it is."""
    said = tool.description.strip() or f"The tool {tool.name} of a downstream service."
    if effect is Effect.DESTROY:
        return f"{said} This changes something outside: ask the user first."
    return said


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
