"""The tools of other MCP servers as tools of ours."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from fastmcp import FastMCP
from mcp_types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from gateway.downstream.backoff import Backoff
from gateway.downstream.mcp.child import Command
from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.messages import ListedTool
from gateway.downstream.mcp.server import McpServer
from gateway.errors import InvalidRequest, ToolFailed
from gateway.tools import progress
from gateway.tools.downstream import WARNING
from gateway.tools.mcp_items import shown_items
from gateway.tools.remote_mcp import NamedTool, RemoteExposure, RemoteTools
from gateway.tools.tool import Effect, Tool
from gateway.tools.toolbox import Toolbox
from tests.stand_ins.http_server import serve
from tests.stand_ins.task_servers import PIXEL, Front, World, over_http, running, task_server

QUICK = Backoff(first_seconds=0.01, most_seconds=0.05)
ALL = RemoteExposure(allow=("*",))


@asynccontextmanager
async def connected(server: FastMCP, name: str = "tasks") -> AsyncIterator[McpServer]:
    async with over_http(server) as url, McpServer(name, Endpoint(url), backoff=QUICK) as opened:
        await opened.discovered(within_seconds=8)
        yield opened


async def shown(server: McpServer, exposure: RemoteExposure) -> Sequence[Tool]:
    return await RemoteTools(server, exposure).tools()


async def test_nothing_is_shown_that_is_not_named_or_allowed() -> None:
    async with connected(task_server()) as server:
        assert await shown(server, RemoteExposure()) == ()
        allowed = RemoteExposure(allow=("*_task*", "search"), deny=("delete_*",))
        names = [tool.name for tool in await shown(server, allowed)]
        assert names == ["create_task", "list_tasks", "search"]


async def test_a_tool_writes_unless_a_pattern_or_a_trusted_hint_says_otherwise() -> None:
    async with connected(task_server()) as server:
        allow = ("create_task", "delete_task", "list_tasks", "search")
        write, read, destroy = Effect.WRITE, Effect.READ, Effect.DESTROY

        async def effects(**settings: Any) -> list[Effect]:
            return [
                one.effect for one in await shown(server, RemoteExposure(allow=allow, **settings))
            ]

        assert await effects() == [write, destroy, write, write]
        assert await effects(read=("se*",)) == [write, destroy, write, read]
        assert await effects(trusts_hints=True) == [write, destroy, read, read]
        assert await effects(destructive=("create_*",)) == [destroy, destroy, write, write]
        tools = await shown(server, RemoteExposure(allow=("delete_task",)))
        assert tools[0].description == f"Delete a task for good.{WARNING}"


async def test_what_the_settings_say_of_a_tool_wins_over_the_server() -> None:
    parameters = {"type": "object", "properties": {"title": {"type": "string"}}}
    named = NamedTool("new_task", "create_task", "Make one.", Effect.DESTROY, parameters)
    async with connected(task_server()) as server:
        (tool,) = await shown(server, RemoteExposure(named=[named], deny=("*",)))
        assert (tool.name, tool.description) == ("new_task", f"Make one.{WARNING}")
        assert (tool.effect, tool.input_schema) == (Effect.DESTROY, parameters)
        assert (tool.origin, tool.deadline_seconds) == ("tasks", 32)
        answer = await tool.call({"title": "a"})
    assert answer.content == {"id": 1, "title": "a", "description": ""}
    assert answer.items is None


async def test_a_named_tool_that_the_server_does_not_have_is_left_out_once_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exposure = RemoteExposure(named=[NamedTool("fly", "fly", parameters={})])
    async with connected(task_server()) as server:
        tools = RemoteTools(server, exposure)
        assert await tools.tools() == ()
        assert await tools.tools() is await tools.tools()
    assert caplog.text.count("left out tool='fly': tasks has no fly") == 1


async def test_a_tool_that_is_stated_in_full_is_offered_before_its_server_was_reached() -> None:
    named = [NamedTool("create_task", "create_task", parameters={}), NamedTool("x", "x")]
    server = McpServer("tasks", Command(("never-run",)))
    (tool,) = await shown(server, RemoteExposure(named=named))
    assert (tool.name, tool.effect) == ("create_task", Effect.WRITE)


async def test_names_are_portable_and_unique_in_an_order_that_never_changes() -> None:
    first, second = FastMCP("first"), FastMCP("second")
    for server, names in (
        (first, ("search", "getJiraIssue")),
        (second, ("search", "Get.it", "ok")),
    ):
        for name in (*names, "a" * 70):
            server.tool(lambda: "x", name=name, description="x")
    async with connected(first, "one") as one, connected(second, "two-b") as two:
        earlier = RemoteTools(one, ALL, reserved={"ok"})
        later = RemoteTools(two, ALL, reserved={"ok"}, earlier=[earlier])
        listed = [tool.name for tool in (*await earlier.tools(), *await later.tools())]
        assert [name for name in listed if "aaa" not in name] == [
            "one_get_jira_issue", "search", "two_b_get_it", "two_b_ok", "two_b_search"
        ]  # fmt: skip
        assert all(len(name) <= 60 for name in listed)
        assert len(set(listed)) == len(listed)
        assert await later.tools() is await later.tools()


async def test_tools_stay_listed_while_their_server_is_down_and_follow_it_when_it_is_back() -> None:
    front = Front()
    other = FastMCP("other")
    other.tool(lambda: "hi", name="greet", description="Greet.")
    async with (
        running(task_server()) as app,
        running(other) as changed,
        serve(front, grace_seconds=0) as url,
    ):
        front.app, nobody = app, front.app
        async with McpServer("tasks", Endpoint(f"{url}/mcp"), backoff=QUICK) as server:
            await server.discovered(within_seconds=8)
            tools = RemoteTools(server, RemoteExposure(allow=("*",), read=("search",)))
            known = await tools.tools()
            front.app = nobody
            search = next(tool for tool in known if tool.name == "search")
            with pytest.raises(Exception, match="tasks is unavailable"):
                await search.call({"query": "a"})
            assert await tools.tools() is known
            front.app = changed
            async with asyncio.timeout(5):
                while await tools.tools() is known:  # noqa: ASYNC110 - only the list tells
                    await asyncio.sleep(0.01)
            assert [tool.name for tool in await tools.tools()] == ["greet"]


async def test_a_picture_is_passed_on_and_said_in_words() -> None:
    async with connected(task_server()) as server:
        toolbox = Toolbox([RemoteTools(server, ALL).tools])
        answer = await toolbox.call("create_bar_chart", {"values": [1, 2]})
    assert answer.content == {"result": "2 bars\n[image/gif, 14 bytes]"}
    assert answer.items
    assert answer.items[1] == {"type": "image", "data": PIXEL, "mimeType": "image/gif"}


async def test_every_kind_of_item_is_passed_on_clean() -> None:
    server, hidden = FastMCP("items"), "\u202e\u200b"

    @server.tool(output_schema=None)
    def everything() -> list[Any]:
        resource = TextResourceContents(uri="file:///a", text=f"te{hidden}xt")
        return [
            TextContent(type="text", text=f"he{hidden}llo"),
            AudioContent(type="audio", data="AAAA" * 4_000, mime_type="audio/wav"),
            ResourceLink(type="resource_link", uri="https://a.example/x", name=f"na{hidden}me"),
            EmbeddedResource(type="resource", resource=resource),
            ImageContent(type="image", data="AAA=", mime_type=f"image/p{hidden}ng"),
        ]

    async with connected(server) as opened:
        (tool,) = await shown(opened, ALL)
        answer = await tool.call({})
    assert answer.items
    assert [item["type"] for item in answer.items] == [
        "text", "audio", "resource_link", "resource", "image"
    ]  # fmt: skip
    assert answer.items[2]["name"] == "name"
    assert answer.content["result"].splitlines() == [
        "hello",
        "[audio/wav, 12 kB]",
        "[a link: https://a.example/x]",
        "text",
        "[image/png, 2 bytes]",
    ]


async def test_what_a_server_says_of_its_tools_reaches_a_model_clean_and_short() -> None:
    server, hidden = FastMCP("items"), "\u202e\u200b\x1b"
    words = f"Sa{hidden}fe. " * 1_000

    @server.tool(description=words, annotations={"destructiveHint": True})
    def act(symbol: str) -> dict[str, Any]:
        return {f"na{hidden}me": [hidden, {"deep": f"x{hidden}"}]}

    async with connected(server) as opened:
        (tool,) = await shown(opened, ALL)
        answer = await tool.call({"symbol": "a"})
    assert tool.description.startswith("Safe. Safe.")
    assert tool.description.endswith(WARNING)
    assert len(tool.description) == 1_024
    assert answer.content == {"name": ["", {"deep": "x"}]}


async def test_a_call_goes_through_the_toolbox_with_its_checks_failures_and_progress() -> None:
    world, told = World(), []

    async def report(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with connected(task_server(world)) as server:
        toolbox = Toolbox([RemoteTools(server, ALL).tools])
        with pytest.raises(InvalidRequest, match="create_task: title is missing"):
            await toolbox.call("create_task", {})
        assert world.calls == []
        with pytest.raises(ToolFailed, match="out of paper"):
            await toolbox.call("fail", {"why": "out of paper"})
        progress.begin(report)
        answer = await toolbox.call("deep_research", {"question": "why", "steps": 2})
    assert answer.content == {"result": "What is known of why."}
    assert told[-1] == (2, 2, "step 2 of 2")


async def test_many_servers_are_one_toolbox_and_their_calls_run_at_once() -> None:
    worlds = [World() for _ in range(3)]
    async with AsyncExitStack() as stack:
        sources: list[RemoteTools] = []
        for number, world in enumerate(worlds):
            opened = await stack.enter_async_context(connected(task_server(world), f"s{number}"))
            exposure = RemoteExposure(named=[NamedTool(f"wait{number}", "wait")])
            sources.append(RemoteTools(opened, exposure))
        toolbox = Toolbox([source.tools for source in sources])
        calls = [asyncio.create_task(toolbox.call(f"wait{n}", {})) for n in range(3)]
        async with asyncio.timeout(5):
            for world in worlds:
                await world.waiting.wait()
        for world in worlds:
            world.may_go_on.set()
        assert [(await call).content for call in calls] == [{"result": "went on"}] * 3


async def test_a_name_that_a_server_gave_up_is_nobody_elses() -> None:
    first, second = FastMCP("first"), FastMCP("second")
    for server in (first, second):
        server.tool(lambda: "x", name="pay", description="x")
    front = Front()
    async with (
        running(first) as app,
        serve(front, grace_seconds=0) as url,
        connected(second, "two") as two,
    ):
        front.app = app
        async with McpServer("one", Endpoint(f"{url}/mcp"), backoff=QUICK) as one:
            await one.discovered(within_seconds=8)
            earlier = RemoteTools(one, ALL)
            later = RemoteTools(two, ALL, earlier=[earlier])
            assert [tool.name for tool in await earlier.tools()] == ["pay"]
            assert [tool.name for tool in await later.tools()] == ["two_pay"]
            # As after another release of the first, which has no tools.
            one.tools, one.revision = (), object()
            assert await earlier.tools() == ()
            assert [tool.name for tool in await later.tools()] == ["two_pay"]


def of_server(*tools: ListedTool) -> McpServer:
    """Known without being asked."""
    server = McpServer("odd", Endpoint("http://127.0.0.1:1/mcp"))
    server.tools = tools
    return server


def listed(schema: dict[str, Any], name: str = "odd") -> ListedTool:
    return ListedTool(name, "", "", schema, is_read_only=None, is_destructive=None)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "https://elsewhere.example/schema.json"}, "leads out of it"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "leads out of it"),
        ({"properties": {"a": {"$ref": "#/$defs/absent"}}}, "leads nowhere"),
        ({"properties": {"a": {"anyOf": [{"$ref": "#/properties/a/anyOf/0"}]}}}, "leads to itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "leads to itself"),
    ],
)
async def test_a_tool_whose_schema_leads_elsewhere_is_left_out(
    schema: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await shown(of_server(listed(schema)), ALL) == ()
    assert why in caplog.text


async def test_a_schema_that_holds_itself_is_shown() -> None:
    tree = {
        "properties": {"root": {"$ref": "#/$defs/a~1node"}},
        "$defs": {"a/node": {"properties": {"next": {"$ref": "#/$defs/a~1node"}}}},
    }
    (tool,) = await shown(of_server(listed(tree)), ALL)
    assert tool.input_schema == {"type": "object", **tree}


async def test_a_server_that_always_has_other_tools_fills_no_log_and_no_memory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = of_server()
    tools = RemoteTools(server, ALL)
    for number in range(1_200):
        bad = {"$ref": f"https://elsewhere.example/{number}"}
        server.tools, server.revision = (listed(bad, f"t{number}"),), object()
        assert await tools.tools() == ()
    assert len(caplog.messages) == 1_000


@pytest.mark.parametrize(
    "item",
    [
        {"type": "image", "data": "\x1b[2J", "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "file:///a", "blob": "\u202eAAAA"}},
    ],
)
def test_what_is_said_to_be_base64_and_is_none_is_not_passed_on(item: dict[str, Any]) -> None:
    (cleaned,) = shown_items([item])
    assert cleaned == {
        "type": "text",
        "text": f"[an item of the kind {item['type']} is left out]",
    }
