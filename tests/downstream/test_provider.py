"""A provider that answers: what is listed, what is sent and what comes back."""

import asyncio
from datetime import UTC, datetime

import grpc
import pytest

from gateway import request_id
from gateway.downstream.provider import Provider
from gateway.downstream.status import State
from gateway.errors import (
    BadAnswer,
    GatewayError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Refused,
    Unavailable,
)
from tests.downstream.conftest import Connect, tools_of
from tests.stand_ins.provider import (
    Behaviour,
    StandInProvider,
    answers,
    answers_raw,
    echoes,
    fails,
    in_turn,
    says_error,
    sends,
    until_listed,
)

MOMENT = datetime(2026, 11, 21, 12, 3, 4, tzinfo=UTC)


async def test_a_provider_tells_what_it_offers_and_that_it_is_up(
    service: StandInProvider, connect: Connect
) -> None:
    schema = {"type": "object", "properties": {"symbol": {"type": "string"}}}
    service.offer("binance.get_ticker", echoes(), description="24 h", input_schema=schema)
    provider = await connect(service, clock=lambda: MOMENT)

    await until_listed(provider)

    (tool,) = tools_of(provider)
    assert (tool.name, tool.description, tool.input_schema) == (
        "binance.get_ticker",
        "24 h",
        schema,
    )
    status = provider.status
    assert (status.name, status.address, status.version) == ("market", service.address, "1.0.0")
    assert (status.state, status.since) == (State.UP, MOMENT)
    assert status.error is None
    assert status.retry_seconds is None


