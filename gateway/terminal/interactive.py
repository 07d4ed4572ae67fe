"""A chat at a terminal: questions and answers until whoever asks has had enough."""

import sys
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatchcase

from gateway.client.answers import Tool
from gateway.endpoints.problems import plain_words
from gateway.errors import GatewayError
from gateway.terminal.chat import Chat, new_session_id
from gateway.terminal.printable import one_line
from gateway.terminal.screen import Screen

PROMPT = "> "
HELP = """\
/new        forget what was said so far, and begin another conversation
/model X    ask another model: one by its ID, or auto, auto:coding, auto:cheap
/tools      which tools the model may use
/help       this
/quit       end, as Ctrl-D does
Ctrl-C ends an answer that still comes; at the prompt it ends the chat."""


class Interactive:
    """`prompted` gives the next line, or raises EOFError; tests give their own."""

    def __init__(
        self, chat: Chat, screen: Screen, *, prompted: Callable[[], str] | None = None
    ) -> None:
        self._chat = chat
        self._screen = screen
        self._prompted = prompted or _prompted
        self._commands: dict[str, Callable[[str], None]] = {
            "/new": self._begin_anew,
            "/model": self._change_model,
            "/tools": self._list_tools,
            "/help": lambda _: self._screen.tell(HELP),
        }

    def run(self) -> None:
        """Raises:
        KeyboardInterrupt: at the prompt.
        """
        self._screen.tell(
            f"conversation {self._chat.session_id}: /help tells more, /quit ends the chat"
        )
        while True:
            try:
                line = self._prompted().strip()
            except (EOFError, KeyboardInterrupt) as end:
                # What is printed next would stand behind the prompt.
                self._screen.tell("")
                if isinstance(end, KeyboardInterrupt):
                    raise
                return
            if line in ("/quit", "/exit"):
                return
            if line:
                self._act(line)

    def _act(self, line: str) -> None:
        try:
            if line.startswith("/"):
                self._command(line)
            else:
                answer_on(self._screen, self._chat, line)
        except GatewayError as error:
            self._screen.complain(one_line(plain_words(error)))
        except KeyboardInterrupt:
            self._screen.tell("interrupted")

    def _command(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        if name not in self._commands:
            self._screen.complain(f"there is no {one_line(name)}; /help lists what there is")
            return
        self._commands[name](rest.strip())

    def _begin_anew(self, _: str) -> None:
        self._chat.session_id = new_session_id()
        self._screen.tell(f"conversation {self._chat.session_id}")

    def _change_model(self, name: str) -> None:
        self._chat.model = name or self._chat.model
        self._screen.tell(f"model {self._chat.model}")

    def _list_tools(self, _: str) -> None:
        for tool in self._chat.client.tools():
            is_offered = _is_offered(tool, self._chat.tools)
            self._screen.item(tool.name, _first_sentence(tool.description), is_on=is_offered)
        self._screen.tell(
            f"offered are {', '.join(self._chat.tools) or 'none'} (--tools); a tool that destroys "
            "something, or spends by itself, only by its name"
        )


def answer_on(screen: Screen, chat: Chat, message: str) -> None:
    """Raises:
    GatewayError: there is no answer, or only the beginning of one.
    """
    with screen, chat.asking(message) as stream:
        for event in stream.events():
            screen.show(event)
        screen.close(stream.reply)


def _is_offered(tool: Tool, patterns: tuple[str, ...]) -> bool:
    """As far as its description tells, which does not say what spends."""
    if tool.name in patterns:
        return True
    return not tool.is_destructive and any(fnmatchcase(tool.name, one) for one in patterns)


def _first_sentence(text: str) -> str:
    return text.strip().partition("\n")[0].partition(". ")[0].removeprefix("Use this when ")


def _prompted() -> str:
    # While it is imported, `input` edits lines and remembers them for the arrow keys.
    with suppress(ImportError):
        import readline  # noqa: F401 - for what it does to `input`; absent on Windows
    if sys.stdout.isatty():
        return input(PROMPT)
    # What the model says goes to a file; the prompt does not.
    sys.stderr.write(PROMPT)
    sys.stderr.flush()
    return input()
