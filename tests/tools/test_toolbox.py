"""Tools of several sources in one box: who comes first keeps the name."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from gateway import caller
from gateway.caller import Caller
from gateway.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    Unavailable,
)
from gateway.tools.tool import Answer, Arguments, Effect, Tool
from gateway.tools.toolbox import Toolbox

NONE = {"type": "object", "properties": {}, "additionalProperties": False}


def source(says: str, *names: str) -> Callable[[], Awaitable[Sequence[Tool]]]:
    async def call(_: Arguments) -> Answer:
        return Answer({"says": says})

    async def tools() -> Sequence[Tool]:
        return [Tool(name, name.title(), f"{says}'s {name}", NONE, call) for name in names]

    return tools


async def test_no_later_source_takes_the_place_of_an_earlier_tool(
    caplog: pytest.LogCaptureFixture,
) -> None:
    toolbox = Toolbox([source("gateway", "search", "fetch"), source("service", "search", "trade")])
    for _ in range(3):
        assert [tool.description for tool in await toolbox.tools()] == [
            "gateway's search",
            "gateway's fetch",
            "service's trade",
        ]
        assert (await toolbox.call("search", {})).content == {"says": "gateway"}
    assert (await toolbox.call("trade", {})).content == {"says": "service"}
    assert [record.getMessage() for record in caplog.records] == [
        "left out tool=search: an earlier tool has that name"
    ]


async def test_of_one_source_too_the_first_tool_keeps_the_name() -> None:
    toolbox = Toolbox([source("one", "search", "search")])
    assert len(await toolbox.tools()) == 1


async def test_a_name_that_nothing_has_is_answered_with_those_there_are() -> None:
    toolbox = Toolbox([source("gateway", "search", "fetch")])
    with pytest.raises(NotFound, match=r"no tool is named 'serch'; there are: search, fetch"):
        await toolbox.call("serch", {})


async def test_arguments_that_do_not_fit_are_refused_before_the_tool_is_called() -> None:
    toolbox = Toolbox([source("gateway", "search")])
    with pytest.raises(InvalidRequest, match="search: count is not one of its arguments"):
        await toolbox.call("search", {"count": 1})


async def test_a_tool_of_a_service_that_was_never_reached_is_unavailable_not_unknown() -> None:
    async def nothing() -> Sequence[Tool]:
        return ()

    missing = ["market"]
    toolbox = Toolbox([nothing], missing=lambda: missing)
    with pytest.raises(Unavailable, match="market has not been reached"):
        await toolbox.call("binance_get_ticker", {})
    missing.clear()
    with pytest.raises(NotFound, match="no tool is named"):
        await toolbox.call("binance_get_ticker", {})


async def test_a_caller_sees_and_calls_only_the_tools_that_its_key_allows() -> None:
    toolbox = Toolbox([source("gateway", "search", "fetch"), source("service", "trade_buy")])
    caller.begin(Caller("alice", tools=("search", "trade_*")))
    assert [tool.name for tool in await toolbox.tools()] == ["search", "trade_buy"]
    assert (await toolbox.call("trade_buy", {})).content == {"says": "service"}
    with pytest.raises(PermissionDenied) as refusal:
        await toolbox.call("fetch", {})
    assert str(refusal.value) == (
        "the key of 'alice' may not use fetch; there are: search, trade_buy"
    )
    with pytest.raises(NotFound, match=r"there are: search, trade_buy$"):
        await toolbox.call("serch", {})


async def test_a_tool_that_a_caller_may_not_use_still_keeps_its_name() -> None:
    toolbox = Toolbox([source("gateway", "search"), source("service", "search")])
    caller.begin(Caller("bob", tools=("trade_*",)))
    assert not await toolbox.tools()
    with pytest.raises(PermissionDenied):
        await toolbox.call("search", {})


@pytest.mark.parametrize(
    ("effect", "error", "why"),
    [
        (Effect.READ, DeadlineExceeded, "try again"),
        (Effect.WRITE, OutcomeUnknown, "look it up before trying again"),
        (Effect.DESTROY, OutcomeUnknown, "look it up before trying again"),
    ],
)
async def test_a_write_that_takes_too_long_is_never_said_to_be_undone(
    effect: Effect, error: type[Exception], why: str
) -> None:
    async def hang(_: Arguments) -> Answer:
        never: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        return await never

    async def tools() -> Sequence[Tool]:
        return [Tool("pay", "Pay", "Pays.", NONE, hang, effect)]

    with pytest.raises(error, match=why):
        await Toolbox([tools], deadline_seconds=0.01).call("pay", {})
