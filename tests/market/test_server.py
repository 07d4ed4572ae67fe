import asyncio
import json
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.clock import now
from gateway.errors import ConfigurationError
from gateway.market.program import MarketProgram
from gateway.market.settings import MarketSettings
from gateway.market.simulated.app import simulated_exchange
from gateway.protobuf import provider_protocol
from tests.market.interposed import Interposed
from tests.market.moments import StoppedClock
from tests.market.provider_client import provider
from tests.stand_ins.http_server import serve

KEYS: dict[str, Any] = {"api_key": "a-key", "api_secret": "a-secret"}
TICKER = "GET /api/v3/ticker/24hr"
DEPTH = "GET /api/v3/depth"

FAILURES = [
    (400, -1121, grpc.StatusCode.NOT_FOUND),
    (400, -1100, grpc.StatusCode.INVALID_ARGUMENT),
    (400, -1013, grpc.StatusCode.INVALID_ARGUMENT),
    (400, -1220, grpc.StatusCode.FAILED_PRECONDITION),
    (429, -1003, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (418, -1003, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (400, -1015, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (503, -1008, grpc.StatusCode.UNAVAILABLE),
    (401, -2014, grpc.StatusCode.UNAUTHENTICATED),
    (401, -2015, grpc.StatusCode.PERMISSION_DENIED),
]
CROSSED = {
    "lastUpdateId": 1,
    "bids": [["101.0", "1"], ["100.0", "1"]],
    "asks": [["100.5", "1"], ["102.0", "1"]],
}
BOOK_TOOLS = [
    "binance.orderbook_l1",
    "binance.orderbook_l2",
    "binance.orderbook_health",
    "binance.detect_market_anomalies",
    "binance.get_microstructure_health",
    "binance.get_liquidity_vacuums",
]


def message(name: str) -> Any:
    return provider_protocol().message(f"provider.v1.{name}")


async def failure(between: Interposed, tool: str, **arguments: Any) -> grpc.aio.AioRpcError:
    async with (
        serve(between) as url,
        provider(exchange="binance", exchange_url=url, read_timeout_seconds=0.3, **KEYS) as client,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await client.invoke(tool, **arguments)
    return failed.value


def interposed() -> Interposed:
    return Interposed(simulated_exchange(now, **KEYS))


@pytest.mark.parametrize(("status", "code", "expected"), FAILURES)
async def test_what_the_exchange_refuses_has_its_own_status(
    status: int, code: int, expected: grpc.StatusCode
) -> None:
    between = interposed()
    between.refuse(TICKER, status, code, retry_after="7")
    failed = await failure(between, "binance.get_ticker", symbol="BTCUSDT")
    assert failed.code() is expected
    trailing = dict(failed.trailing_metadata() or ())
    if expected is grpc.StatusCode.RESOURCE_EXHAUSTED:
        assert trailing["grpc-retry-pushback-ms"] == "7000"


async def test_a_symbol_that_was_delisted_since_suggests_others() -> None:
    between = interposed()
    between.refuse(TICKER, 400, -1121)
    failed = await failure(between, "binance.get_ticker", symbol="BTCUSDT")
    assert "did you mean BTCUSDC" in str(failed.details())


async def book_failures(book: Response, *tools: str) -> list[grpc.aio.AioRpcError]:
    between = interposed()
    between.replace(DEPTH, book)
    failures = []
    async with (
        serve(between) as url,
        provider(exchange="binance", exchange_url=url) as client,
    ):
        for tool in tools:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await client.invoke(tool, symbol="BTCUSDT")
            failures.append(failed.value)
    return failures


@pytest.mark.parametrize(
    "book",
    [
        CROSSED,
        {**CROSSED, "asks": []},
        {**CROSSED, "bids": []},
        {**CROSSED, "bids": CROSSED["asks"], "asks": CROSSED["bids"]},
    ],
)
async def test_a_book_that_cannot_be_true_is_refused(book: dict[str, Any]) -> None:
    for failed in await book_failures(JSONResponse(book), *BOOK_TOOLS):
        assert failed.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "order book of BTCUSDT" in str(failed.details())


@pytest.mark.parametrize(
    "garbage", [PlainTextResponse("<html>"), JSONResponse([1, 2]), JSONResponse("book")]
)
async def test_garbage_is_not_handed_on(garbage: Response) -> None:
    for failed in await book_failures(garbage, "binance.get_orderbook", *BOOK_TOOLS):
        assert failed.code() is grpc.StatusCode.UNKNOWN
        assert "<html>" not in str(failed.details())


async def test_an_exchange_that_hangs_ends_in_a_deadline() -> None:
    between = interposed()
    between.hang(TICKER)
    failed = await failure(between, "binance.get_ticker", symbol="BTCUSDT")
    assert failed.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_provider_starts_and_lists_its_tools_without_its_exchange() -> None:
    async with provider(exchange="binance", exchange_url="http://127.0.0.1:9") as client:
        assert len(await client.names()) == 14
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await client.invoke("binance.get_ticker", symbol="BTCUSDT")
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "cannot be reached" in str(failed.value.details())


@pytest.mark.parametrize(
    ("tool", "payload", "status", "words"),
    [
        ("binance.get_ticker", b"{", "INVALID_ARGUMENT", "not JSON"),
        ("binance.get_ticker", b"\xff", "INVALID_ARGUMENT", "not JSON"),
        ("binance.get_ticker", b"[" * 100_000, "INVALID_ARGUMENT", "not JSON"),
        ("binance.get_ticker", b"[]", "INVALID_ARGUMENT", "JSON object"),
        ("binance.get_ticker", b"", "INVALID_ARGUMENT", "needs symbol"),
        ("binance.get_ticker", b'{"symbol":"NOPE"}', "NOT_FOUND", "does not list"),
        ("get_ticker", b"{}", "NOT_FOUND", "did you mean binance.get_ticker"),
        ("", b"{}", "NOT_FOUND", "there are: binance.get_ticker"),
    ],
)
async def test_a_bad_call_says_what_is_wrong(
    tool: str, payload: bytes, status: str, words: str
) -> None:
    async with provider() as client:
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await client.invoke_with(tool, payload)
    assert wrong.value.code().name == status
    assert words in str(wrong.value.details())


async def test_what_nobody_foresaw_is_an_internal_error_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    between = interposed()
    between.replace("GET /api/v3/myTrades", JSONResponse([{"unforeseen": "a-canary"}]))
    async with (
        serve(between) as url,
        provider(exchange="binance", exchange_url=url, **KEYS) as client,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await client.read("binance://account/trades/BTCUSDT")
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert failed.value.details() == "internal error"
    assert "KeyError" in caplog.text


async def test_a_call_is_one_line_in_the_log_without_its_arguments(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "gateway.market.server")
    async with provider() as client:
        await client.invoke("binance.get_ticker", symbol="ETHBTC")
    (line,) = [text for text in caplog.messages if text.startswith("rpc=")]
    assert line.startswith("rpc=Invoke status=OK milliseconds=")
    assert line.endswith("correlation_id=a-test")
    assert "ETHBTC" not in caplog.text


async def test_streams_are_not_implemented() -> None:
    async with provider() as client:
        stream: grpc.aio.UnaryStreamMultiCallable[Any, Any] = client.channel.unary_stream(
            "/provider.v1.Provider/Stream",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message("CloudEvent").FromString,
        )
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stream(message("StreamRequest")(topic="x")).read()
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_is_served_beside_the_provider() -> None:
    async with (
        MarketProgram(MarketSettings(port=0)) as program,
        grpc.aio.insecure_channel(program.address) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "provider.v1.Provider"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_stop_lets_a_call_under_way_finish() -> None:
    between = interposed()
    async with serve(between) as url:
        settings = MarketSettings("binance", url, port=0, read_timeout_seconds=0.3)
        program = MarketProgram(settings)
        await program.__aenter__()
        async with grpc.aio.insecure_channel(program.address) as channel:
            invoke: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
                "/provider.v1.Provider/Invoke",
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=message("InvokeResponse").FromString,
            )
            payload = message("Json")(value=json.dumps({"symbol": "BTCUSDT"}).encode())
            request = message("InvokeRequest")(tool_name="binance.get_ticker", payload=payload)
            call = invoke(request)
            await call.wait_for_connection()
            _, answer = await asyncio.gather(program.__aexit__(None, None, None), call)
    assert json.loads(answer.result.value)["symbol"] == "BTCUSDT"


async def test_a_port_that_is_taken_stops_the_start() -> None:
    async with MarketProgram(MarketSettings(port=0)) as first:
        port = int(first.address.rpartition(":")[2])
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            async with MarketProgram(MarketSettings(port=port)):
                pass


async def test_a_busy_minute_is_held_back_here_and_not_at_the_exchange() -> None:
    clock = StoppedClock()
    between = Interposed(simulated_exchange(clock))
    between.replace(TICKER, JSONResponse({}, headers={"X-MBX-USED-WEIGHT-1M": "5399"}))
    async with (
        serve(between) as url,
        provider(clock, exchange="binance", exchange_url=url) as client,
    ):
        await client.invoke("binance.get_ticker", symbol="BTCUSDT")
        with pytest.raises(grpc.aio.AioRpcError) as held_back:
            await client.invoke("binance.get_avg_price", symbol="BTCUSDT")
    assert held_back.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(held_back.value.trailing_metadata() or ())["grpc-retry-pushback-ms"] == "60000"
    assert "GET /api/v3/avgPrice" not in between.requests
