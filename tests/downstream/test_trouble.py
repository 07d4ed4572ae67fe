"""A provider that is absent, dies, hangs or is flooded: the gateway stays quick and polite."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from gateway.downstream.backoff import Backoff
from gateway.downstream.provider import Provider
from gateway.downstream.status import State
from gateway.errors import DeadlineExceeded, RateLimited, Unavailable
from tests.stand_ins.provider import (
    StandInProvider,
    answers,
    echoes,
    fails,
    in_turn,
    sends,
    waits,
)

UNAVAILABLE = fails(grpc.StatusCode.UNAVAILABLE, "the exchange is down")


async def test_a_provider_that_is_absent_at_start_appears_by_itself(connect, states) -> None:
    service = StandInProvider()
    service.offer("tool", answers({"price": "1"}))
    provider = await connect(service)
    assert provider.status.state is State.STARTING
    assert not await provider.listed(within_seconds=0.1)

    assert await states.next() == "down"
    status = provider.status
    assert status.error == f"nothing listens at {service.address}"
    assert status.retry_seconds is not None
    assert status.version is None
    with pytest.raises(Unavailable, match=rf"market is unavailable \({status.error}\); retry in"):
        await provider.invoke("tool", {})

    async with service:
        assert await provider.listed(within_seconds=5)
        assert provider.status.state is State.UP
        assert provider.status.error is None
        assert await provider.invoke("tool", {}) == {"price": "1"}


async def test_a_provider_that_dies_comes_back_on_the_same_port(service, connect, states) -> None:
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
    assert [tool.name for tool in provider.capabilities.tools] == ["tool", "another"]


async def test_a_call_in_flight_ends_when_the_provider_dies(service, connect) -> None:
    service.offer("tool", waits(asyncio.Event(), answers({})))
    provider = await connect(service)
    call = asyncio.create_task(provider.invoke("tool", {}, is_read=False))
    async with asyncio.timeout(5):
        await service.called(1)
        await service.stop()
        with pytest.raises(Unavailable, match="market is unavailable"):
            await call


async def test_a_call_to_a_provider_that_is_down_fails_at_once_and_says_when_to_retry(
    connect, states
) -> None:
    service = StandInProvider()
    provider = await connect(service, backoff=Backoff(first_seconds=40, most_seconds=40))
    assert await states.next() == "down"
    with pytest.raises(Unavailable, match=r"nothing listens at .+; retry in [2-4]\d s") as caught:
        async with asyncio.timeout(2):
            await provider.invoke("tool", {})
    assert 19 < caught.value.retry_after_seconds <= 40


async def test_one_call_goes_through_to_a_provider_that_is_down_once_the_wait_is_over(
    service, connect, states
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
    service, connect, states, listing, says
) -> None:
    good, service.listing = service.listing, listing
    provider = await connect(service, deadline_seconds=0.3)
    assert await states.next() == "down"
    assert says in provider.status.error
    service.listing = good
    assert await states.next() == "up"
    assert provider.status.error is None


async def test_a_call_that_hangs_ends_at_its_deadline_and_frees_its_turn(service, connect) -> None:
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
    service, connect
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


async def test_the_deadline_of_a_caller_ends_the_call_and_its_wait(service, connect) -> None:
    service.offer("hangs", waits(asyncio.Event(), echoes()))
    pushback = fails(grpc.StatusCode.UNAVAILABLE, "later", pushback_ms="900000")
    service.offer("comes_back_late", pushback)
    provider = await connect(service, deadline_seconds=1000)
    for tool in ("hangs", "comes_back_late"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await provider.invoke(tool, {})


async def test_a_read_is_tried_again_until_it_works(service, connect) -> None:
    service.offer("tool", in_turn(UNAVAILABLE, UNAVAILABLE, echoes()))
    provider = await connect(service)
    assert await provider.invoke("tool", {"symbol": "BTCUSDT"}) == {"symbol": "BTCUSDT"}
    assert len(service.calls) == 3
    assert len({call.correlation_id for call in service.calls}) == 1


async def test_a_read_is_tried_three_times_at_most(service, connect) -> None:
    service.offer("tool", UNAVAILABLE)
    provider = await connect(service)
    with pytest.raises(Unavailable, match=r"market is unavailable \(the exchange is down\); retry"):
        await provider.invoke("tool", {})
    assert len(service.calls) == 3


async def test_a_provider_that_says_unavailable_itself_is_still_up(service, connect) -> None:
    service.offer("tool", UNAVAILABLE)
    provider = await connect(service)
    await provider.listed(within_seconds=5)
    with pytest.raises(Unavailable):
        await provider.invoke("tool", {})
    assert provider.status.state is State.UP


async def test_a_write_is_never_tried_again(service, connect) -> None:
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
    "code",
    [
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.NOT_FOUND,
    ],
)
async def test_what_would_fail_again_is_not_tried_again(service, connect, code) -> None:
    service.offer("tool", fails(code, "no"))
    provider = await connect(service)
    with pytest.raises(Exception, match=r"market|no"):
        await provider.invoke("tool", {})
    assert len(service.calls) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
async def test_a_read_comes_back_when_the_service_asks_it_to(service, connect, code) -> None:
    service.offer("tool", in_turn(fails(code, "slow down", pushback_ms="150"), echoes()))
    provider = await connect(service)
    await provider.invoke("tool", {})
    first, second = service.calls
    assert second.at - first.at > 0.14


async def test_a_wait_beyond_the_deadline_is_handed_to_the_caller(service, connect) -> None:
    service.offer(
        "tool", fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", pushback_ms="60000")
    )
    provider = await connect(service)
    with pytest.raises(RateLimited, match="slow down; retry in 60 s") as caught:
        await provider.invoke("tool", {})
    assert caught.value.retry_after_seconds == 60
    assert len(service.calls) == 1


@pytest.mark.parametrize("pushback", ["-1", "nonsense", "nan"])
async def test_a_service_can_forbid_that_a_read_is_tried_again(service, connect, pushback) -> None:
    service.offer("tool", fails(grpc.StatusCode.UNAVAILABLE, "closed", pushback_ms=pushback))
    provider = await connect(service)
    with pytest.raises(Unavailable, match="closed"):
        await provider.invoke("tool", {})
    assert len(service.calls) == 1


async def test_a_hundred_calls_at_once_are_served_or_told_to_come_back(service, connect) -> None:
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


async def test_calls_beyond_the_limit_take_their_turn(service, connect) -> None:
    service.offer("tool", echoes())
    provider = await connect(service, max_concurrent=4, queue_seconds=5)
    answers_ = await asyncio.gather(*(provider.invoke("tool", {"n": n}) for n in range(100)))
    assert answers_ == [{"n": n} for n in range(100)]
    assert service.most_running <= 4


async def test_calls_that_hang_do_not_make_a_provider_look_dead(service, connect) -> None:
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


async def test_a_call_in_flight_ends_with_an_error_when_the_gateway_closes(service) -> None:
    service.offer("tool", waits(asyncio.Event(), answers({})))
    async with Provider("market", service.address) as provider:
        call = asyncio.create_task(provider.invoke("tool", {}))
        async with asyncio.timeout(5):
            await service.called(1)
    with pytest.raises(Unavailable, match="not connected"):
        await call


async def test_an_address_whose_host_is_unknown_is_said_plainly(states) -> None:
    async with Provider("market", "host.invalid:50053") as provider:
        assert await states.next() == "down"
        assert provider.status.error == "the host of host.invalid:50053 is not known"


async def test_a_server_that_is_no_grpc_server_is_down_and_not_fatal(states) -> None:
    async with (
        speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address,
        Provider("market", address, deadline_seconds=1) as provider,
    ):
        assert await states.next() == "down"
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await provider.invoke("tool", {})


async def test_a_server_that_takes_connections_and_says_nothing_ends_at_the_deadline(
    states,
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
