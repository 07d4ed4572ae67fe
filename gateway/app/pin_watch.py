"""Pins what tools of others tell, in the background, whenever a toolbox has other ones."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Self

from gateway.cancellation import ended
from gateway.errors import GatewayError
from gateway.tool_pins import Told, ToolPins
from gateway.tools.tool import OWN, Tool

logger = logging.getLogger(__name__)


class PinWatch:
    """Nobody who lists tools waits for it; what came at once is looked at together.

    What the gateway tells of its own tools follows from its documents, and differs by caller.
    """

    def __init__(self, pins: ToolPins) -> None:
        self._pins = pins
        self._seen: dict[str, Tool] = {}
        self._known: dict[str, Tool] = {}
        self._bell = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._watch(), name="pins of tools")
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(self._watching)

    def look(self, tools: Sequence[Tool]) -> None:
        others = [tool for tool in tools if tool.origin != OWN]
        new = {tool.name: tool for tool in others if self._known.get(tool.name) is not tool}
        if new:
            self._known.update(new)
            self._seen.update(new)
            self._bell.set()

    async def _watch(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            seen, self._seen = self._seen, {}
            told = [told_of(one) for one in seen.values()]
            try:
                await self._pins.check(told)
            except GatewayError as error:
                logger.warning("tools could not be compared with their pins: %s", error)
                self._known.clear()
            except Exception:
                # What cannot be compared must not keep the next from being compared.
                logger.exception("tools could not be compared with their pins")


def told_of(tool: Tool) -> Told:
    return Told(tool.name, tool.description, tool.input_schema, str(tool.effect), tool.origin)
