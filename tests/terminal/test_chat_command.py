"""`gateway chat` against a door that says what a test tells it to."""

import asyncio
import json
import os
import re
import shlex

import pytest

from tests.stand_ins.gateway_process import free_port, own_environment
from tests.terminal.chat_door import (
    DONE,
    KEEP_ALIVE,
    begun,
    chat_door,
    ended,
    failure,
    finish,
    text,
    usage,
)
from tests.terminal.program import COMMAND, SECONDS, ran

WHOLE = (
    text("I make a "),
    text("task."),
    begun(),
    KEEP_ALIVE,
    ended(),
    text("\n\nIt is "),
    text("made."),
    finish(),
    usage(),
    DONE,
)
SHORT = (text("Hello."), finish(), usage(rounds=1), DONE)


async def test_an_answer_its_tools_its_cost_and_what_is_left_are_shown() -> None:
    async with chat_door(WHOLE) as door:
        told = await ran("Create a task to log in", "--url", door.url)
    assert told.code == 0
    assert told.out == "I make a task.\nIt is made.\n"
    assert told.err.splitlines() == [
        '⚙ create_task (task-orchestrator) {"title": "Log in"}',
        '  ✓ 12 ms  {"id": 1}',
        "large (paid) · 1,200 in, 34 out · 2 rounds · $0.0012 · 98 left of the quota · "
        "route r0123456789abcdef",
    ]
    [asked] = door.asked
    assert asked["messages"] == [{"role": "user", "content": "Create a task to log in"}]
    assert (asked["model"], asked["gateway_tools"]) == ("auto", ["*"])
    assert "session_id" not in asked
    assert door.keys == [None]


async def test_what_is_asked_with_can_be_chosen() -> None:
    options = ("--model", "auto:coding", "--tools", "search, create_*", "--session", "plans")
    async with chat_door(SHORT, SHORT) as door:
        key = {"GATEWAY_API_KEY": "gw_of-somebody"}
        await ran("Hi", "--url", door.url, *options, "--system", "Be brief.", env=key)
        await ran("Hi", "--url", door.url, "--no-tools")
    asked, without = door.asked
    assert [one["role"] for one in asked["messages"]] == ["system", "user"]
    assert asked["messages"][0]["content"] == "Be brief."
    assert (asked["model"], asked["session_id"]) == ("auto:coding", "plans")
    assert asked["gateway_tools"] == ["search", "create_*"]
    assert without["gateway_tools"] == []
    assert door.keys == ["Bearer gw_of-somebody", None]


async def test_the_text_of_a_pipe_is_one_message() -> None:
    async with chat_door(SHORT) as door:
        told = await ran("--url", door.url, stdin=b"What is\nthis?\n")
        nothing = await ran("--url", door.url, stdin=b" \n")
    assert (told.code, told.out) == (0, "Hello.\n")
    assert door.asked[0]["messages"][0]["content"] == "What is\nthis?\n"
    assert nothing.code == 1
    assert nothing.err.startswith("gateway: there is no question")


async def test_bytes_that_are_no_characters_are_asked_as_question_marks() -> None:
    async with chat_door(SHORT, SHORT) as door:
        piped = await ran("--url", door.url, stdin=b"caf\xe9?")
        said = await ran(os.fsdecode(b"caf\xe9?"), "--url", door.url)
    assert (piped.code, said.code) == (0, 0)
    contents = [one["messages"][0]["content"] for one in door.asked]
    assert contents == ["caf\ufffd?", "caf??"]


async def test_several_calls_at_once_are_told_apart_and_a_failed_one_says_why() -> None:
    script = (
        begun(id="a", name="search", server="", arguments='{"query":\n "x"}'),
        begun(id="b", name="deep_research", arguments="{}"),
        ended(id="b", name="deep_research", error="it did not answer within 30 s", content=""),
        ended("found\n\n  much", id="a", name="search", server="", milliseconds=2_345.6),
        *SHORT,
    )
    async with chat_door(script) as door:
        told = await ran("Look", "--url", door.url)
    assert told.err.splitlines()[:4] == [
        '⚙ search {"query": "x"}',
        "⚙ deep_research (task-orchestrator) {}",
        "  ✗ deep_research it did not answer within 30 s",
        "  ✓ 2.3 s  found much",
    ]


@pytest.mark.parametrize(
    ("cost", "left", "said"),
    [
        (None, 0, "cost unknown · 0 left of the quota"),
        (0.0, None, "free · no quota"),
        (0.000007, 1_999, "$0.000007 · 1,999 left of the quota"),
        (2.5, 1, "$2.50 · 1 left of the quota"),
    ],
)
async def test_a_cost_that_is_not_known_is_not_called_free(
    cost: float | None, left: int | None, said: str
) -> None:
    async with chat_door((text("Hello."), finish(), usage(cost, left=left), DONE)) as door:
        told = await ran("Hi", "--url", door.url)
    assert f" · {said} · " in told.err


