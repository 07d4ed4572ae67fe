import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.provider import Provider
from gateway.errors import BadAnswer, InvalidRequest, NotFound, OutcomeUnknown, Unavailable
from gateway.tools.downstream import WARNING, Exposure, ServiceTools
from gateway.tools.tool import Effect
from gateway.tools.toolbox import Toolbox
from tests.stand_ins.provider import (
    StandInProvider,
    answers,
    answers_raw,
    echoes,
    fails,
    until_listed,
)

SCHEMA = {
    "type": "object",
    "properties": {"symbol": {"type": "string"}},
    "required": ["symbol"],
    "additionalProperties": False,
}
EXPOSED = Exposure(read=("binance.get_*",), destructive=("binance.place_order",))


@pytest.fixture
async def service() -> AsyncIterator[StandInProvider]:
    stand_in = StandInProvider()
    stand_in.offer("binance.get_ticker", echoes(), description="A price.", input_schema=SCHEMA)
    stand_in.offer("binance.get_klines", answers([[1]]), description="Candles.", tags=["simulated"])
    stand_in.offer("binance.place_order", echoes(), tags=["destructive"])
    stand_in.offer("binance.get_rid_of_it", echoes(), tags=["destructive"])
    stand_in.offer("other.delete", echoes())
    async with stand_in:
        yield stand_in


@asynccontextmanager
async def connected(service: StandInProvider) -> AsyncIterator[Provider]:
    backoff = Backoff(first_seconds=0.01, most_seconds=0.05)
    async with Provider("market", service.address, backoff=backoff) as opened:
        await until_listed(opened)
        yield opened


@pytest.fixture
async def provider(service: StandInProvider) -> AsyncIterator[Provider]:
    async with connected(service) as opened:
        yield opened


@asynccontextmanager
async def offering(name: str, behaviour: Any, **fields: Any) -> AsyncIterator[Toolbox]:
    """The tools of a service that has one, all of which may be shown."""
    service = StandInProvider()
    service.offer(name, behaviour, **fields)
    async with service, connected(service) as provider:
        exposure = Exposure(read=("*",), destructive=("*.place_*",))
        yield Toolbox([ServiceTools(provider, exposure).tools])


async def test_only_what_is_exposed_is_shown_under_names_that_work_everywhere(
    provider: Provider,
) -> None:
    tools = await ServiceTools(provider, EXPOSED).tools()
    assert [(tool.name, tool.effect) for tool in tools] == [
        ("binance_get_klines", Effect.READ),
        ("binance_get_ticker", Effect.READ),
        ("binance_place_order", Effect.DESTROY),
    ]
    assert await ServiceTools(provider, Exposure()).tools() == []


async def test_a_call_reaches_the_service_under_the_name_that_it_listed(
    provider: Provider, service: StandInProvider
) -> None:
    toolbox = Toolbox([ServiceTools(provider, EXPOSED).tools])
    answer = await toolbox.call("binance_get_ticker", {"symbol": "BTCUSDT"})
    assert answer.content == {"source": "market", "symbol": "BTCUSDT"}
    assert service.calls[-1].name == "binance.get_ticker"


async def test_a_list_is_answered_under_result_and_labelled(provider: Provider) -> None:
    toolbox = Toolbox([ServiceTools(provider, EXPOSED).tools])
    content = (await toolbox.call("binance_get_klines", {})).content
    assert content["result"] == [[1]]
    assert (content["source"], content["simulated"]) == ("simulated exchange", True)


async def test_arguments_that_do_not_fit_never_reach_the_service(
    provider: Provider, service: StandInProvider
) -> None:
    toolbox = Toolbox([ServiceTools(provider, EXPOSED).tools])
    with pytest.raises(InvalidRequest, match="symbol"):
        await toolbox.call("binance_get_ticker", {})
    with pytest.raises(NotFound, match="there are: binance_get_klines"):
        await toolbox.call("other_delete", {})
    assert service.calls == []


async def test_the_tools_follow_the_service_while_it_runs(
    provider: Provider, service: StandInProvider
) -> None:
    source = ServiceTools(provider, EXPOSED)
    assert len(await source.tools()) == 3
    changed = asyncio.Event()
    provider.on_change = changed.set
    service.offer("binance.get_avg_price", echoes())
    await service.stop()
    await service.start()
    async with asyncio.timeout(5):
        await changed.wait()
    assert "binance_get_avg_price" in [tool.name for tool in await source.tools()]


async def test_the_tools_stay_listed_while_the_service_is_down_and_say_so(
    provider: Provider, service: StandInProvider
) -> None:
    toolbox = Toolbox([ServiceTools(provider, EXPOSED).tools])
    await toolbox.tools()
    await service.stop()
    with pytest.raises(Unavailable, match="unavailable"):
        await toolbox.call("binance_get_ticker", {"symbol": "BTCUSDT"})
    assert len(await toolbox.tools()) == 3


async def test_of_two_tools_with_one_portable_name_the_first_is_shown(
    service: StandInProvider, caplog: pytest.LogCaptureFixture
) -> None:
    service.offer("binance.get.ticker", answers({"says": "the second"}), description="Another.")
    async with connected(service) as provider:
        toolbox = Toolbox([ServiceTools(provider, EXPOSED).tools])
        exposed = Exposure(read=("*",))
        for tools in (ServiceTools(provider, exposed), ServiceTools(provider, EXPOSED)):
            named = [tool for tool in await tools.tools() if tool.name == "binance_get_ticker"]
            assert [tool.description for tool in named] == ["A price."]
        answer = await toolbox.call("binance_get_ticker", {"symbol": "BTCUSDT"})
    assert "says" not in answer.content
    left_out = "left out tool='binance.get.ticker': an earlier tool is called binance_get_ticker"
    assert left_out in caplog.text


