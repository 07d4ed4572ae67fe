"""What docs/agents.md shows is what happens."""

import asyncio
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml
from typer.testing import CliRunner

from gateway.__main__ import cli
from gateway.agents.agent import Bounds
from gateway.agents.durable import WAITS_SECONDS
from gateway.agents.executors import GONE_AFTER
from gateway.agents.notification import NOTIFICATION_KINDS
from gateway.agents.notifications import KEPT_FOR
from gateway.agents.run import Guard
from gateway.agents.webhooks_out import RETRY_SECONDS
from gateway.app.services import AGENT_TOOLS
from gateway.config.agents_entry import shipped_agents
from gateway.config.agents_file import RUNS_AT_ONCE, read_agents
from gateway.config.settings import load
from gateway.tasks.task import TASK_TOOLS
from tests.acceptance.agents_office import first_look
from tests.docs.test_tools_page import blocks, split_at_end
from tests.stand_ins.gateway_process import (
    GatewayProcess,
    own_environment,
    running_gateway,
)
from tests.stand_ins.machine import need

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")
HERE = "http://127.0.0.1:3001"
SIGNING = f"whsec_{b64encode(bytes(range(32))).decode()}"
SECRETS = {
    "GITHUB_WEBHOOK_SECRET": "the secret of a webhook",
    "GITLAB_WEBHOOK_TOKEN": "the token of another",
    "EVENTS_WEBHOOK_SECRET": SIGNING,
    "PAGER_SECRET": SIGNING,
}
FIRST = yaml.safe_load(blocks(PAGE, "yaml")[0])
(WEBHOOKS,) = (one for one in blocks(PAGE, "yaml") if one.startswith("webhooks_in:"))


