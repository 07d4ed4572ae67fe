"""A provider that is absent, dies, hangs or is flooded: the gateway stays quick and polite."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.provider import Provider
from gateway.downstream.status import State
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)
from tests.downstream.conftest import Connect, States, tools_of
from tests.stand_ins.provider import (
    Behaviour,
    StandInProvider,
    answers,
    answers_raw,
    echoes,
    fails,
    in_turn,
    sends,
    until_listed,
    waits,
)

UNAVAILABLE = fails(grpc.StatusCode.UNAVAILABLE, "the exchange is down")


async def test_a_provider_that_is_absent_at_start_appears_by_itself(
    connect: Connect, states: States
) -> None:
    service = StandInProvider()
    service.offer("tool", answers({"price": "1"}))
    provider = await connect(service)
    at_first = provider.status
    assert at_first.state is State.STARTING
    assert await states.next() == "down"
    status = provider.status
    assert status.error == "nothing listens at its address"
    assert status.retry_seconds is not None
    assert status.version is None
    with pytest.raises(Unavailable, match=rf"market is unavailable \({status.error}\); retry in"):
        await provider.invoke("tool", {})

    async with service:
        await until_listed(provider)
        assert provider.status.state is State.UP
        assert provider.status.error is None
        assert await provider.invoke("tool", {}) == {"price": "1"}


async def test_a_provider_that_dies_comes_back_on_the_same_port(
    service: StandInProvider, connect: Connect, states: States
) -> None:
    service.offer("tool", answers({"price": "1"}))
    # Nothing but the broken connection can tell within the test that the service is gone.
    provider = await connect(service, probe_seconds=1000)
    assert await states.next() == "up"
    capabilities = provider.capabilities

    await service.stop()
    assert await states.next() == "down"
    assert provider.status.state is State.DOWN
    assert provider.capabilities is capabilities

    service.version = "2.0.0"
    service.offer("another", echoes())
    await service.start()
    assert await states.next() == "up"
    assert await provider.invoke("tool", {}) == {"price": "1"}
    assert provider.status.version == "2.0.0"
    assert [tool.name for tool in tools_of(provider)] == ["tool", "another"]


async def test_a_call_in_flight_ends_when_the_provider_dies(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", waits(asyncio.Event(), answers({})))
    provider = await connect(service)
    call = asyncio.create_task(provider.invoke("tool", {}))
    async with asyncio.timeout(5):
        await service.called(1)
        await service.stop()
        with pytest.raises(Unavailable, match="market is unavailable"):
            await call


async def test_a_call_to_a_provider_that_is_down_fails_at_once_and_says_when_to_retry(
    connect: Connect, states: States
) -> None:
    service = StandInProvider()
    provider = await connect(service, backoff=Backoff(first_seconds=40, most_seconds=40))
    assert await states.next() == "down"
    with pytest.raises(Unavailable, match=r"nothing listens at .+; retry in [2-4]\d s") as caught:
        async with asyncio.timeout(2):
            await provider.invoke("tool", {})
    assert 19 < caught.value.retry_after_seconds <= 40


async def test_one_call_goes_through_to_a_provider_that_is_down_once_the_wait_is_over(
    service: StandInProvider, connect: Connect, states: States
) -> None:
    service.offer("tool", answers({"price": "1"}))
    broken = fails(grpc.StatusCode.INTERNAL, "the listing is broken")
    service.listing = in_turn(broken, waits(asyncio.Event(), broken))
    provider = await connect(service, backoff=Backoff(first_seconds=0.01, most_seconds=30))
    assert await states.next() == "down"
    async with asyncio.timeout(5):
        await service.asked(2)

    assert await provider.invoke("tool", {}) == {"price": "1"}
    with pytest.raises(Unavailable, match="the listing is broken"):
        await provider.invoke("tool", {})


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        (sends(b"\xff\xff\xff"), "not /provider.v1.Provider/ListCapabilities's"),
        (fails(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"), "Method not found!"),
        (fails(grpc.StatusCode.UNAUTHENTICATED, "a key, please"), "a key, please"),
        (waits(asyncio.Event(), sends(b"")), "did not answer within 0.3 s"),
    ],
)
async def test_a_provider_whose_listing_fails_is_down_until_it_mends(
    service: StandInProvider, connect: Connect, states: States, listing: Behaviour, says: str
) -> None:
    good, service.listing = service.listing, listing
    provider = await connect(service, deadline_seconds=0.3)
    assert await states.next() == "down"
    assert says in (provider.status.error or "")
    service.listing = good
    assert await states.next() == "up"
    assert provider.status.error is None


async def test_a_call_that_hangs_ends_at_its_deadline_and_frees_its_turn(
    service: StandInProvider, connect: Connect
) -> None:
    never = asyncio.Event()
    service.offer("tool", in_turn(waits(never, echoes()), echoes()))
    provider = await connect(service, deadline_seconds=0.3, max_concurrent=1)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(DeadlineExceeded, match=r"market did not answer within 0\.3 s"):
        await provider.invoke("tool", {})
    assert 0.25 < loop.time() - begun < 3
    assert await provider.invoke("tool", {}) == {}


async def test_a_call_that_is_cancelled_frees_its_turn_and_stops_at_the_service(
    service: StandInProvider, connect: Connect
) -> None:
    stopped = asyncio.Event()

    async def hang(*_: object) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return b""

    service.offer("tool", in_turn(hang, echoes()))
    provider = await connect(service, max_concurrent=1)
    call = asyncio.create_task(provider.invoke("tool", {}))
    async with asyncio.timeout(5):
        await service.called(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await stopped.wait()
    assert await provider.invoke("tool", {}) == {}


async def test_the_deadline_of_a_caller_ends_the_call_and_its_wait(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("hangs", waits(asyncio.Event(), echoes()))
    pushback = fails(grpc.StatusCode.UNAVAILABLE, "later", pushback_ms="900000")
    service.offer("comes_back_late", pushback)
    provider = await connect(service, deadline_seconds=1000)
    for tool in ("hangs", "comes_back_late"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await provider.invoke(tool, {})


async def test_a_read_is_tried_again_until_it_works(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", in_turn(UNAVAILABLE, UNAVAILABLE, echoes()))
    provider = await connect(service)
    assert await provider.invoke("tool", {"symbol": "BTCUSDT"}) == {"symbol": "BTCUSDT"}
    assert len(service.calls) == 3
    assert len({call.correlation_id for call in service.calls}) == 1


async def test_a_read_is_tried_three_times_at_most(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", UNAVAILABLE)
    provider = await connect(service)
    with pytest.raises(Unavailable, match=r"market is unavailable \(the exchange is down\); retry"):
        await provider.invoke("tool", {})
    assert len(service.calls) == 3


async def test_a_provider_that_says_unavailable_itself_is_still_up(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", UNAVAILABLE)
    provider = await connect(service)
    await until_listed(provider)
    with pytest.raises(Unavailable):
        await provider.invoke("tool", {})
    assert provider.status.state is State.UP


async def test_a_write_is_never_tried_again(service: StandInProvider, connect: Connect) -> None:
    exhausted = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", pushback_ms="1")
    service.offer("order", in_turn(UNAVAILABLE, exhausted))
    provider = await connect(service)
    with pytest.raises(Unavailable):
        await provider.invoke("order", {}, is_read=False)
    assert len(service.calls) == 1
    with pytest.raises(RateLimited):
        await provider.invoke("order", {}, is_read=False)
    assert len(service.calls) == 2


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (grpc.StatusCode.INTERNAL, BadAnswer, "market failed: no"),
        (grpc.StatusCode.UNKNOWN, BadAnswer, "market failed: no"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded, "market did not answer within 5 s"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RateLimited, "market limits the rate: no"),
        (grpc.StatusCode.NOT_FOUND, NotFound, "^no$"),
    ],
)
async def test_what_would_fail_again_is_not_tried_again(
    service: StandInProvider,
    connect: Connect,
    code: grpc.StatusCode,
    error: type[GatewayError],
    says: str,
) -> None:
    service.offer("tool", fails(code, "no"))
    provider = await connect(service)
    with pytest.raises(error, match=says):
        await provider.invoke("tool", {})
    assert len(service.calls) == 1


UNKNOWN_OUTCOME = "market: the outcome is unknown, so look it up before trying again: "


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (fails(grpc.StatusCode.UNKNOWN, "a crash"), "market failed: a crash"),
        (fails(grpc.StatusCode.INTERNAL, "a bug"), "market failed: a bug"),
        (fails(grpc.StatusCode.CANCELLED, "stopping"), "market failed: stopping"),
        (fails(grpc.StatusCode.DEADLINE_EXCEEDED), "market did not answer within 30 s"),
        (answers_raw(b""), "it sent an empty answer for order"),
        (answers_raw(b"{"), "it sent an answer for order that is not JSON"),
        (answers("done"), "it answered order with str, not an object or array"),
        (sends(b"\xff\xff\xff"), "it sent an answer that is not /provider.v1.Provider/Invoke's"),
    ],
)
async def test_a_write_whose_end_makes_no_sense_may_have_been_done(
    service: StandInProvider, connect: Connect, behaviour: Behaviour, why: str
) -> None:
    service.offer("order", behaviour)
    provider = await connect(service)
    with pytest.raises(OutcomeUnknown) as caught:
        await provider.invoke("order", {}, is_read=False)
    assert str(caught.value) == UNKNOWN_OUTCOME + why
    assert len(service.calls) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.NOT_FOUND, NotFound),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest),
        (grpc.StatusCode.FAILED_PRECONDITION, Refused),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RateLimited),
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.UNIMPLEMENTED, BadAnswer),
    ],
)
async def test_a_write_that_the_service_refuses_was_not_done(
    service: StandInProvider, connect: Connect, code: grpc.StatusCode, error: type[GatewayError]
) -> None:
    service.offer("order", fails(code, "not now"))
    provider = await connect(service)
    with pytest.raises(error, match="not now"):
        await provider.invoke("order", {}, is_read=False)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("Stream removed (Socket closed)", OutcomeUnknown),
        ("Connection reset by peer", OutcomeUnknown),
        ("the market is closed", Unavailable),
    ],
)
async def test_a_write_is_in_doubt_when_its_connection_broke_even_if_there_is_a_new_one(
    service: StandInProvider, connect: Connect, says: str, error: type[GatewayError]
) -> None:
    service.offer("order", fails(grpc.StatusCode.UNAVAILABLE, says))
    provider = await connect(service)
    with pytest.raises(error):
        await provider.invoke("order", {}, is_read=False)
    assert provider.status.state is not State.DOWN


@pytest.mark.parametrize("is_read", [True, False])
async def test_a_service_that_says_itself_that_the_outcome_is_unknown_is_quoted(
    service: StandInProvider, connect: Connect, is_read: bool
) -> None:
    said = "outcome unknown, look the order up by client order id before trying again: timeout"
    unknown = fails(grpc.StatusCode.UNAVAILABLE, said, error_code="outcome_unknown")
    service.offer("order", unknown)
    provider = await connect(service)
    with pytest.raises(OutcomeUnknown) as caught:
        await provider.invoke("order", {}, is_read=is_read)
    assert str(caught.value) == said


async def test_a_write_may_take_longer_than_a_read(
    service: StandInProvider, connect: Connect
) -> None:
    gate = asyncio.Event()
    service.offer("order", waits(gate, echoes()))
    provider = await connect(service, deadline_seconds=0.1, write_deadline_seconds=8)
    write = asyncio.create_task(provider.invoke("order", {"id": 1}, is_read=False))
    await service.called(1)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.1 s"):
        await provider.invoke("order", {})
    gate.set()
    assert await write == {"id": 1}


async def test_a_write_that_hangs_ends_at_its_own_deadline_with_an_unknown_outcome(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("order", waits(asyncio.Event(), echoes()))
    provider = await connect(service, write_deadline_seconds=0.1)
    with pytest.raises(OutcomeUnknown, match=r"unknown.+ did not answer within 0\.1 s"):
        await provider.invoke("order", {}, is_read=False)


async def test_a_write_in_flight_when_the_provider_dies_may_have_been_done(
    service: StandInProvider, connect: Connect, states: States
) -> None:
    service.offer("order", waits(asyncio.Event(), echoes()))
    provider = await connect(service, probe_seconds=1000)
    assert await states.next() == "up"
    write = asyncio.create_task(provider.invoke("order", {}, is_read=False))
    async with asyncio.timeout(5):
        await service.called(1)
        await service.stop()
        with pytest.raises(OutcomeUnknown) as caught:
            await write
    assert str(caught.value) == f"{UNKNOWN_OUTCOME}the connection broke"
    assert await states.next() == "down"
    with pytest.raises(Unavailable, match=r"nothing listens at|the connection broke"):
        await provider.invoke("order", {}, is_read=False)


async def test_a_write_in_flight_when_the_gateway_closes_may_have_been_done(
    service: StandInProvider,
) -> None:
    service.offer("order", waits(asyncio.Event(), echoes()))
    async with Provider("market", service.address) as provider:
        write = asyncio.create_task(provider.invoke("order", {}, is_read=False))
        async with asyncio.timeout(5):
            await service.called(1)
    with pytest.raises(OutcomeUnknown, match="look it up before trying again"):
        await write


async def test_a_write_that_never_left_was_not_done() -> None:
    absent = StandInProvider()
    for address in (absent.address, "host.invalid:50053"):
        async with Provider("market", address) as provider:
            with pytest.raises(Unavailable, match=r"nothing listens at|is not known"):
                await provider.invoke("order", {}, is_read=False)


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
async def test_a_read_comes_back_when_the_service_asks_it_to(
    service: StandInProvider, connect: Connect, code: grpc.StatusCode
) -> None:
    service.offer("tool", in_turn(fails(code, "slow down", pushback_ms="150"), echoes()))
    provider = await connect(service)
    await provider.invoke("tool", {})
    first, second = service.calls
    assert second.at - first.at > 0.14


async def test_a_wait_beyond_the_deadline_is_handed_to_the_caller(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer(
        "tool", fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", pushback_ms="60000")
    )
    provider = await connect(service)
    with pytest.raises(RateLimited, match="slow down; retry in 60 s") as caught:
        await provider.invoke("tool", {})
    assert caught.value.retry_after_seconds == 60
    assert len(service.calls) == 1


@pytest.mark.parametrize("pushback", ["-1", "nonsense", "nan"])
async def test_a_service_can_forbid_that_a_read_is_tried_again(
    service: StandInProvider, connect: Connect, pushback: str
) -> None:
    service.offer("tool", fails(grpc.StatusCode.UNAVAILABLE, "closed", pushback_ms=pushback))
    provider = await connect(service)
    with pytest.raises(Unavailable, match="closed"):
        await provider.invoke("tool", {})
    assert len(service.calls) == 1


async def test_a_hundred_calls_at_once_are_served_or_told_to_come_back(
    service: StandInProvider, connect: Connect
) -> None:
    gate = asyncio.Event()
    service.offer("tool", waits(gate, answers({})))
    provider = await connect(service, max_concurrent=4, queue_seconds=0.2)
    finished = asyncio.as_completed([provider.invoke("tool", {}) for _ in range(100)])
    async with asyncio.timeout(5):
        for _ in range(96):
            with pytest.raises(RateLimited, match="market is busy with 4 calls; retry in 1 s"):
                await next(finished)
        gate.set()
        assert [await answer for answer in finished] == [{}] * 4
    assert service.most_running == 4
    assert len(service.calls) == 4


async def test_calls_beyond_the_limit_take_their_turn(
    service: StandInProvider, connect: Connect
) -> None:
    service.offer("tool", echoes())
    provider = await connect(service, max_concurrent=4, queue_seconds=5)
    answers_ = await asyncio.gather(*(provider.invoke("tool", {"n": n}) for n in range(100)))
    assert answers_ == [{"n": n} for n in range(100)]
    assert service.most_running <= 4


async def test_calls_that_hang_do_not_make_a_provider_look_dead(
    service: StandInProvider, connect: Connect
) -> None:
    gate = asyncio.Event()
    service.offer("tool", waits(gate, answers({})))
    provider = await connect(service, max_concurrent=1, probe_seconds=0.01, queue_seconds=0.01)
    call = asyncio.create_task(provider.invoke("tool", {}))
    async with asyncio.timeout(5):
        await service.called(1)
        await service.asked(service.listings + 3)
    assert provider.status.state is State.UP
    gate.set()
    assert await call == {}


@pytest.mark.parametrize(
    "trouble",
    [
        waits(asyncio.Event(), sends(b"")),
        fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", pushback_ms="1"),
        fails(grpc.StatusCode.UNAVAILABLE, "busy"),
        sends(b"\xff\xff\xff"),
    ],
)
async def test_one_look_that_fails_is_no_outage_and_two_in_a_row_are(
    service: StandInProvider, connect: Connect, states: States, trouble: Behaviour
) -> None:
    service.offer("tool", echoes())
    good = service.listing
    service.listing = in_turn(good, trouble, good, trouble, trouble, good)
    provider = await connect(service, probe_seconds=0.01, deadline_seconds=0.2)
    changes = [await states.next()]
    since = provider.status.since
    async with asyncio.timeout(5):
        await service.asked(4)
    # One failed, and one worked since: it was up all the time.
    assert provider.status.state is State.UP
    assert provider.status.since == since
    assert provider.status.error is None
    assert await provider.invoke("tool", {}) == {}
    changes += [await states.next(), await states.next()]
    assert changes == ["up", "down", "up"]
    assert service.listings >= 6


async def test_a_service_that_limits_the_looks_is_looked_at_when_it_says(
    service: StandInProvider, connect: Connect, states: States
) -> None:
    limited = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", pushback_ms="60000")
    service.listing = in_turn(service.listing, limited, service.listing)
    provider = await connect(service, probe_seconds=0.3)
    assert await states.next() == "up"
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        await service.asked(2)
        begun = loop.time()
        await service.asked(3)
    # Not at once, as after other failures, and not later than the next look was due anyway.
    assert 0.25 < loop.time() - begun < 2
    assert provider.status.state is State.UP


async def test_a_call_in_flight_ends_with_an_error_when_the_gateway_closes(
    service: StandInProvider,
) -> None:
    service.offer("tool", waits(asyncio.Event(), answers({})))
    async with Provider("market", service.address) as provider:
        call = asyncio.create_task(provider.invoke("tool", {}))
        async with asyncio.timeout(5):
            await service.called(1)
    with pytest.raises(Unavailable, match="not connected"):
        await call


async def test_an_address_whose_host_is_unknown_is_said_plainly(states: States) -> None:
    async with Provider("market", "host.invalid:50053") as provider:
        assert await states.next() == "down"
        assert provider.status.error == "its host is not known"


async def test_a_server_that_is_no_grpc_server_is_down_and_not_fatal(states: States) -> None:
    async with (
        speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address,
        Provider("market", address, deadline_seconds=1) as provider,
    ):
        assert await states.next() == "down"
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await provider.invoke("tool", {})


async def test_a_server_that_takes_connections_and_says_nothing_ends_at_the_deadline(
    states: States,
) -> None:
    async with (
        speaking(None) as address,
        Provider("market", address, deadline_seconds=0.2) as provider,
    ):
        assert await states.next() == "down"
        assert provider.status.error == "market did not answer within 0.2 s"


@asynccontextmanager
async def speaking(says: bytes | None) -> AsyncIterator[str]:
    """A server that is no gRPC server: it says one thing and hangs up, or stays silent."""
    talks: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if says is None:
                await reader.read()
            else:
                writer.write(says)
        finally:
            writer.close()
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(talk(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
