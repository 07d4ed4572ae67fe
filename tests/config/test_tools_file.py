"""`tools.yaml`: what it takes, what it becomes, and how it refuses what is wrong."""

from pathlib import Path

import pytest

from gateway.config.tools_file import INHERITED, RemoteServer, ToolsFile, read_tools
from gateway.downstream.mcp.child import Command
from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.transports import SseEndpoint
from gateway.errors import ConfigurationError
from gateway.tools.remote_mcp import NamedTool, RemoteExposure
from gateway.tools.tool import Effect
from tests.config.written import written

EXAMPLE = Path(__file__).parents[2] / "infra" / "config" / "tools.yaml"
FIRST = "# servers:"
LAST = "#     effect: write"


def loaded(folder: Path, text: str, **environment: str) -> ToolsFile:
    return read_tools(written(folder, text, "tools.yaml"), environment)


def servers(folder: Path, text: str, **environment: str) -> dict[str, RemoteServer]:
    tools = loaded(folder, text, **environment)
    return {one.name: one for one in tools.servers(environment, folder=folder)}


def uncommented(first: str, last: str) -> str:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    begin = lines.index(first)
    end = len(lines) - lines[::-1].index(last)
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[begin:end])


def test_the_shipped_example_loads_and_names_nothing() -> None:
    assert read_tools(EXAMPLE, {}) == ToolsFile()


def test_its_commented_block_loads_and_maps_the_named_servers(tmp_path: Path) -> None:
    found = servers(tmp_path, uncommented(FIRST, LAST), PATH="/bin", NANOGPT_API_KEY="secret")
    assert {name: (one.way.address, len(one.exposure.named)) for name, one in found.items()} == {
        "task-orchestrator": ("stdio:node", 2),
        "search-aggregator": ("http://127.0.0.1:8010/mcp", 2),
        "context-persistence": ("http://127.0.0.1:8011/sse", 2),
        "agent-swarm": ("stdio:uvx", 1),
        "chart-generator": ("stdio:npx", 1),
        "atlassian": ("http://127.0.0.1:8012/mcp", 1),
    }
    tasks = found["task-orchestrator"].way
    assert isinstance(tasks, Command)
    assert tasks.environment == {"PATH": "/bin", "NODE_ENV": "production"}
    create_task = found["task-orchestrator"].exposure.named[0]
    assert create_task.effect is Effect.WRITE
    assert create_task.parameters
    assert create_task.parameters["required"] == ["title"]


def test_its_plain_list_loads_too(tmp_path: Path) -> None:
    first, last = "# - name: create_task", "#   mcp_server: task-orchestrator"
    found = servers(tmp_path, uncommented(first, last))
    assert [tool.name for tool in found["task-orchestrator"].exposure.named] == [
        "create_task", "list_tasks"
    ]  # fmt: skip


def test_a_command_inherits_only_what_is_listed_and_hides_what_it_is_given(tmp_path: Path) -> None:
    text = """
servers:
  a: {command: node, args: [s.js], cwd: app, env: {KEY: "k-${MINE}"}, inherit_env: [PATH, NOT_SET]}
  b: {command: [node, s.js]}
"""
    environment = {"PATH": "/bin", "HOME": "/home/x", "MINE": "s3cret", "OPENAI_API_KEY": "o"}
    found = servers(tmp_path, text, **environment)
    way = found["a"].way
    assert way == Command(("node", "s.js"), {"PATH": "/bin", "KEY": "k-s3cret"}, tmp_path / "app")
    assert found["b"].way == Command(("node", "s.js"), {"PATH": "/bin", "HOME": "/home/x"})
    assert "s3cret" not in repr(way) + repr(loaded(tmp_path, text, **environment))
    assert not {"OPENAI_API_KEY", "PYTHONPATH", "LD_PRELOAD"} & set(INHERITED)


def test_a_url_says_its_transport_by_its_end_unless_it_is_stated(tmp_path: Path) -> None:
    text = """
servers:
  a: {url: "http://127.0.0.1:1/mcp", headers: {authorization: "Bearer ${TOKEN}"}}
  b: {url: "http://127.0.0.1:1/sse/"}
  c: {url: "http://127.0.0.1:1/sse", transport: http}
  d: {url: "http://127.0.0.1:1/mcp", transport: sse}
"""
    found = servers(tmp_path, text, TOKEN="s3cret")
    assert found["a"].way == Endpoint("http://127.0.0.1:1/mcp", {"authorization": "Bearer s3cret"})
    assert "s3cret" not in repr(found)
    assert [isinstance(found[name].way, SseEndpoint) for name in "abcd"] == [
        False, True, False, True
    ]  # fmt: skip