async def test_what_is_left_out_is_said() -> None:
    cut = (text("It is"), finish("length"), usage(), DONE)
    call = {"index": 0, "id": "c", "function": {"name": "pay", "arguments": "{}"}}
    waits = (finish("tool_calls", tool_calls=[call]), usage(), DONE)
    async with chat_door(cut, waits) as door:
        assert "cut off: it reached" in (await ran("Hi", "--url", door.url)).err
        assert "waits for what nobody here runs: pay" in (await ran("Hi", "--url", door.url)).err


async def test_nothing_that_steers_a_terminal_gets_there() -> None:
    script = (
        text("\x1b]0;owned\x07red \x1b[31mred\r\x9b2J \u202etxt.exe"),
        text("\x1b"),
        text("[2J cut"),
        begun('{"a": "\x1b[2J"}', name="create\x1b[1m_task", server="or\x07chestrator"),
        ended("\x1b[8mhidden\x1b[0m \x1bPq#0\x1b\\\x00 and\ttab"),
        *SHORT,
    )
    async with chat_door(script) as door:
        told = await ran("Hi", "--url", door.url)
        assert told.out.splitlines()[0] == "red red txt.exe[2J cut"
        assert told.err.splitlines()[:2] == [
            '⚙ create_task (orchestrator) {"a": ""}',
            "  ✓ 12 ms  hidden and tab",
        ]
        controls = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
        assert not controls.search(told.out + told.err)


async def test_json_is_a_line_for_each_thing_that_happens() -> None:
    broken = (text("I \x1b[2Jmake"), failure("the model went away"))
    async with chat_door(WHOLE, broken) as door:
        told = await ran("Hi", "--url", door.url, "--json", "--session", "plans")
        failed = await ran("Hi", "--url", door.url, "--json")
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [line["type"] for line in lines] == [
        "text", "text", "function_call", "function_result", "text", "text", "reply"
    ]  # fmt: skip
    assert json.loads(lines[2]["arguments"]) == {"title": "Log in"}
    assert (lines[3]["content"], lines[3]["milliseconds"]) == ('{"id": 1}', 12.3)
    reply = lines[-1]
    assert (reply["model"], reply["cost_usd"], reply["quota_remaining"]) == ("large", 0.0012, 98)
    assert (reply["session_id"], len(reply["rounds"])) == ("plans", 2)
    assert told.err == ""
    assert "\x1b" not in failed.out
    last = json.loads(failed.out.splitlines()[-1])
    assert last == {"type": "error", "code": "unavailable", "message": "the model went away"}
    assert (failed.code, failed.err) == (1, "gateway: the model went away. Retry in 5 s.\n")


async def test_an_answer_that_breaks_off_is_an_error_in_one_line() -> None:
    async with chat_door((text("It is"), failure("the model went away")), (text("It"),)) as door:
        failed = await ran("Hi", "--url", door.url)
        silent = await ran("Hi", "--url", door.url)
    assert (failed.code, failed.out) == (1, "It is\n")
    assert failed.err == "gateway: the model went away. Retry in 5 s.\n"
    assert silent.code == 1
    assert silent.err.startswith("gateway: the answer broke off")


async def test_a_gateway_that_is_named_but_not_there_is_not_replaced() -> None:
    gone = await ran("Hi", "--url", f"http://127.0.0.1:{free_port()}")
    assert (gone.code, gone.out) == (1, "")
    assert gone.err.startswith("gateway: the gateway cannot be reached")
    wrong = await ran("Hi", "--url", "localhost:3001")
    assert wrong.err.startswith("gateway: --url takes one such as http://127.0.0.1:3001, not")
    both = await ran("Hi", "--url", "http://127.0.0.1:3001", "--demo-llm")
    assert both.code == 2
    unsendable = await ran("Hi", env={"GATEWAY_API_KEY": "gw_schlüssel"})
    assert unsendable.err == "gateway: GATEWAY_API_KEY: has characters that no key has.\n"
    assert unsendable.code == 78


async def test_a_reader_that_leaves_ends_it_quietly() -> None:
    command = shlex.join(COMMAND)
    async with chat_door((*[text("much\n" * 5_000)] * 50, *SHORT)) as door:
        process = await asyncio.create_subprocess_shell(
            f"{command} Hi --url {door.url} | head -n 1",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=own_environment(),
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    assert (out, err) == (b"much\n", b"")
