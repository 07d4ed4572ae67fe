import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.provider import Provider
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.tools.downstream import Exposure, ServiceTools
from gateway.tools.tool import Effect
from gateway.tools.toolbox import Toolbox
from tests.stand_ins.provider import StandInProvider, answers, echoes

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


@pytest.fixture
async def provider(service: StandInProvider) -> AsyncIterator[Provider]:
    backoff = Backoff(first_seconds=0.01, most_seconds=0.05)
    async with Provider("market", service.address, backoff=backoff) as opened:
        assert await opened.listed(within_seconds=5)
        yield opened


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
