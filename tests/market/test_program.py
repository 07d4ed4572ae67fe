import asyncio
import os
import signal
import socket

import grpc
import httpx
import pytest

from gateway.clock import now
from gateway.errors import ConfigurationError
from gateway.market.program import MarketProgram, run, serve_simulated_exchange
from gateway.market.settings import MarketSettings
from tests.market.provider_client import ProviderClient, provider


async def test_a_signal_ends_the_program() -> None:
    port = free_port()
    running = asyncio.create_task(run(MarketSettings(port=port)))
    async with asyncio.timeout(10), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        assert len(await ProviderClient(channel).names()) == 14
        os.kill(os.getpid(), signal.SIGTERM)
        await running


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1:5"), ("::1", "[::1]:5"), ("[::1]", "[::1]:5")],
)
def test_an_address_is_told_as_clients_take_it(host: str, address: str) -> None:
    assert MarketProgram(MarketSettings(host=host, port=5)).address == address


async def test_a_cancellation_ends_the_program_and_frees_its_port() -> None:
    port = free_port()
    running = asyncio.create_task(run(MarketSettings(port=port)))
    async with asyncio.timeout(10):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with MarketProgram(MarketSettings(port=port)) as again:
            assert again.address == f"127.0.0.1:{port}"


async def test_where_loops_take_no_signal_handlers_it_runs_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("sys.platform", "win32")
    port = free_port()
    running = asyncio.create_task(run(MarketSettings(port=port)))
    async with asyncio.timeout(10):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
        assert signal.getsignal(signal.SIGTERM) is before
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_the_simulated_exchange_can_be_served_for_others_to_ask() -> None:
    port = free_port()
    serving = asyncio.create_task(serve_simulated_exchange("127.0.0.1", port))
    url = f"http://127.0.0.1:{port}"
    try:
        await _answers(url)
        async with provider(now, exchange="simulated", exchange_url=url) as client:
            answer = await client.invoke("binance.get_ticker", symbol="BTCUSDT")
    finally:
        serving.cancel()
        await asyncio.wait([serving])
    assert answer["simulated"] is True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_a_taken_port_stops_the_start_of_the_exchange() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            await serve_simulated_exchange("127.0.0.1", port)


async def _answers(url: str) -> None:
    async with asyncio.timeout(10), httpx.AsyncClient() as client:
        while True:
            try:
                await client.get(f"{url}/api/v3/ping")
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
            else:
                return
