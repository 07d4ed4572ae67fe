"""A provider that answers: what is listed, what is sent and what comes back."""

import asyncio
from datetime import UTC, datetime

import grpc
import pytest

from gateway.downstream.provider import Provider
from gateway.downstream.status import State
from gateway.errors import (
    BadAnswer,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Refused,
    Unavailable,
)
from tests.stand_ins.provider import (
    StandInProvider,
    answers,
    answers_raw,
    echoes,
    fails,
    in_turn,
    says_error,
    sends,
)

MOMENT = datetime(2026, 11, 21, 12, 3, 4, tzinfo=UTC)


async def test_a_provider_tells_what_it_offers_and_that_it_is_up(service, connect) -> None:
    schema = {"type": "object", "properties": {"symbol": {"type": "string"}}}
    service.offer("binance.get_ticker", echoes(), description="24 h", input_schema=schema)
    provider = await connect(service, clock=lambda: MOMENT)

    assert await provider.listed(within_seconds=5)

    (tool,) = provider.capabilities.tools
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


async def test_what_a_provider_does_not_state_is_unknown_and_never_no(service, connect) -> None:
    service.offer("silent", echoes())
    service.offer(
        "outspoken",
        echoes(),
        tags=["market"],
        auth_required=True,
        stability="beta",
        rate_limit_group="book",
        output_schema={"type": "array"},
    )
    provider = await connect(service)
    await provider.listed(within_seconds=5)

    silent, outspoken = provider.capabilities.tools
    assert silent.input_schema == {"type": "object"}
    assert silent.output_schema is None
    assert silent.tags == ()
    assert silent.auth_required is silent.stability is silent.rate_limit_group is None
    assert outspoken.tags == ("market",)
    assert outspoken.auth_required is True
    assert (outspoken.stability, outspoken.rate_limit_group) == ("beta", "book")
    assert outspoken.output_schema == {"type": "array"}


async def test_a_tool_whose_schema_is_garbage_costs_only_itself(service, connect) -> None:
    service.offer("good", echoes())
    service.offer("bad", echoes(), input_schema=["no", "object"])
    provider = await connect(service)
    await provider.listed(within_seconds=5)
    assert [tool.name for tool in provider.capabilities.tools] == ["good"]


@pytest.mark.parametrize(
    "value",
    [
        {"lastPrice": "67250.10", "count": 3, "spread_bps": 0.25},
        [[1, "2.0", 3.5], []],
        {},
        [],
    ],
)
async def test_an_answer_keeps_its_shape_and_its_numbers(service, connect, value) -> None:
    service.offer("tool", answers(value))
    provider = await connect(service)
    answer = await provider.invoke("tool", {})
    assert answer == value
    assert repr(answer) == repr(value)


async def test_arguments_arrive_as_an_object_even_when_there_are_none(service, connect) -> None:
    service.offer("tool", echoes())
    provider = await connect(service)
    assert await provider.invoke("tool", {}) == {}
    assert await provider.invoke("tool", {"symbol": "BTCUSDT", "tick": 0.5}) == {
        "symbol": "BTCUSDT",
        "tick": 0.5,
    }
    assert service.calls[0].payload == b"{}"


async def test_the_correlation_id_is_sent_as_field_and_as_metadata(service, connect) -> None:
    service.offer("tool", echoes())
    provider = await connect(service)
    await provider.invoke("tool", {}, correlation_id="request-1")
    await provider.invoke("tool", {})
    await provider.invoke("tool", {})

    given, *own = service.calls
    assert given.correlation_id == given.metadata["x-correlation-id"] == "request-1"
    for call in own:
        assert call.correlation_id == call.metadata["x-correlation-id"] != ""
    assert own[0].correlation_id != own[1].correlation_id


async def test_arguments_that_are_no_json_are_refused_before_they_are_sent(
    service, connect
) -> None:
    service.offer("tool", echoes())
    provider = await connect(service)
    for value in (float("nan"), object(), b"bytes"):
        with pytest.raises(InvalidRequest, match="not JSON"):
            await provider.invoke("tool", {"value": value})
    with pytest.raises(InvalidRequest, match="cannot be sent"):
        await provider.read_resource("binance://\ud800")
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
    ],
)
async def test_an_answer_that_is_no_json_object_or_array_is_a_bad_answer(
    service, connect, result, says
) -> None:
    service.offer("tool", answers_raw(result))
    provider = await connect(service)
    with pytest.raises(BadAnswer, match=says):
        await provider.invoke("tool", {})


async def test_an_answer_that_is_no_message_is_a_bad_answer(service, connect) -> None:
    service.offer("tool", sends(b"\xff\xff\xff garbage"))
    provider = await connect(service)
    with pytest.raises(BadAnswer, match="market"):
        await provider.invoke("tool", {})


