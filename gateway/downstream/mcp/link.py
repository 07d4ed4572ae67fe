"""What carries messages to an MCP server and back, whatever it is made of."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Inbox(Protocol):
    """Where a link puts what it hears; a session, once it is open."""

    def heard(self, size: int) -> None:
        """So many bytes came in, whatever they will turn out to be."""

    def take(self, raw: bytes) -> None:
        """One message, or several in a list; what makes no sense is passed over."""

    def take_beginning(self, raw: bytes) -> None:
        """The first bytes of a message that is too large to be kept."""

    def end(self, reason: str) -> None:
        """Nothing will come any more."""

    def doubt(self) -> None:
        """The server may be another than before: it should be asked how it is doing."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it is sent; `answer` is done once its answer was taken, None without one."""

    raw: bytes
    answer: asyncio.Future[Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Link(Protocol):
    """One connection. It ends, and is never mended: its server opens another."""

    async def open(self, inbox: Inbox) -> None:
        """
        Raises:
            NotSent: there is nobody to speak with.
        """

    async def send(self, message: Outgoing) -> None:
        """
        Raises:
            Trouble: it did not go out, or it did and its answer cannot come.
        """

    async def close(self) -> None:
        """Gives back all that it holds, within a few seconds."""

    def listen(self) -> None:
        """From now on the server may speak without being asked."""


OpenLink = Callable[[], Link]