async def test_a_tool_without_schema_or_tags_takes_any_object(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("silent", echoes())
    service.offer("outspoken", echoes(), tags=["market"], input_schema={"type": "object", "a": 1})
    provider = await connect(service)
    await until_listed(provider)

    silent, outspoken = tools_of(provider)
    assert (silent.input_schema, silent.tags) == ({"type": "object"}, ())
    assert (outspoken.input_schema, outspoken.tags) == ({"type": "object", "a": 1}, ("market",))


async def test_a_tool_whose_schema_is_garbage_costs_only_itself(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("good", echoes(), output_schema=["says", "nothing", "to", "us"])
    service.offer("bad", echoes(), input_schema=["no", "object"])
    provider = await connect(service)
    await until_listed(provider)
    assert [tool.name for tool in tools_of(provider)] == ["good"]


async def test_what_a_provider_calls_itself_and_its_tools_cannot_forge_a_log_line(
    service: StandInProvider, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="gateway.downstream")
    service.version = "1.0\nERROR downstream=bank state=down" + "9" * 5000
    service.offer("bad\nERROR forged" + "x" * 5000, echoes(), input_schema=["no", "object"])
    provider = await connect(service)
    await until_listed(provider)
    assert (provider.status.version or "").startswith("1.0 ERROR")
    messages = [record.getMessage() for record in caplog.records]
    assert any("left out tool='bad ERROR forged" in message for message in messages)
    assert all(message.isprintable() and len(message) < 250 for message in messages)


@pytest.mark.parametrize(
    "value",
    [
        {"lastPrice": "67250.10", "count": 3, "spread_bps": 0.25},
        [[1, "2.0", 3.5], []],
        {},
        [],
    ],
)
async def test_an_answer_keeps_its_shape_and_its_numbers(
    service: StandInProvider, connect: Connect, value: object
) -> None:
    service.offer("tool", answers(value))
    provider = await connect(service)
    answer = await provider.invoke("tool", {})
    assert answer == value
    assert repr(answer) == repr(value)


async def test_arguments_arrive_as_an_object_even_when_there_are_none(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", echoes())
    provider = await connect(service)
    assert await provider.invoke("tool", {}) == {}
    assert await provider.invoke("tool", {"symbol": "BTCUSDT", "tick": 0.5}) == {
        "symbol": "BTCUSDT",
        "tick": 0.5,
    }
    assert service.calls[0].payload == b"{}"


async def test_the_correlation_id_is_sent_as_field_and_as_metadata(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", echoes())
    provider = await connect(service)
    await provider.invoke("tool", {}, correlation_id="request-1")
    await provider.invoke("tool", {})
    await provider.invoke("tool", {})
    request_id.begin("request-2")
    await provider.invoke("tool", {})

    for call in service.calls:
        assert call.correlation_id == call.metadata["x-correlation-id"] != ""
    given, first, second, current = [call.correlation_id for call in service.calls]
    assert (given, current) == ("request-1", "request-2")
    assert first != second


async def test_arguments_that_are_no_json_are_refused_before_they_are_sent(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", echoes())
    provider = await connect(service)
    for value in (float("nan"), object(), b"bytes"):
        with pytest.raises(InvalidRequest, match="not JSON"):
            await provider.invoke("tool", {"value": value})
    with pytest.raises(InvalidRequest, match="cannot be sent"):
        await provider.invoke("tool\ud800", {})
    assert service.calls == []


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"price": NaN}', "not JSON"),
        (b'"text"', "str"),
        (b"null", "NoneType"),
        (b"[" * 100_000, "not JSON"),
        (b'{"text": "\\ud800"}', "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (b'{"price": 1e400}', "not JSON"),
    ],
)
async def test_an_answer_that_is_no_json_object_or_array_is_a_bad_answer(
    service: StandInProvider, connect: Connect, result: bytes, says: str
) -> None:
    service.offer("tool", answers_raw(result))
    provider = await connect(service)
    with pytest.raises(BadAnswer, match=says):
        await provider.invoke("tool", {})


async def test_an_answer_that_is_no_message_is_a_bad_answer(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", sends(b"\xff\xff\xff garbage"))
    provider = await connect(service)
    with pytest.raises(BadAnswer, match="market"):
        await provider.invoke("tool", {})


async def test_an_answer_of_eight_megabytes_arrives_and_one_over_the_limit_does_not(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("large", answers({"text": "x" * 8_000_000}))
    service.offer("too_large", answers({"text": "x" * 32 * 1024 * 1024}))
    provider = await connect(service, deadline_seconds=30)
    assert len((await provider.invoke("large", {}))["text"]) == 8_000_000
    with pytest.raises(BadAnswer, match="too large"):
        await provider.invoke("too_large", {})


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.NOT_FOUND, NotFound),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest),
        (grpc.StatusCode.OUT_OF_RANGE, InvalidRequest),
        (grpc.StatusCode.UNAUTHENTICATED, PermissionDenied),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
        (grpc.StatusCode.FAILED_PRECONDITION, Refused),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RateLimited),
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.INTERNAL, BadAnswer),
        (grpc.StatusCode.UNKNOWN, BadAnswer),
        (grpc.StatusCode.UNIMPLEMENTED, BadAnswer),
    ],
)
async def test_a_status_becomes_our_error_and_keeps_the_message(
    service: StandInProvider, connect: Connect, code: grpc.StatusCode, error: type[GatewayError]
) -> None:
    service.offer("tool", fails(code, "the book of XYZ is crossed"))
    provider = await connect(service)
    with pytest.raises(error, match="the book of XYZ is crossed"):
        await provider.invoke("tool", {})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("unknown tool: hello", NotFound),
        ("Tool not found", NotFound),
        ("no such symbol FOO", NotFound),
        ("limit must be at most 1000", InvalidRequest),
        ("resources not supported", InvalidRequest),
    ],
)
async def test_an_error_inside_an_ok_answer_becomes_our_error(
    service: StandInProvider, connect: Connect, text: str, error: type[GatewayError]
) -> None:
    service.offer("tool", says_error(text))
    provider = await connect(service)
    with pytest.raises(error, match=text):
        await provider.invoke("tool", {})


