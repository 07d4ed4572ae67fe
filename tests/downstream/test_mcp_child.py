"""MCP servers that are child processes: what becomes of them, and of the calls in them."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.mcp.child import Command, Lines
from gateway.downstream.mcp.server import McpServer
from gateway.downstream.status import State
from gateway.errors import (
    BadAnswer,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    Unavailable,
)
from tests.downstream.mcp_servers import is_alive, logged, opened, troublemaker
from tests.stand_ins.task_servers import COMMAND, ROOT

PATH = {"PATH": os.environ["PATH"]}


async def said(server: McpServer, tool: str, **arguments: object) -> str:
    answer = await server.call(tool, arguments, is_read=True)
    text: str = answer.items[0]["text"]
    return text


async def test_a_real_server_is_called_sees_only_its_own_environment_and_leaves_nobody_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = children()
    monkeypatch.setenv("NANOGPT_API_KEY", "secret")
    with logged() as lines:
        async with opened(Command(COMMAND, {**PATH, "TASKS": "mine"}, ROOT)) as server:
            assert (server.status.state, server.status.version) == (State.UP, "1.2")
            answer = await server.call("search", {"query": "k8s"}, is_read=True)
            assert answer.structured == {"results": [f"k8s: finding {n}" for n in (1, 2, 3)]}
            seen = await server.call("environment", {}, is_read=True)
            assert seen.structured
            assert set(seen.structured["result"]) <= {*PATH, "TASKS", "LC_CTYPE"}
            assert (await server.call("noise", {}, is_read=True)).structured == {"result": "done"}
            assert await lines.next(lambda line: "a [31mwarning" in line)
            grandchild = await server.call("start_grandchild", {}, is_read=False)
            assert grandchild.structured
            assert is_alive(grandchild.structured["result"])
    await gone(grandchild.structured["result"])
    assert children() == before


async def gone(process: int) -> None:
    """A grandchild is reaped by init, as soon as that looks."""
    async with asyncio.timeout(5):
        while is_alive(process) and "Z" not in state(process):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)


def state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def children() -> list[str]:
    """Of this process, those that are servers, zombies too."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().startswith("python")]


async def test_a_child_that_is_killed_in_the_middle_of_a_read_is_started_again_and_answers(
    tmp_path: Path,
) -> None:
    notes = tmp_path / "notes"
    async with opened(troublemaker("well")) as server:
        answer = await said(server, "die", notes=str(notes), times=1)
        first, second = notes.read_text().split()
        assert (answer, first != second) == (second, True)
        assert await said(server, "pid") == second
        assert not is_alive(int(first))