def lines(beginning: str) -> list[list[str]]:
    """Each command of the page that begins so, as a shell would split it."""
    shell = "".join(blocks(PAGE, "sh")).replace("\\\n", " ")
    return [split_at_end(one) for one in re.split(rf"^(?={beginning})", shell, flags=re.M)[1:]]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who did what the page says, in a folder where nothing was, with the demo for a model."""

    folder: Path
    env: Mapping[str, str]
    gateway: GatewayProcess

    def says(self, *command: str) -> str:
        """What `gateway …` prints."""
        ran = CliRunner().invoke(cli, command, env=dict(self.env))
        assert ran.exit_code == 0, ran.output
        return ran.output

    def commits(self, name: str, text: str) -> None:
        (self.folder / "shop" / name).write_text(text, "utf-8")
        git(self.folder / "shop", "add", ".")
        git(self.folder / "shop", "commit", "--quiet", f"--message=Add {name}")


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Newcomer", "-c", "user.email=newcomer@example.com")
    subprocess.run([need("git"), *who, *arguments], cwd=folder, check=True, timeout=30)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "shop").mkdir()
    git(folder / "shop", "init", "--quiet", "--initial-branch=main")
    git(folder / "shop", "commit", "--quiet", "--allow-empty", "--message=Begin")
    settings = yaml.safe_load(WEBHOOKS) | FIRST
    settings["watch"]["git"][0] |= {"repository": str(folder / "shop"), "every_seconds": 0.1}
    (folder / "agents.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    env = {
        **SECRETS,
        "GATEWAY_AGENTS": str(folder / "agents.yaml"),
        "MCP_DATABASE_DIR": str(folder / "kept"),
    }
    with running_gateway("--demo-llm", env=env) as gateway:
        asyncio.run(first_look("shop", load(None, environment=env)))
        yield Newcomer(folder, env, gateway)


def test_the_first_ten_minutes_end_with_three_runs(newcomer: Newcomer) -> None:
    told = newcomer.says("check")
    assert "agents: 3 on; off: research, debugger" in told
    assert f"repository shop at {newcomer.folder}/shop" in told
    newcomer.commits("payment.py", "PASSWORD = 'hunter2'\n")
    ended = re.compile(r"run=\S+ agent=(\w+) status=done")
    newcomer.gateway.wait_until(lambda: len(ended.findall(newcomer.gateway.log())) >= 3)
    wanted = lines("uv run gateway")[:4]
    assert [one[3:] for one in wanted] == [
        ["tasks", "list"],
        ["agents", "list"],
        ["agents", "logs"],
        ["agents", "logs", "last"],
    ]
    tasks, agents, logs, last = (newcomer.says(*one[3:]) for one in wanted)
    # The demo finds nothing, and says so.
    assert "no such task" in tasks
    for name in ("review", "documentation", "test"):
        assert name in agents
        assert name in logs
    assert "This is a demo" in last
    assert "Add payment.py" in last


def test_each_request_of_the_page_is_answered(newcomer: Newcomer) -> None:
    asked = [one for one in lines("curl ") if "$" not in " ".join(one)]
    assert len(asked) >= 9
    for command in asked:
        moved = [one.replace(HERE, newcomer.gateway.base_url) for one in command[1:]]
        ran = subprocess.run(
            [need("curl"), "--fail-with-body", "--max-time", "3", *moved],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        # The stream goes on until its reader leaves; nobody has suggested that.
        is_stream = "/v1/notifications" in command[-1] and ran.returncode == 28
        is_unknown = "sug_0123456789ab" in " ".join(command) and "no suggestion" in ran.stdout
        assert ran.returncode == 0 or is_stream or is_unknown, f"{command}: {ran.stdout}"


def test_what_the_page_signs_is_taken(newcomer: Newcomer) -> None:
    signed = [one for one in blocks(PAGE, "sh") if "openssl dgst" in one]
    topics = [taken(newcomer, one)["topic"] for one in signed]
    assert topics == ["github:push", "invoice:paid"]


@pytest.mark.parametrize("variable", ["GITHUB_WEBHOOK_SECRET", "EVENTS_WEBHOOK_SECRET"])
def test_what_another_secret_signs_is_refused(newcomer: Newcomer, variable: str) -> None:
    (script,) = (one for one in blocks(PAGE, "sh") if f"${variable}" in one.replace("{", ""))
    refused = taken(newcomer, script, **{variable: f"whsec_{b64encode(bytes(32)).decode()}"})
    assert refused["error"]["type"] == "authentication_error"
    assert "signature" in refused["error"]["message"]


def taken(newcomer: Newcomer, script: str, **changed: str) -> Mapping[str, Any]:
    """What the gateway answers to a block of the page."""
    for program in ("curl", "openssl"):
        need(program)
    ran = subprocess.run(
        [need("bash"), "-euo", "pipefail", "-c", script.replace(HERE, newcomer.gateway.base_url)],
        env={**own_environment(), **SECRETS, **changed},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    answer: Mapping[str, Any] = yaml.safe_load(ran.stdout)
    return answer


@pytest.mark.parametrize("settings", blocks(PAGE, "yaml"), ids=lambda text: text.split("\n")[0])
def test_the_settings_of_the_page_are_taken(settings: str, tmp_path: Path) -> None:
    if settings.startswith("hears:"):
        settings = yaml.safe_dump({"agents": [{"name": "review", **yaml.safe_load(settings)}]})
    file = tmp_path / "agents.yaml"
    file.write_text(settings, "utf-8")
    read_agents(file, SECRETS)


def test_the_page_has_each_agent_that_ships_with_what_it_hears() -> None:
    for name, agent in shipped_agents().items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*?) \|", PAGE, re.M)
        said = [one["topic"] for one in agent["hears"] if one["topic"].count(":") == 1]
        ours = [one for one in said if not one.startswith(("github", "gitlab"))]
        assert ours == re.findall(r"`(\w+:\w+)`", row), name


def test_the_page_has_each_guard_and_how_much_it_lets_pass() -> None:
    for guard in get_args(Guard):
        assert f"| `{guard}` |" in PAGE
    bounds = Bounds()
    for said in (
        f"`max_rounds`: {bounds.most_rounds}",
        f"`max_tool_calls`: {bounds.most_calls}",
        f"`max_minutes`: {bounds.seconds / 60:g}, `max_step_seconds`: {bounds.step_seconds:g}",
        f"`max_depth`: {bounds.most_depth}",
        f"`budget_per_run_usd`: {bounds.run_microusd / 1e6:.2f}",
        f"`budget_per_day_usd`: {bounds.day_microusd / 1e6:.2f}",
    ):
        assert f"| {said}" in PAGE


def test_the_page_has_each_tool_each_command_and_each_kind_of_notification() -> None:
    for name in (*AGENT_TOOLS, *TASK_TOOLS, *NOTIFICATION_KINDS):
        assert f"`{name}`" in PAGE, name
    group = typer.main.get_command(cli)
    assert isinstance(group, typer.core.TyperGroup)
    agents = group.commands["agents"]
    assert isinstance(agents, typer.core.TyperGroup)
    for name in agents.commands:
        assert f"agents {name}" in PAGE, name


def test_each_command_of_the_page_is_one(newcomer: Newcomer) -> None:
    for words in lines("uv run gateway"):
        path = [one for one in words[3:5] if re.fullmatch("[a-z]+", one)]
        is_group = path[0] in ("agents", "tasks")
        newcomer.says(*(path if is_group else path[:1]), "--help")


def test_the_page_says_how_long_things_are_tried_and_kept() -> None:
    first, second, third = WAITS_SECONDS
    hours = sum(RETRY_SECONDS) // 3_600
    for said in (
        f"after {first:g}, {second:g} and {third:g} s",
        f"tried again for {hours:g} hours",
        f"kept for {KEPT_FOR.days} days",
        f"after {GONE_AFTER.total_seconds():g} s",
        f"`limits.runs_at_once` runs, {RUNS_AT_ONCE} unless",
    ):
        assert said in " ".join(PAGE.split()), said