async def test_an_answer_of_eight_megabytes_arrives_and_one_over_the_limit_does_not(
    service, connect
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
    service, connect, code, error
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
    service, connect, text, error
) -> None:
    service.offer("tool", says_error(text))
    provider = await connect(service)
    with pytest.raises(error, match=text):
        await provider.invoke("tool", {})


async def test_the_message_of_an_older_provider_about_a_wrong_symbol_is_kept(
    service, connect
) -> None:
    service.offer("tool", fails(grpc.StatusCode.INTERNAL, "HTTP error: 400 Bad Request"))
    provider = await connect(service)
    with pytest.raises(BadAnswer, match="market failed: HTTP error: 400 Bad Request"):
        await provider.invoke("tool", {})


async def test_a_message_of_a_service_is_one_short_line(service, connect) -> None:
    service.offer("tool", fails(grpc.StatusCode.INTERNAL, "a\r\nb\x1b[31m\u202e" + "c" * 5000))
    provider = await connect(service)
    with pytest.raises(BadAnswer) as caught:
        await provider.invoke("tool", {})
    assert str(caught.value).startswith("market failed: a b [31m ccc")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 230


async def test_a_tool_is_called_by_the_exact_name_it_is_listed_under(service, connect) -> None:
    service.offer("Odd.Name/with:Signs", echoes())
    provider = await connect(service)
    assert await provider.invoke("Odd.Name/with:Signs", {}) == {}
    assert service.calls[0].name == "Odd.Name/with:Signs"


async def test_resources_and_prompts_are_read(service, connect) -> None:
    service.resources["binance://market/BTCUSDT"] = (b"# BTCUSDT", "text/markdown")
    service.prompts["trading-analysis"] = [("system", "You trade."), ("user", "BTC?")]
    provider = await connect(service)
    await provider.listed(within_seconds=5)

    assert [resource.uri_scheme for resource in provider.capabilities.resources] == ["binance"]
    assert [prompt.name for prompt in provider.capabilities.prompts] == ["trading-analysis"]
    content = await provider.read_resource("binance://market/BTCUSDT")
    assert content == (b"# BTCUSDT", "text/markdown")
    assert await provider.prompt("trading-analysis", {"symbol": "BTCUSDT"}) == [
        ("system", "You trade."),
        ("user", "BTC?"),
    ]
    with pytest.raises(NotFound, match="binance://nowhere"):
        await provider.read_resource("binance://nowhere")
    with pytest.raises(NotFound, match="unheard"):
        await provider.prompt("unheard", {})


async def test_capabilities_that_change_are_noticed(service, connect) -> None:
    service.offer("first", echoes())
    provider = await connect(service, probe_seconds=0.02)
    changed = asyncio.Event()
    provider.on_change = changed.set
    await provider.listed(within_seconds=5)
    changed.clear()

    service.offer("second", echoes())

    async with asyncio.timeout(5):
        await changed.wait()
    assert [tool.name for tool in provider.capabilities.tools] == ["first", "second"]


async def test_capabilities_that_stay_the_same_are_no_change(service, connect) -> None:
    service.offer("tool", echoes())
    provider = await connect(service, probe_seconds=0.01)
    changes = []
    provider.on_change = lambda: changes.append(provider.capabilities)
    async with asyncio.timeout(5):
        await service.asked(6)
    assert len(changes) == 1


@pytest.mark.parametrize("style", [fails(grpc.StatusCode.NOT_FOUND, "Tool not found: old")])
async def test_an_unknown_tool_that_is_listed_is_asked_about_at_once(
    service, connect, style
) -> None:
    service.offer("old", echoes())
    provider = await connect(service, probe_seconds=1000)
    await provider.listed(within_seconds=5)
    changed = asyncio.Event()
    provider.on_change = changed.set

    service.withdraw("old")
    service.offer("new", echoes())
    with pytest.raises(NotFound, match="old"):
        await provider.invoke("old", {})

    async with asyncio.timeout(5):
        await changed.wait()
    assert [tool.name for tool in provider.capabilities.tools] == ["new"]


async def test_a_listener_that_fails_does_not_stop_the_watch(service, connect, caplog) -> None:
    service.offer("tool", echoes())
    provider = await connect(service, probe_seconds=0.01)

    def fail() -> None:
        raise RuntimeError("not today")

    provider.on_change = fail
    async with asyncio.timeout(5):
        await service.asked(4)
    assert provider.status.state is State.UP
    assert "not today" in caplog.text


async def test_logs_hold_no_argument_and_no_answer(service, connect, caplog) -> None:
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