async def test_however_much_a_service_says_the_warning_is_read() -> None:
    async with offering("shop.place_order", echoes(), description="Safe. " * 1000) as toolbox:
        (tool,) = await toolbox.tools()
    assert len(tool.description) == 1_024
    assert tool.description.startswith("Safe. ")
    assert tool.description.endswith(WARNING)


async def test_what_a_service_says_reaches_a_model_without_hidden_characters() -> None:
    hidden = "\u202e\u200b\U000e0041\x1b"
    schema = {
        "type": "object",
        "properties": {"symbol": {"type": "string", "description": f"A{hidden} symbol."}},
    }
    answer = {f"na{hidden}me": [f"Bit{hidden}coin\n", {"deep": hidden}], "price": 1.5}
    service = offering(
        "shop.get", answers(answer), description=f"A pri{hidden}ce.", input_schema=schema
    )
    async with service as toolbox:
        (tool,) = await toolbox.tools()
        content = (await toolbox.call("shop_get", {})).content
    assert tool.description == "A price."
    assert tool.input_schema["properties"]["symbol"]["description"] == "A symbol."
    assert content == {
        "source": "market",
        "name": ["Bitcoin\n", {"deep": ""}],
        "price": 1.5,
    }


@pytest.mark.parametrize("answer", [[1], {"price": "1"}])
async def test_no_output_schema_is_promised_that_an_answer_with_labels_would_break(
    answer: object,
) -> None:
    strict = {"type": "object", "properties": {}, "additionalProperties": False}
    async with offering("shop.get", answers(answer), output_schema=strict) as toolbox:
        (tool,) = await toolbox.tools()
        assert (await toolbox.call("shop_get", {})).content["source"] == "market"
    assert tool.output_schema is None


@pytest.mark.parametrize("name", ["simulated", "simu\u200blated"])
async def test_a_simulated_tool_is_labelled_so_whatever_its_answer_claims(name: str) -> None:
    claims = answers({name: False, "source": "the real exchange", "price": "1"})
    async with offering("shop.get", claims, tags=["simulated"]) as toolbox:
        content = (await toolbox.call("shop_get", {})).content
    assert content == {"source": "simulated exchange", "simulated": True, "price": "1"}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "string"}, "its input schema is not that of an object"),
        ({"required": None}, "input_schema.required cannot be null"),
        ({"properties": {"n": {"maximum": None}}}, "input_schema.n.maximum cannot be null"),
        ({"typ\u200be": "string"}, "its input schema is not that of an object"),
        ({"anyOf": None, "x": [[[]]], "items": 5}, "input_schema[] is no schema"),
    ],
)
async def test_a_tool_whose_schema_cannot_be_read_is_left_out_with_the_reason(
    service: StandInProvider, caplog: pytest.LogCaptureFixture, schema: object, why: str
) -> None:
    service.offer("binance.get_odd", echoes(), input_schema=schema)
    async with connected(service) as provider:
        tools = ServiceTools(provider, EXPOSED)
        assert "binance_get_odd" not in [tool.name for tool in await tools.tools()]
        assert await tools.tools() is await tools.tools()
    assert caplog.text.count(f"left out tool='binance.get_odd': {why}") == 1


async def test_a_schema_or_an_answer_nested_too_deeply_costs_only_itself(
    service: StandInProvider,
) -> None:
    deep, too_deep = (b"[" * levels + b"]" * levels for levels in (64, 65))
    service.offer("binance.get_as_deep_as_may_be", answers_raw(deep))
    service.offer("binance.get_deep", answers_raw(too_deep))
    service.offer("binance.place_order", answers_raw(too_deep))
    schema: dict[str, Any] = {}
    for _ in range(64):
        schema = {"not": schema}
    service.offer("binance.get_maze", echoes(), input_schema=schema)
    async with connected(service) as provider:
        toolbox = Toolbox([ServiceTools(provider, EXPOSED).tools])
        assert "binance_get_maze" not in [tool.name for tool in await toolbox.tools()]
        assert "result" in (await toolbox.call("binance_get_as_deep_as_may_be", {})).content
        with pytest.raises(BadAnswer, match="it is nested more than 64 levels deep"):
            await toolbox.call("binance_get_deep", {})
        with pytest.raises(OutcomeUnknown, match="it is nested more than 64 levels deep"):
            await toolbox.call("binance_place_order", {})


async def test_a_schema_that_states_no_type_is_listed_as_that_of_an_object() -> None:
    schema = {"properties": {"symbol": True, "n": {"type": "money"}}, "required": ["symbol"]}
    async with offering("shop.get", echoes(), input_schema=schema) as toolbox:
        (tool,) = await toolbox.tools()
        assert tool.input_schema == {"type": "object", **schema}
        answer = await toolbox.call("shop_get", {"symbol": [1], "n": "any"})
    assert answer.content == {"source": "market", "symbol": [1], "n": "any"}


async def test_a_tool_that_changes_something_is_called_as_a_write() -> None:
    crash = fails(grpc.StatusCode.UNKNOWN, "a crash")
    async with offering("shop.place_order", crash) as toolbox:
        with pytest.raises(OutcomeUnknown, match="look it up before trying again"):
            await toolbox.call("shop_place_order", {})