def test_patterns_and_tools_become_an_exposure(tmp_path: Path) -> None:
    text = """
servers:
  a:
    url: http://127.0.0.1:1/mcp
    allow: ["search", "deep_*"]
    deny: [deep_secret]
    read: ["search*"]
    destructive: ["delete_*"]
    trust_hints: true
    deadline_seconds: 5
    max_concurrent: 2
tools:
  - {name: create_task, mcp_server: a, mcp_tool: make, description: Make., effect: destructive}
"""
    assert servers(tmp_path, text)["a"] == RemoteServer(
        name="a",
        way=Endpoint("http://127.0.0.1:1/mcp"),
        exposure=RemoteExposure(
            named=(NamedTool("create_task", "make", "Make.", Effect.DESTROY),),
            allow=("search", "deep_*"),
            deny=("deep_secret",),
            read=("search*",),
            destructive=("delete_*",),
            trusts_hints=True,
            deadline_seconds=5,
        ),
        max_concurrent=2,
    )
    assert loaded(tmp_path, text).tool_names == ("create_task",)


URL = "url: 'http://127.0.0.1:1/mcp'"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: {}", r"tools.yaml: server: unknown key; it takes servers, tools, tasks"),
        ("servers: {a: {}}", r"servers.a: takes either a command or a url"),
        (f"servers: {{a: {{command: x, {URL}}}}}", r"takes either a command or a url"),
        (f"servers: {{a: {{{URL}, cwd: x, args: []}}}}", r"args, cwd: makes no sense with a url"),
        ("servers: {a: {command: x, headers: {}}}", r"headers: makes no sense with a command"),
        ("servers: {a: {url: 'ftp://x'}}", r"servers.a.url: takes a URL"),
        ("servers: {a: {command: x, inherit: []}}", r"servers.a.inherit: unknown key; it takes c"),
        ("servers: {A: {command: x}}", r"servers.A"),
        ("servers: {a: {command: x, env: {K: '${NONE}'}}}", r"env.K: the environment has no NONE"),
        ("servers: {a: {command: x, env: {K: 'a ${NONE}'}}}", r"env.K: the environment has no NO"),
        ("tools: [{name: Create-Task, mcp_server: a}]", r"tools\[0\].name: takes a-z, 0-9 and _"),
        ("tools: [{name: t, mcp_server: a}]", r"server a, which nothing says how to reach"),
        ("- {name: t, mcp_server: a}", r"server a, which nothing says how to reach; there are: no"),
        ("- {name: t}", r"tools\[0\].mcp_server: is missing"),
        (
            "- {name: t, mcp_server: a, server: {command: x}}\n" * 2,
            r"two are called t",
        ),
        (
            "- {name: t, mcp_server: a, server: {command: x}}\n"
            "- {name: u, mcp_server: a, server: {command: x}}",
            r"it is said twice how to reach a",
        ),
        (
            "- {name: t, mcp_server: a, server: {command: x}, parameters: {type: string}}",
            r"parameters: its input schema is not that of an object",
        ),
        (
            "- {name: t, mcp_server: a, server: {command: x}, effect: destroy}",
            r"effect.*'read', 'write' or 'destructive'",
        ),
        ("- [", r"tools.yaml: is not YAML from line"),
        ("text", r"takes keys and values"),
    ],
)
def test_what_is_wrong_stops_the_start_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        loaded(tmp_path, text)


def test_no_message_shows_what_a_variable_holds(tmp_path: Path) -> None:
    for text in (
        "servers: {a: {url: '${KEY}'}}",
        "servers: {a: {command: x, max_concurrent: '${KEY}'}}",
        "servers: {a: {command: x, transport: 'x ${KEY}'}}",
        f'servers: {{a: {{{URL}, headers: {{authorization: "Bearer ${{KEY}}\\n"}}}}}}',
    ):
        with pytest.raises(ConfigurationError) as raised:
            loaded(tmp_path, text, KEY="s3cret")
        assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong", ["env: {PASSWD: 987654321}", "args: [--pin, 987654321]", "headers: {X-A: 987654321}"]
)
def test_a_secret_that_is_a_number_is_not_shown_when_it_is_refused(
    tmp_path: Path, wrong: str
) -> None:
    way = "url: https://a.example/mcp" if "headers" in wrong else "command: python"
    with pytest.raises(ConfigurationError, match=wrong.partition(":")[0]) as refused:
        loaded(tmp_path, f"servers:\n  a:\n    {way}\n    {wrong}\n")
    assert "987654321" not in str(refused.value)


def test_arguments_of_a_command_are_in_no_repr(tmp_path: Path) -> None:
    text = "servers:\n  a:\n    command: python\n    args: [--token=s3cret]\n"
    assert "s3cret" not in repr(loaded(tmp_path, text)) + repr(servers(tmp_path, text))
