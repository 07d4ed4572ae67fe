"""What a chat asks each question with: the model, the tools, and the conversation it goes on."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.client.client import Client
from gateway.client.stream import Stream
from gateway.config.client_settings import KEY_VARIABLE
from gateway.errors import Unauthenticated


def new_session_id() -> str:
    return f"chat-{secrets.token_hex(6)}"


@dataclass(slots=True)
class Chat:
    """Without a `session_id` the gateway remembers nothing; `tools` are names and patterns."""

    client: Client
    model: str = "auto"
    tools: tuple[str, ...] = ("*",)
    system: str | None = None
    session_id: str | None = None

    @contextmanager
    def asking(self, message: str) -> Iterator[Stream]:
        """The answer, as it comes; whoever leaves the block ends it.

        Raises:
            GatewayError: there is no answer; or, from the stream, only a part of it.
        """
        said = [{"role": "user", "content": _sendable(message)}]
        if self.system:
            said.insert(0, {"role": "system", "content": _sendable(self.system)})
        asking = self.client.stream(
            said, model=self.model, gateway_tools=self.tools, session_id=self.session_id
        )
        try:
            with asking as stream:
                yield stream
        except Unauthenticated as error:
            raise Unauthenticated(
                f"{error}; gateway chat sends the one in {KEY_VARIABLE}"
            ) from error


def _sendable(text: str) -> str:
    """A byte that is no character comes from the command line as half of one."""
    return text.encode("utf-8", "replace").decode()