async def test_the_message_of_an_older_provider_about_a_wrong_symbol_is_kept(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", fails(grpc.StatusCode.INTERNAL, "HTTP error: 400 Bad Request"))
    provider = await connect(service)
    with pytest.raises(BadAnswer, match="market failed: HTTP error: 400 Bad Request"):
        await provider.invoke("tool", {})


async def test_a_message_of_a_service_is_one_short_line(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", fails(grpc.StatusCode.INTERNAL, "a\r\nb\x1b[31m\u202e" + "c" * 5000))
    provider = await connect(service)
    with pytest.raises(BadAnswer) as caught:
        await provider.invoke("tool", {})
    assert str(caught.value).startswith("market failed: a b [31m ccc")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) == len("market failed: ") + 400


async def test_a_message_of_400_characters_is_kept_whole(
    service: StandInProvider, connect: Connect
) -> None:
    said = "a" * 300 + " — look the order up" + "b" * 80
    service.offer("tool", fails(grpc.StatusCode.INVALID_ARGUMENT, said))
    provider = await connect(service)
    with pytest.raises(InvalidRequest) as caught:
        await provider.invoke("tool", {})
    assert str(caught.value) == said


async def test_a_tool_is_called_by_the_exact_name_it_is_listed_under(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("Odd.Name/with:Signs", echoes())
    provider = await connect(service)
    assert await provider.invoke("Odd.Name/with:Signs", {}) == {}
    assert service.calls[0].name == "Odd.Name/with:Signs"


async def test_capabilities_that_change_are_noticed(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("first", echoes())
    provider = await connect(service, probe_seconds=0.02)
    await until_listed(provider)
    changed = asyncio.Event()
    provider.on_change = changed.set

    service.offer("second", echoes())

    async with asyncio.timeout(5):
        await changed.wait()
    assert [tool.name for tool in tools_of(provider)] == ["first", "second"]


async def test_capabilities_that_stay_the_same_are_no_change(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", echoes())
    provider = await connect(service, probe_seconds=0.01)
    changes = []
    provider.on_change = lambda: changes.append(provider.capabilities)
    async with asyncio.timeout(5):
        await service.asked(6)
    assert len(changes) == 1


@pytest.mark.parametrize("style", [fails(grpc.StatusCode.NOT_FOUND, "Tool not found: old")])
async def test_an_unknown_tool_that_is_listed_is_asked_about_at_once(
    service: StandInProvider, connect: Connect, style: Behaviour
) -> None:
    service.offer("old", echoes())
    provider = await connect(service, probe_seconds=1000)
    await until_listed(provider)
    changed = asyncio.Event()
    provider.on_change = changed.set

    service.withdraw("old")
    service.offer("new", echoes())
    with pytest.raises(NotFound, match="old"):
        await provider.invoke("old", {})

    async with asyncio.timeout(5):
        await changed.wait()
    assert [tool.name for tool in tools_of(provider)] == ["new"]


async def test_a_listener_that_fails_does_not_stop_the_watch(
    service: StandInProvider, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    service.offer("tool", echoes())
    provider = await connect(service, probe_seconds=0.01)

    def fail() -> None:
        raise RuntimeError("not today")

    provider.on_change = fail
    async with asyncio.timeout(5):
        await service.asked(4)
    assert provider.status.state is State.UP
    assert "not today" in caplog.text


async def test_logs_hold_no_argument_and_no_answer(
    service: StandInProvider, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="gateway")
    service.offer("tool", in_turn(answers({"secret": "silver"}), sends(b"\xff golden")))
    provider = await connect(service)
    await provider.invoke("tool", {"key": "hunter2"})
    with pytest.raises(BadAnswer) as caught:
        await provider.invoke("tool", {"key": "hunter2"})
    for text in (caplog.text, str(caught.value)):
        assert "hunter2" not in text
        assert "silver" not in text
        assert "golden" not in text


async def test_closing_leaves_no_task_behind() -> None:
    async with StandInProvider() as service:
        service.offer("tool", echoes())
        async with Provider("market", service.address) as provider:
            await provider.invoke("tool", {})
            assert {"watch market", "listen to market"} <= _task_names()
        assert not {"watch market", "listen to market"} & _task_names()
        with pytest.raises(Unavailable):
            await provider.invoke("tool", {})


async def test_a_provider_that_is_absent_closes_as_well() -> None:
    absent = StandInProvider()
    async with asyncio.timeout(5):
        async with Provider("market", absent.address):
            pass
    assert len(asyncio.all_tasks()) == 1


def _task_names() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}
