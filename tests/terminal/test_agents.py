"""`gateway agents`, over the database that the settings name, before a scripted model."""

import asyncio
import io
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.__main__ import cli
from gateway.agents.agents import Agents
from gateway.agents.event import News
from gateway.agents.event_store import EventStore
from gateway.agents.run import Guard, Status
from gateway.agents.run_store import Room, RunStore
from gateway.agents.suggestion_store import SuggestionStore
from gateway.errors import ConfigurationError, GatewayError, InvalidRequest, NotFound, Refused
from gateway.storage.database import Database
from gateway.terminal.agents_followed import Wanted, show_runs
from gateway.terminal.agents_opened import with_agents
from tests.stand_ins.gateway_process import own_environment
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.terminal.program import ROOT, SECONDS

KEY = "or-the-key-of-the-provider"
AGENTS: list[dict[str, Any]] = [
    {
        "name": "helper",
        "instructions": "Help.",
        "model": "openrouter/small",
        "tools": ["create_task"],
    },
    {
        "name": "careful",
        "instructions": "Propose.",
        "model": "openrouter/small",
        "tools": ["create_task"],
        "dry_run": True,
    },
    {
        "name": "brief",
        "instructions": "Help.",
        "model": "openrouter/small",
        "tools": ["create_task"],
        "max_rounds": 1,
    },
]
# What would steer a terminal, in text of a model.
BAD = "done \x1b[31m\x9b2J\u202e[bold]now[/bold]"


def settings(folder: Path, *, agents: list[dict[str, Any]] = AGENTS, url: str = "") -> Path:
    provider = {"kind": "openrouter", "base_url": url, "api_key": KEY, "attempts": 1}
    file = folder / "gateway.yaml"
    kept = {"data_dir": str(folder / "data"), "agents_file": "agents.yaml"}
    file.write_text(yaml.safe_dump({**kept, "providers": [provider] if url else []}), "utf-8")
    (folder / "agents.yaml").write_text(yaml.safe_dump({"agents": agents}), "utf-8")
    return file


Command = Callable[..., Result]


@pytest.fixture
def gateway(tmp_path: Path) -> Command:
    """The command in this process, where no model is needed."""
    file = settings(tmp_path)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["agents", *words, "--config", str(file)])

    return run


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{folder / 'data' / 'gateway.db'}") as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Told:
    code: int
    out: str
    err: str


async def told(file: Path, *words: str) -> Told:
    """The command in a thread of this process, beside the loop in which the model answers."""
    return await asyncio.to_thread(_told, [*words, "--config", str(file)])


def _told(words: list[str]) -> Told:
    # DBOS goes on writing to the first of these that it saw, which must not be closed by then.
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = cli(["agents", *words], standalone_mode=False)
    except GatewayError as error:
        return Told(1, out.getvalue(), str(error))
    return Told(code or 0, out.getvalue(), err.getvalue())


