"""The tools of the task list, called as a model calls them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway import caller, request_id
from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.errors import InvalidRequest, NotFound, PermissionDenied
from gateway.idempotency import keyed
from gateway.storage.database import Database
from gateway.task_tools import TaskTools
from gateway.tasks.store import Tasks
from gateway.tasks.task import TASK_TOOLS, Task
from gateway.tools.tool import Effect
from gateway.tools.toolbox import Toolbox

RUN = "20261121-123000-abcdef"


@asynccontextmanager
async def toolbox(folder: Path, **options: Any) -> AsyncIterator[Toolbox]:
    elsewhere = options.pop("elsewhere", None)
    async with Database(f"sqlite:///{folder}/gateway.db") as database:
        tasks = Tasks(database, elsewhere=elsewhere)
        tools = TaskTools(tasks, url=lambda one: f"https://gateway.example/{one}", **options)
        yield Toolbox([tools.tools])


async def asked(toolbox: Toolbox, name: str, **arguments: Any) -> Mapping[str, Any]:
    """What the tool answers, which is what it says that it answers."""
    answer = await toolbox.call(name, arguments)
    schema = (await toolbox.tool(name)).output_schema
    assert schema
    jsonschema.validate(answer.content, schema)
    return answer.content


async def test_a_task_is_created_listed_and_done(tmp_path: Path) -> None:
    caller.begin(Caller("alice"))
    async with toolbox(tmp_path) as tools:
        created = await asked(
            tools,
            "create_task",
            title="Rotate the key",
            description="x" * 1_000,
            priority="critical",
            labels=["security"],
            repository="shop",
            commit="ABC1234",
            assignee="bob",
        )
        task = created["task"]
        assert created["is_new"]
        assert task["url"] == f"https://gateway.example/{task['id']}"
        assert (task["created_by"], task["run_id"], task["commit"]) == ("alice", None, "abc1234")
        assert len(task["description"]) == 1_000
        listed = await asked(tools, "list_tasks", commit="abc1", status="open", limit=5)
        assert ([one["id"] for one in listed["tasks"]], listed["total"]) == ([task["id"]], 1)
        assert len(listed["tasks"][0]["description"]) < 500
        moved = await asked(
            tools, "update_task_status", task_id=task["id"], status="done", note="rotated"
        )
        assert (moved["status_before"], moved["task"]["status"]) == ("open", "done")
        again = await asked(tools, "update_task_status", task_id=task["id"], status="done")
        assert (again["status_before"], again["task"]["note"]) == ("done", "rotated")
        assert (await asked(tools, "list_tasks", status="open"))["total"] == 0


async def test_an_agent_creates_a_task_once_for_each_step_and_its_run_is_known(
    tmp_path: Path,
) -> None:
    heard: list[str] = []

    async def hear(task: Task) -> None:
        heard.append(task.id)

    caller.begin(Caller("agent:review"))
    request_id.begin_run(RUN)
    async with toolbox(tmp_path, on_created=hear) as tools:
        answers = []
        for step in (3, 3, 4):
            with keyed(f"{RUN}:{step}"):
                answers.append(await asked(tools, "create_task", title="Rotate the key"))
        assert [one["is_new"] for one in answers] == [True, False, True]
        assert answers[0]["task"] == answers[1]["task"]
        assert (answers[0]["task"]["created_by"], answers[0]["task"]["run_id"]) == (
            "agent:review", RUN,
        )  # fmt: skip
        assert heard == [answers[0]["task"]["id"], answers[2]["task"]["id"]]
        listed = await asked(tools, "list_tasks", created_by="agent:*")
        assert listed["total"] == 2


async def test_what_is_wrong_with_arguments_is_said_with_what_would_be_right(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    async with toolbox(tmp_path) as tools:
        for name, arguments, said in (
            ("create_task", {}, "title is missing"),
            ("create_task", {"title": ""}, "title must have at least 1 characters"),
            ("create_task", {"title": "x" * 201}, "at most 200 characters, not 201"),
            ("create_task", {"title": "x", "priority": "huge"}, '"low", "medium", "high"'),
            ("create_task", {"title": "x", "commit": "HEAD"}, "commit is 'HEAD'"),
            ("create_task", {"title": "x", "labels": [3]}, "labels[0] must be a string"),
            ("create_task", {"title": "x", "labels": ["a,b"]}, "labels has 'a,b'"),
            ("create_task", {"title": "x", "due": "now"}, "due is not one of its arguments"),
            ("list_tasks", {"status": "ready"}, '"open", "in_progress", "done", "cancelled"'),
            ("list_tasks", {"limit": 51}, "limit must be at most 50"),
            ("update_task_status", {"task_id": "task_0", "status": "ready"}, '"in_progress"'),
        ):
            with pytest.raises(InvalidRequest) as raised:
                await tools.call(name, arguments)
            assert said in str(raised.value)
        with pytest.raises(NotFound, match="there is no task 'task_0'"):
            await tools.call("update_task_status", {"task_id": "task_0", "status": "done"})


async def test_what_writes_says_so_and_takes_a_key(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with toolbox(tmp_path) as tools:
        found = await tools.tools()
        assert tuple(tool.name for tool in found) == TASK_TOOLS
        assert (
            {tool.name for tool in found if tool.takes_key}
            == {tool.name for tool in found if tool.effect is Effect.WRITE}
            == {"create_task", "update_task_status"}
        )


async def test_who_has_no_key_or_may_not_does_not_see_them(tmp_path: Path) -> None:
    async with toolbox(tmp_path) as tools:
        caller.begin(ANONYMOUS)
        assert await tools.tools() == []
        caller.begin(Caller("reader", tools=("list_*",)))
        assert [tool.name for tool in await tools.tools()] == ["list_tasks"]
        with pytest.raises(PermissionDenied):
            await tools.call("create_task", {"title": "x"})


async def test_where_tasks_live_elsewhere_ours_are_not_there(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with toolbox(tmp_path, elsewhere="orchestrator") as tools:
        assert await tools.tools() == []
