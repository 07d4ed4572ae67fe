"""Where a task server takes the place of the gateway's own task list, and where it does not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import caller
from gateway.app.opening import Gateway, opened
from gateway.caller import LOCAL
from gateway.config.settings import Config, load
from gateway.errors import ConfigurationError
from gateway.tasks.task import TASK_TOOLS
from gateway.tools.tool import OWN
from tests.config.written import written
from tests.stand_ins.task_servers import World, over_http, task_server


def config(folder: Path, tools: Mapping[str, Any]) -> Config:
    written(folder, yaml.safe_dump(tools), "tools.yaml")
    file = written(folder, f"data_dir: {folder}/data\ntools_file: tools.yaml\n")
    return load(file, environment={})


async def origins(gateway: Gateway) -> dict[str, str]:
    """Whose the tools are that speak of tasks, by their names."""
    await gateway.services.discovered(within_seconds=5)
    tools = await gateway.owners.toolbox.tools()
    return {
        tool.name: tool.origin for tool in tools if "task" in tool.name and "_task" in tool.name
    }


async def test_a_task_server_answers_under_the_names_that_users_know(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    world = World()
    async with over_http(task_server(world)) as url:
        office = {"office": {"url": url, "allow": ["*"]}}
        async with opened(config(tmp_path, {"servers": office, "tasks": "office"})) as gateway:
            found = await origins(gateway)
            assert found["create_task"] == found["list_tasks"] == "office"
            assert "update_task_status" not in found
            await gateway.owners.toolbox.call("create_task", {"title": "Rotate the key"})
            assert [task["title"] for task in world.tasks] == ["Rotate the key"]
            answer = await gateway.owners.registry.search("open tasks")
            assert "Tasks live in office" in answer.message


async def test_else_the_names_are_ours_and_the_server_has_others(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    world = World()
    async with over_http(task_server(world)) as url:
        office = {"office": {"url": url, "allow": ["*"]}}
        for tools in ({"servers": office}, {"servers": office, "tasks": "builtin"}):
            async with opened(config(tmp_path, tools)) as gateway:
                found = await origins(gateway)
                assert {found[name] for name in TASK_TOOLS} == {OWN}
                assert found["office_create_task"] == found["office_list_tasks"] == "office"
                answer = await gateway.owners.toolbox.call("create_task", {"title": "Rotate"})
                assert answer.content["task"]["url"].startswith("http://127.0.0.1:3001/data/task:")
                assert world.tasks == []
                found_tasks = (await gateway.owners.registry.search("open tasks")).results
                assert answer.content["task"]["id"] in found_tasks[0].id


URL = "http://127.0.0.1:9/mcp"
NAMED = {"name": "create_task", "mcp_server": "a"}


@pytest.mark.parametrize(
    ("tools", "server"),
    [
        ({}, None),
        ({"servers": {"a": {"url": URL, "allow": ["*_task", "*"]}}}, None),
        ({"servers": {"a": {"url": URL, "allow": ["list_tasks"]}}}, "a"),
        ({"servers": {"a": {"url": URL, "allow": ["*"], "read": ["list_tasks"]}}}, "a"),
        ({"servers": {"a": {"url": URL}}, "tools": [NAMED]}, "a"),
        ({"servers": {"a": {"url": URL, "allow": ["list_tasks"]}}, "tasks": "builtin"}, None),
        ({"servers": {"a": {"url": URL}}, "tasks": "a"}, "a"),
    ],
)
def test_settings_that_name_one_of_the_tools_name_the_task_server(
    tmp_path: Path, tools: Mapping[str, Any], server: str | None
) -> None:
    assert config(tmp_path, tools).task_server == server


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (
            {"servers": {"a": {"url": URL}}, "tasks": "b"},
            "tasks: 'b' is no server; it takes builtin, or one of those that are configured: a",
        ),
        (
            {"servers": {"a": {"url": URL}}, "tools": [NAMED], "tasks": "builtin"},
            "tasks: is builtin, but the tool create_task is of a",
        ),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start(
    tmp_path: Path, tools: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        config(tmp_path, tools)