async def interrupted(file: Path, *words: str, at: str) -> Told:
    """As a script runs it, with Ctrl-C once it says so."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "agents", *words, "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=own_environment(),
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(SECONDS):
            while at.encode() not in said:
                said += await process.stdout.read(1_000)
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode is not None
    return Told(process.returncode, (said + out).decode(), err.decode())


async def test_a_question_is_carried_out_step_by_step_and_then_read_again(tmp_path: Path) -> None:
    async with LlmStandIn("openrouter", key=KEY) as model:
        wish = Tool("create_task", '{"title": "Remove the key"}')
        model.script("small", Answer("I open a task.", tools=(wish,)), Answer(BAD))
        file = settings(tmp_path, url=model.base_url)
        asked = await told(file, "run", "helper", "Is it fine?")
        assert asked.code == 0, asked.err
        lines = asked.out.splitlines()
        run_id = lines[0].split()[1]
        assert lines[0].startswith(f"run {run_id} of helper, 20")
        assert "question:asked: Is it fine?" in lines[1]
        assert lines[2].startswith("✓ 1 asked openrouter/small (")
        assert lines[3:5] == ["  I open a task.", "  wants create_task"]
        assert lines[5].startswith("✓ 2 create_task (")
        assert '{"title": "Remove the key"}' in lines[5]
        assert lines[6].startswith('  ok: {"task":{"id":"task_')
        assert lines[8] == "  done [bold]now[/bold]"
        assert lines[9].startswith(f"{run_id} is done (")
        again = await told(file, "logs", "last")
        assert again.out == asked.out
        assert (await told(file, "logs", run_id, "--follow")).out == asked.out
        model.script("small", Answer("Anew."))
        replayed = await told(file, "replay", run_id, "--from-step", "3", "--json")
        assert replayed.code == 0, replayed.err
        types = [json.loads(line)["type"] for line in replayed.out.splitlines()]
        assert types == ["run", "step", "step", "step", "end"]
        end = json.loads(replayed.out.splitlines()[-1])
        assert (end["status"], end["result"], end["replay_of"]) == ("done", "Anew.", run_id)
        assert not replayed.out.count("\x9b")


async def test_what_is_suggested_is_accepted_as_whoever_sits_there(tmp_path: Path) -> None:
    async with LlmStandIn("openrouter", key=KEY) as model:
        wish = Tool("create_task", '{"title": "Remove the key"}')
        model.script("small", Answer("There is a key.", tools=(wish,)), Answer("Proposed."))
        file = settings(tmp_path, url=model.base_url)
        asked = await told(file, "run", "careful", "Is it fine?")
        assert "(open) create_task: Remove the key" in asked.out
        assert "  gateway agents accept sug_" in asked.out
        (listed,) = json.loads((await told(file, "suggestions", "--json")).out)
        accepted = await told(file, "accept", listed["id"], "--note", "yes")
        assert accepted.code == 0, accepted.err
        assert accepted.out.startswith(f"{listed['id']} is accepted\n")
        assert '"created_by":"local"' in accepted.out
        again = await told(file, "accept", listed["id"])
        assert (again.code, again.out) == (1, "")
        assert "accepted" in again.err


async def test_what_a_guard_stopped_or_somebody_interrupted_is_no_success(tmp_path: Path) -> None:
    async with LlmStandIn("openrouter", key=KEY) as model:
        endless = Answer("word " * 5, tokens=99, hold_after=3, hold=asyncio.Event())
        wish = Tool("create_task", '{"title": "x"}')
        first = Answer("First.", tools=(wish,))
        model.script("small", first, first, endless)
        file = settings(tmp_path, url=model.base_url)
        stopped = await told(file, "run", "brief", "Is it fine?")
        assert stopped.code == 1
        assert " is stopped (rounds): it asked its model 1 times" in stopped.out
        left = await interrupted(file, "run", "helper", "Is it fine?", at="✓ 2")
        run_id = left.out.split()[1]
        assert (left.code, "Traceback" in left.err) == (130, False)
        assert f"gateway agents logs {run_id} --follow" in left.err
        # Its owner is gone, and it waits for a gateway: nothing of it is lost.
        kept, _ = json.loads((await told(file, "logs", "--json")).out)
        assert (kept["id"], kept["tool_calls"], kept["ended"]) == (run_id, 1, None)


def test_agents_are_listed_paused_and_resumed(gateway: Command) -> None:
    listed = gateway("list")
    assert listed.exit_code == 0, listed.output
    head, helper, careful, _ = listed.stdout.splitlines()
    assert head.split() == "Agent State Hears Now Waits Ended today Spent today Last run".split()
    assert helper.split()[:4] == ["helper", "listening", "questions", "only"]
    assert careful.startswith("careful")
    assert "off, and ready to switch on in agents.yaml: review, research" in listed.stderr
    assert gateway("pause", "helper").stdout == "helper is paused\n"
    assert [one["state"] for one in json.loads(gateway("list", "--json").stdout)] == [
        "paused",
        "listening",
        "listening",
    ]
    assert "gateway agents resume NAME" in gateway("list").stderr
    asked = gateway("run", "helper", "Is it fine?", "--no-wait")
    assert "helper is paused by local: what is asked of helper waits" in asked.stderr
    assert gateway("pause", "--all").stdout == "all agents are stopped\n"
    resumed = gateway("resume", "helper")
    assert (resumed.stdout, resumed.exit_code) == ("helper goes on\n", 0)
    assert "but all agents are paused, too" in resumed.stderr
    assert gateway("resume", "--all").stdout == "agents go on\n"
    assert {one["state"] for one in json.loads(gateway("list", "--json").stdout)} == {"listening"}


def test_what_is_asked_without_waiting_waits_and_can_be_cancelled(gateway: Command) -> None:
    asked = gateway("run", "helper", "careful", "Is it fine?", "--no-wait")
    first, second = asked.stdout.split()
    runs = json.loads(gateway("logs", "--json").stdout)
    assert [(one["id"], one["status"]) for one in runs] == [(second, "waiting"), (first, "waiting")]
    assert gateway("cancel", "last").stdout == f"{second} is cancelled\n"
    with_story = gateway("logs", second).stdout
    assert "question:asked: Is it fine?" in with_story
    assert "is cancelled: a person cancelled it" in with_story
    assert [one.split()[0] for one in gateway("logs", "--agent", "helper").stdout.splitlines()] == [
        "Run",
        first,
    ]
    topics = [one["topic"] for one in json.loads(gateway("events", "--json").stdout)]
    assert topics == ["agent:finished", "question:asked"]
    table = gateway("events", "--topic", "question:*").stdout.splitlines()
    assert len(table) == 2
    assert table[1].endswith("Is it fine?")


async def _failures(folder: Path) -> None:
    """One that a guard stopped, one that failed, one that is done, and a suggestion."""
    async with database(folder) as opened:
        events, runs = EventStore(opened), RunStore(opened)
        event = (await events.store(News("git:commit", {}, "git", subject=BAD))).event
        endings: list[tuple[Status, Guard | None]] = [
            ("done", None), ("failed", None), ("stopped", "loop")
        ]  # fmt: skip
        for status, guard in endings:
            await runs.add([(f"{event.id}:{status}", runs.new("helper", event))])
            (run,) = await runs.claim([Room("helper", 9)], "a-process", most=9)
            await runs.end(replace(run, status=status, guard=guard, because=BAD, ended=run.created))
        suggestions = SuggestionStore(opened)
        await suggestions.open(
            run.id, "helper", occasion="o", title=BAD, reason=BAD, evidence=[BAD]
        )


def test_failures_are_shown_with_their_reason_and_text_steers_nothing(
    gateway: Command, tmp_path: Path
) -> None:
    assert "no such run" in gateway("logs").stderr
    asyncio.run(_failures(tmp_path))
    failed = gateway("logs", "--failed")
    assert [row.split()[2] for row in failed.stdout.splitlines()[1:]] == ["stopped", "failed"]
    assert "stopped (loop)" in failed.stdout
    suggested = gateway("suggestions")
    assert "helper" in suggested.stdout
    dismissed = gateway("dismiss", suggested.stdout.split()[0], "--note", "no")
    assert dismissed.stdout.split()[1:] == ["is", "dismissed"]
    assert "no such suggestion" in gateway("suggestions").stderr
    decided = gateway("suggestions", "--all")
    assert "dismissed by local: no" in decided.stdout
    story = gateway("logs", "last")
    assert "is stopped (loop): done [bold]now[/bold]" in story.stdout
    for result in (failed, suggested, decided, story, gateway("events")):
        for sign in "\x1b\x9b\u202e":
            assert sign not in result.stdout
    raw = gateway("logs", "--json").stdout + gateway("events", "--json").stdout
    assert raw.isascii()


class Heard(io.StringIO):
    """What is printed, for whoever waits until it says something."""

    def __init__(self) -> None:
        super().__init__()
        self._written = asyncio.Event()

    def write(self, text: str) -> int:
        self._written.set()
        return super().write(text)

    async def says(self, words: str) -> None:
        async with asyncio.timeout(SECONDS):
            while words not in self.getvalue():
                self._written.clear()
                await self._written.wait()


async def test_whoever_follows_sees_each_run_as_it_goes_on(tmp_path: Path) -> None:
    heard = Heard()

    async def work(agents: Agents) -> None:
        run = await agents.ask("helper", "Is it fine?", by="olga")
        with redirect_stdout(heard):
            following = show_runs(agents, Wanted(), follows=True, as_json=False)
            task = asyncio.create_task(following, name="follow")
            await heard.says(f"{run.id} helper is waiting to begin\n")
            await agents.cancel_run(run.id)
            await heard.says(f"{run.id} helper is cancelled: a person cancelled it\n")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    await with_agents(settings(tmp_path), work)


WRONG: tuple[tuple[tuple[str, ...], type[GatewayError], str], ...] = (
    (
        ("run", "nobody", "Hi", "--no-wait"),
        NotFound,
        "no agent is named 'nobody'; there are: helper",
    ),
    (("run", "helper", "helper", "Hi", "--no-wait"), InvalidRequest, "each of them once"),
    (("run", "helper", " ", "--no-wait"), InvalidRequest, "question: takes 1 to"),
    (("pause",), InvalidRequest, "name one agent, or say --all"),
    (("pause", "helper", "--all"), InvalidRequest, "name one agent, or say --all"),
    (("resume", "nobody"), NotFound, "no agent is named"),
    (("logs", "nonsense"), NotFound, "no run is named 'nonsense'"),
    (("logs", "last"), NotFound, "no agent has run yet"),
    (("logs", "last", "--failed"), InvalidRequest, "a run is named alone"),
    (("cancel", "last"), NotFound, "no agent has run yet"),
    (("dismiss", "sug_0"), NotFound, "there is no suggestion"),
    (("events", "--topic", "No!"), InvalidRequest, "matches none"),
)


@pytest.mark.parametrize(("words", "kind", "said"), WRONG)
def test_what_is_wrong_is_said(
    gateway: Command, words: tuple[str, ...], kind: type[GatewayError], said: str
) -> None:
    result = gateway(*words)
    assert isinstance(result.exception, kind), result.output
    assert said in str(result.exception)


def test_what_has_ended_cannot_be_cancelled(gateway: Command) -> None:
    gateway("run", "helper", "Hi", "--no-wait")
    gateway("cancel", "last")
    again = gateway("cancel", "last")
    assert isinstance(again.exception, Refused)


def test_without_agents_it_says_how_to_switch_them_on(tmp_path: Path) -> None:
    file = settings(tmp_path, agents=[])
    listed = CliRunner().invoke(cli, ["agents", "list", "--config", str(file)])
    assert (listed.exit_code, listed.stdout) == (0, "")
    assert "no agent is on: switch some on in agents.yaml" in listed.stderr
    (tmp_path / "agents.yaml").write_text("agents: [{nam: x}]")
    broken = CliRunner().invoke(cli, ["agents", "list", "--config", str(file)])
    assert isinstance(broken.exception, ConfigurationError)


@pytest.mark.parametrize(
    "command",
    "list run pause resume logs cancel replay suggestions accept dismiss events".split(),
)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    said = CliRunner().invoke(cli, ["agents", command, "--help"])
    assert f"Example: gateway agents {command}" in said.stdout
