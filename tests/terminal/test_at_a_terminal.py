"""`gateway chat` at a terminal: prompts, keys, and what moves while one waits."""

import re

from tests.terminal.chat_door import DONE, begun, chat_door, ended, finish, text, usage
from tests.terminal.program import at_terminal

HELLO = (text("Hello."), finish(), usage(rounds=1), DONE)
CTRL_C, CTRL_D = "\x03", "\x04"


async def test_a_chat_goes_on_in_one_conversation_until_another_is_begun() -> None:
    async with chat_door(HELLO, HELLO, HELLO) as door, at_terminal("--url", door.url) as terminal:
        await terminal.shows("> ")
        for question in ("One?\r", "\r", "Two?\r", "/new\r", "/model auto:cheap\r", "Three?\r"):
            terminal.type(question)
            await terminal.shows("> ")
        terminal.type("/quit\r")
        assert await terminal.ends() == 0
    asked = door.asked
    assert [one["messages"][0]["content"] for one in asked] == ["One?", "Two?", "Three?"]
    first, second, third = (one["session_id"] for one in asked)
    assert first == second != third
    assert [one["model"] for one in asked] == ["auto", "auto", "auto:cheap"]
    assert first in terminal.said
    assert "$0.0012" in terminal.said


async def test_an_answer_can_be_interrupted_and_the_chat_goes_on() -> None:
    held = (text("I think"), begun())
    async with (
        chat_door(held, is_held=True) as door,
        at_terminal("--url", door.url, "--session", "plans") as terminal,
    ):
        await terminal.shows("conversation plans")
        await terminal.shows("> ")
        terminal.type("Create it!\r")
        await terminal.shows("⚙")
        # How long a tool takes is seen while it does.
        await terminal.shows("create_task 1 s")
        terminal.type(CTRL_C)
        await door.left.wait()
        await terminal.shows("interrupted")
        await terminal.shows("> ")
        terminal.type(CTRL_D)
        assert await terminal.ends() == 0


async def test_an_interrupt_ends_a_single_question_and_a_waiting_prompt() -> None:
    async with (
        chat_door((text("I think"),), is_held=True) as door,
        at_terminal("Hi", "--url", door.url) as terminal,
    ):
        await terminal.shows("I think")
        terminal.type(CTRL_C)
        assert await terminal.ends() == 130
        await door.left.wait()
        async with at_terminal("--url", door.url) as terminal:
            await terminal.shows("> ")
            assert await terminal.ends_by_interrupts() == 130
            assert "Traceback" not in terminal.said


async def test_lines_of_tools_are_clipped_to_the_width() -> None:
    script = (begun('{"title": "' + "漢字" * 40 + '"}'), ended("much " * 99), *HELLO)
    async with chat_door(script) as door, at_terminal("Hi", "--url", door.url, width=40) as one:
        assert await one.ends() == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", one.said)
    call = next(line for line in plain.splitlines() if "⚙" in line)
    assert call.endswith("…")
    assert sum(2 if char in "漢字" else 1 for char in call.partition("⚙")[2]) <= 39
    result = next(line for line in plain.splitlines() if "✓" in line)
    assert result.endswith("…")
    assert len(result.strip("\r")) <= 40


async def test_a_dumb_terminal_and_no_color_are_respected() -> None:
    script = (begun(), ended(), *HELLO)
    async with chat_door(script, script) as door:
        async with at_terminal("Hi", "--url", door.url, kind="dumb") as dumb:
            assert await dumb.ends() == 0
        async with at_terminal("Hi", "--url", door.url, env={"NO_COLOR": "1"}) as plain:
            assert await plain.ends() == 0
    assert "\x1b" not in dumb.said
    assert "Hello." in dumb.said
    assert not re.search(r"\x1b\[3[0-9]m", plain.said)


async def test_what_a_line_means_is_said_where_it_is_not_known() -> None:
    async with chat_door() as door, at_terminal("--url", door.url) as terminal:
        await terminal.shows("> ")
        terminal.type("/hlep\r")
        await terminal.shows("there is no /hlep; /help lists what there is")
        terminal.type("/help\r")
        await terminal.shows("Ctrl-C ends an answer")
        terminal.type("/tools\r")
        # The stand-in has none: an error of the gateway's does not end the chat.
        await terminal.shows("HTTP status 404")
        await terminal.shows("> ")
        terminal.type("/quit\r")
        assert await terminal.ends() == 0
