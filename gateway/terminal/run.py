"""Runs a chat from its first word to its exit code, with a gateway that was found or opened."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from rich.console import Console

from gateway.client.client import LOCAL_URL, Client
from gateway.config.client_settings import client_key
from gateway.errors import GatewayError, InvalidRequest
from gateway.terminal.chat import Chat, new_session_id
from gateway.terminal.interactive import Interactive, answer_on
from gateway.terminal.json_lines import answer_in_lines
from gateway.terminal.screen import Screen

if TYPE_CHECKING:
    from gateway.terminal.private_gateway import Address

# As shells have it: 128 and the number of the signal.
INTERRUPTED = 128 + signal.SIGINT
UNREAD = 128 + 13
# A gateway on this machine says at once who it is.
LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for on the command line; without a `url` a gateway may be opened.

    `usual_url` is where one is looked for first.
    """

    message: str | None
    model: str
    tools: tuple[str, ...]
    session: str | None
    system: str | None
    url: str | None
    config: Path | None
    is_demo: bool
    as_json: bool
    log_level: str
    usual_url: str = LOCAL_URL


def run(asked: Asked) -> int:
    """The exit code.

    Raises:
        GatewayError: the one question got no whole answer, or no gateway could be had.
    """
    # A terminal that does not know a letter shows a question mark.
    _forgive(sys.stdout)
    _forgive(sys.stderr)
    screen = Screen(sys.stdout, Console(stderr=True, highlight=False))
    message = _message(asked)
    try:
        with _ended_by_signals(), _client(asked, screen) as client:
            _answer(asked, message, client, screen)
    except KeyboardInterrupt:
        screen.tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads on, such as `head`; Python would complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return 0


def _answer(asked: Asked, message: str | None, client: Client, screen: Screen) -> None:
    session = asked.session or (new_session_id() if message is None else None)
    chat = Chat(client, asked.model, asked.tools, asked.system, session)
    if message is None:
        Interactive(chat, screen).run()
    elif asked.as_json:
        answer_in_lines(chat, message, sys.stdout)
    else:
        answer_on(screen, chat, message)


def _message(asked: Asked) -> str | None:
    """The one question, or None for a chat."""
    message = asked.message
    if message is None:
        _forgive(sys.stdin)
        if sys.stdin.isatty() and not asked.as_json:
            return None
        message = sys.stdin.read()
    if not message.strip():
        raise InvalidRequest("there is no question; gateway chat --help shows how to ask one")
    return message


def _forgive(stream: TextIO) -> None:
    """What is no character, or none that it knows, is no error."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")


@contextmanager
def _client(asked: Asked, screen: Screen) -> Iterator[Client]:
    key = client_key()
    url = _checked(asked.url) if asked.url else None
    is_private = asked.config is not None or asked.is_demo
    if url is None and not is_private:
        url = asked.usual_url if _answers(asked.usual_url) else None
    if url is not None:
        with Client(url, key=key) as client:
            yield client
        return
    if not is_private:
        screen.tell(f"no gateway answers at {asked.usual_url}, so this chat opens one of its own")
    with ExitStack() as stack:
        with screen.waiting("opening a gateway"):
            address = stack.enter_context(_private(asked))
        for name in address.missing:
            screen.tell(f"{name} was not reached; its tools are not known")
        yield stack.enter_context(Client(address.url, key=address.key))


def _private(asked: Asked) -> "AbstractContextManager[Address]":
    # It brings all of the gateway, which takes a second.
    from gateway.config.settings import load
    from gateway.server import configure_logging
    from gateway.terminal.private_gateway import private_gateway

    configure_logging(asked.log_level)
    return private_gateway(load(asked.config), is_demo=asked.is_demo)


def _answers(url: str) -> bool:
    try:
        with Client(url, timeout_seconds=LOOK_SECONDS) as client:
            client.version()
    except GatewayError:
        return False
    return True


def _checked(url: str) -> str:
    """Raises:
    InvalidRequest: it is no URL of a web server.
    """
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise InvalidRequest(f"--url takes one such as {LOCAL_URL}, not {url[:100]!r}")
    return url


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Told to end, it closes what it opened: programs that serve its tools would live on."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
