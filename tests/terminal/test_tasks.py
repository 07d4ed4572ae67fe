"""`gateway tasks`, over the database that the settings name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import cli
from gateway.errors import InvalidRequest, NotFound, Refused
from tests.config.written import written

Gateway = Callable[..., Result]


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """The command, with settings of its own."""
    file = written(
        tmp_path,
        f"data_dir: {tmp_path}/data\nlimits: []\npublic_url: https://gw.example\n"
        "callers: [{name: me, key_sha256: '" + "0" * 64 + "'}]\n",
    )

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["tasks", *words, "--config", str(file)])

    return run


def test_a_task_is_added_listed_shown_and_done(gateway: Gateway) -> None:
    assert "no such task" in gateway("list").stderr
    added = gateway(
        "add", "Rotate the [bold]key[/bold]", "--priority", "high", "--label", "security",
        "--commit", "ABC1234", "--description", "It is\nin the code.\x1b[31m",
    )  # fmt: skip
    assert added.exit_code == 0, added.output
    task_id = added.stdout.strip()
    gateway("add", "Another")
    head, *rows = gateway("list").stdout.splitlines()
    assert head.split("  ")[0] == "Task"
    assert [row.split()[0] for row in rows][1:] == [task_id]
    assert "Rotate the [bold]key[/bold]" in rows[1]
    shown = gateway("show", task_id).stdout
    assert "Rotate the [bold]key[/bold] (open, high)" in shown
    assert "\nIt is\nin the code." in shown
    assert "\x1b" not in shown
    done = gateway("done", task_id, "--note", "rotated")
    assert done.stdout == f"{task_id} is done; it was open\n"
    assert task_id not in gateway("list").stdout
    assert task_id in gateway("list", "--all").stdout
    assert task_id in gateway("list", "--status", "done", "--commit", "abc1").stdout
    assert "open to done, by local: rotated" in gateway("show", task_id).stdout


def test_programs_read_json(gateway: Gateway) -> None:
    task = json.loads(gateway("add", "Rotate the key", "--json").stdout)
    assert (task["created_by"], task["url"]) == (
        "local", f"https://gw.example/data/task:{task['id']}",
    )  # fmt: skip
    assert json.loads(gateway("list", "--json").stdout) == [task]
    assert json.loads(gateway("show", task["id"], "--json").stdout) == task
    done = json.loads(gateway("done", task["id"], "--json").stdout)
    assert (done["status"], done["status_before"]) == ("done", "open")
    assert json.loads(gateway("list", "--created-by", "agent:*", "--all", "--json").stdout) == []


def test_what_is_wrong_is_said(gateway: Gateway) -> None:
    assert isinstance(gateway("show", "task_0").exception, NotFound)
    assert isinstance(gateway("add", " ").exception, InvalidRequest)
    assert isinstance(gateway("list", "--commit", "HEAD").exception, InvalidRequest)


def test_where_tasks_live_elsewhere_it_says_where(tmp_path: Path) -> None:
    written(
        tmp_path,
        "tasks: orchestrator\nservers: {orchestrator: {url: 'http://127.0.0.1:9/mcp'}}\n",
        "tools.yaml",
    )
    file = written(tmp_path, f"data_dir: {tmp_path}/data\ntools_file: tools.yaml\n")
    for words in (["list"], ["add", "x"], ["show", "task_0"], ["done", "task_0"]):
        result = CliRunner().invoke(cli, ["tasks", *words, "--config", str(file)])
        assert isinstance(result.exception, Refused)
        assert "tasks live in orchestrator" in str(result.exception)