async def test_a_write_in_a_child_that_is_killed_is_not_repeated(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with opened(troublemaker("well")) as server:
        arguments = {"notes": str(notes), "times": 1}
        with pytest.raises(OutcomeUnknown, match=r"tasks: the outcome is unknown.*signal 9"):
            await server.call("die", arguments, is_read=False)
        assert len(notes.read_text().split()) == 1
        assert await said(server, "pid")


async def test_a_read_is_repeated_once_and_no_more(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with opened(troublemaker("well")) as server:
        with pytest.raises(Unavailable, match="signal 9"):
            await said(server, "die", notes=str(notes), times=9)
        assert len(notes.read_text().split()) == 2


@pytest.mark.parametrize("mode", ["forever", "deaf"])
async def test_a_child_that_ignores_the_end_of_its_input_is_ended_by_a_signal(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    monkeypatch.setattr("gateway.downstream.mcp.child.EOF_SECONDS", 0.05)
    monkeypatch.setattr("gateway.downstream.mcp.child.TERM_SECONDS", 0.05)
    async with McpServer("tasks", troublemaker(mode)) as server:
        await server.discovered(within_seconds=8 if mode == "forever" else 0.2)
        assert children()
    assert children() == before


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("crash", "its process ended with status 1"),
        ("mortal", "its process ended with status 3"),
        ("flood", "it floods the gateway"),
        ("garbage", "it floods the gateway"),
        ("deaf", "it did not answer within 0.3 s"),
    ],
)
async def test_a_bad_child_costs_nobody_but_itself(
    mode: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.downstream.mcp.child.EOF_SECONDS", 0.05)
    monkeypatch.setattr("gateway.downstream.mcp.child.TERM_SECONDS", 0.05)
    seldom = Backoff(first_seconds=5, most_seconds=5)
    open_seconds = 0.3 if mode == "deaf" else 8
    with logged() as lines:
        bad = McpServer(
            "bad",
            troublemaker(mode),
            backoff=seldom,
            open_seconds=open_seconds,
            patience_seconds=0,
        )
        async with bad, opened(troublemaker("well"), name="good") as good:
            async with asyncio.timeout(1):
                assert await said(good, "pid")
            await lines.next(lambda line: line.startswith(f"mcp=bad state=down error='{reason}"))
            assert bad.status.state is State.DOWN
            assert bad.status.retry_seconds
            with pytest.raises(Unavailable, match=f"bad is unavailable .{reason}.*retry in"):
                await said(bad, "pid")
            assert await said(good, "pid")


async def test_what_a_child_said_before_it_crashed_is_in_the_log() -> None:
    with logged() as lines:
        async with McpServer("tasks", troublemaker("crash")):
            said = await lines.next(lambda line: "ended after saying" in line)
    assert said == "mcp=tasks ended after saying 'no license was found'"


async def test_a_command_that_is_not_there_is_named() -> None:
    with logged() as lines:
        async with McpServer("tasks", Command(("no-such-program", "--key"), PATH)):
            line = await lines.next(lambda line: "state=down" in line)
    assert line.endswith("error='its command no-such-program is not installed'")


async def test_an_answer_that_is_too_large_costs_only_its_call() -> None:
    async with opened(troublemaker("well")) as server:
        process = await said(server, "pid")
        with pytest.raises(BadAnswer, match="tasks sent an answer of more than 4 MiB"):
            await said(server, "big")
        with pytest.raises(OutcomeUnknown, match="more than 4 MiB"):
            await server.call("big", {}, is_read=False)
        assert await said(server, "pid") == process


async def test_pages_of_tools_that_never_end_are_read_until_they_repeat() -> None:
    async with opened(troublemaker("well")) as server:
        assert [tool.name for tool in server.tools] == ["die", "pid", "big", "wrong"]


async def test_a_server_of_the_first_version_is_understood() -> None:
    async with opened(troublemaker("old")) as server:
        assert await said(server, "pid")


@pytest.mark.parametrize(
    ("code", "is_read", "expected"),
    [
        (-32601, True, NotFound),
        (-32602, False, InvalidRequest),
        (-32603, True, BadAnswer),
        (-32603, False, OutcomeUnknown),
    ],
)
async def test_errors_of_a_server_become_ours(
    code: int, is_read: bool, expected: type[Exception]
) -> None:
    async with opened(troublemaker("well")) as server:
        with pytest.raises(expected, match=r"tasks.*so \[31m wrong"):
            await server.call("wrong", {"code": code}, is_read=is_read)


async def test_a_gateway_that_is_killed_takes_a_child_with_it_that_ignores_its_input() -> None:
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(ROOT)!r})
from gateway.downstream.mcp.server import McpServer
from tests.downstream.mcp_servers import opened, troublemaker
async def main():
    async with opened(troublemaker("forever")) as server:
        answer = await server.call("pid", {{}}, is_read=True)
        print(answer.items[0]["text"], flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert gateway.stdout
    async with asyncio.timeout(10):
        child = int(await gateway.stdout.readline())
    assert is_alive(child)
    gateway.send_signal(signal.SIGKILL)
    await gateway.wait()
    await gone(child)


def test_lines_are_put_together_from_chunks_and_bounded() -> None:
    lines = Lines(most_bytes=600)
    assert list(lines.split(b"a\nb")) == [(b"a", True)]
    assert list(lines.split(b"c\n\n")) == [(b"bc", True)]
    assert list(lines.split(b"x" * 500)) == []
    assert list(lines.split(b"y" * 500)) == []
    ((beginning, is_whole),) = lines.split(b"z\n")
    assert (beginning, is_whole) == (b"x" * 500 + b"y" * 12, False)
    assert list(lines.split(b"d\n")) == [(b"d", True)]
