"""Any gRPC service over a real connection: found, called, streamed, lost and back again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2

from gateway.downstream.backoff import Backoff
from gateway.downstream.grpc.descriptors import DescriptorSource
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import ExposedMethod, MethodExposure, Saying
from gateway.downstream.service import Tls
from gateway.downstream.status import State
from gateway.errors import (
    BadAnswer,
    ConfigurationError,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from tests.stand_ins.certificates import Authority
from tests.stand_ins.grpc_server import (
    PROTOS,
    Context,
    GrpcServer,
    compiled,
    reflection_handler,
    without_comments,
)
from tests.stand_ins.route_guide import FEATURES, SERVICE, RouteGuide

Open = Callable[..., Any]

ALL = MethodExposure(read=["*"])
GET, LIST = f"/{SERVICE}/GetFeature", f"/{SERVICE}/ListFeatures"
MILL = {"latitude": FEATURES[0][1], "longitude": FEATURES[0][2]}
EVERYWHERE = {
    "lo": {"latitude": 400000000, "longitude": -750000000},
    "hi": {"latitude": 420000000, "longitude": -730000000},
}


@pytest.fixture
async def connect() -> AsyncIterator[Open]:
    """Opens a service that is closed at the end of the test; waits until it is known."""
    async with AsyncExitStack() as stack:

        async def open_service(
            address: str,
            *,
            exposure: MethodExposure = ALL,
            is_awaited: bool = True,
            **settings: Any,
        ) -> GrpcService:
            settings.setdefault("backoff", Backoff(first_seconds=0.01, most_seconds=0.05))
            service = GrpcService("routes", address, exposure=exposure, **settings)
            await stack.enter_async_context(service)
            if is_awaited:
                await service.discovered(within_seconds=5)
            return service

        yield open_service


def method_of(service: GrpcService, name: str) -> ExposedMethod:
    return next(method for method in service.methods if method.name == name)


async def changed(service: GrpcService, *, until: Callable[[], bool]) -> None:
    news = asyncio.Event()
    service.on_change = news.set
    async with asyncio.timeout(8):
        while not until():
            await news.wait()
            news.clear()
    service.on_change = None


class States(logging.Handler):
    """The states that were logged, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self._changes: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        for state in ("up", "down"):
            if f"state={state}" in record.getMessage():
                self._changes.put_nowait(state)

    async def next(self) -> str:
        async with asyncio.timeout(8):
            return await self._changes.get()


@pytest.fixture
def states() -> Iterator[States]:
    logger = logging.getLogger("gateway.downstream.watch")
    handler, level = States(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_an_unmodified_service_is_found_by_either_reflection_and_called(
    version: str, connect: Open
) -> None:
    async with RouteGuide(reflects=[version]) as server:
        service = await connect(server.address)
        assert [method.path for method in service.methods] == [GET, LIST]
        assert service.status.state is State.UP
        assert service.status.error is None
        answer = await service.call(method_of(service, "GetFeature"), MILL)
        assert answer == {"name": "Old Mill", "location": MILL}


async def test_a_stream_is_told_message_by_message_and_gathered(connect: Open) -> None:
    async with RouteGuide() as server:
        service = await connect(server.address)
        heard: list[int] = []

        async def hear(count: int) -> None:
            heard.append(count)

        answer = await service.call(method_of(service, "ListFeatures"), EVERYWHERE, on_message=hear)
        assert [message["name"] for message in answer["messages"]] == [one[0] for one in FEATURES]
        assert (answer["count"], answer["is_cut"]) == (4, False)
        assert heard == [1, 2, 3, 4]


def endless(server: GrpcServer, ended: asyncio.Event) -> Callable[..., AsyncIterator[Any]]:
    async def behave(_: Any, __: Context) -> AsyncIterator[Any]:
        try:
            while True:
                yield server.message("routeguide.Feature", name="x" * 100)
        finally:
            ended.set()

    return behave


@pytest.mark.parametrize(
    ("limits", "why"),
    [({"max_messages": 3}, "more than 3 messages"), ({"max_bytes": 1_000}, "more than 1000 bytes")],
)
async def test_an_endless_stream_is_cut_and_cancelled(
    limits: dict[str, int], why: str, connect: Open
) -> None:
    async with RouteGuide() as server:
        ended = asyncio.Event()
        server.behaviours[LIST] = endless(server, ended)
        service = await connect(server.address, **limits)
        answer = await service.call(method_of(service, "ListFeatures"), {})
        assert (answer["is_cut"], answer["count"]) == (True, len(answer["messages"]))
        assert 0 < answer["count"] < 10
        assert why in answer["why_cut"]
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_stream_that_goes_on_is_cut_at_its_deadline(connect: Open) -> None:
    async with RouteGuide() as server:

        async def one_then_silence(_: Any, __: Context) -> AsyncIterator[Any]:
            yield server.message("routeguide.Feature", name="first")
            await asyncio.Event().wait()

        server.behaviours[LIST] = one_then_silence
        service = await connect(server.address, stream_deadline_seconds=0.3)
        answer = await service.call(method_of(service, "ListFeatures"), {})
        assert [message["name"] for message in answer["messages"]] == ["first"]
        assert answer["why_cut"] == "it was not at its end after 0.3 s"


async def test_a_stream_from_which_nothing_comes_fails_at_its_deadline(connect: Open) -> None:
    async with RouteGuide() as server:

        async def silence(_: Any, __: Context) -> AsyncIterator[Any]:
            await asyncio.Event().wait()
            yield None

        server.behaviours[LIST] = silence
        service = await connect(server.address, stream_deadline_seconds=0.2)
        with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"):
            await service.call(method_of(service, "ListFeatures"), {})


async def test_whoever_stops_listening_ends_the_stream_at_the_service(connect: Open) -> None:
    async with RouteGuide() as server:
        ended, begun = asyncio.Event(), asyncio.Event()
        server.behaviours[LIST] = endless(server, ended)

        async def stall(_: int) -> None:
            begun.set()
            await asyncio.Event().wait()

        service = await connect(server.address)
        call = asyncio.create_task(
            service.call(method_of(service, "ListFeatures"), {}, on_message=stall)
        )
        async with asyncio.timeout(5):
            await begun.wait()
            call.cancel()
            await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_stream_that_broke_before_its_first_message_is_read_again(connect: Open) -> None:
    async with RouteGuide() as server:
        whole = server.behaviours[LIST]
        attempts = 0

        async def second_time(request: Any, context: Context) -> AsyncIterator[Any]:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
            features = whole(request, context)
            assert isinstance(features, AsyncIterator)
            async for feature in features:
                yield feature

        server.behaviours[LIST] = second_time
        service = await connect(server.address)
        answer = await service.call(method_of(service, "ListFeatures"), EVERYWHERE)
        assert (answer["count"], attempts) == (4, 2)


async def test_a_stream_that_writes_is_sent_once(connect: Open) -> None:
    async with RouteGuide() as server:
        attempts = 0

        async def fails(_: Any, context: Context) -> AsyncIterator[Any]:
            nonlocal attempts
            attempts += 1
            yield await context.abort(grpc.StatusCode.UNKNOWN, "broke")

        server.behaviours[LIST] = fails
        service = await connect(server.address, exposure=MethodExposure(write=["*"]))
        with pytest.raises(OutcomeUnknown):
            await service.call(method_of(service, "ListFeatures"), {})
        assert attempts == 1


async def test_what_a_service_does_not_answer_ends_at_the_deadline(connect: Open) -> None:
    async with RouteGuide() as server:

        async def never(_: Any, __: Context) -> Any:
            await asyncio.Event().wait()

        server.behaviours[GET] = never
        service = await connect(server.address, deadline_seconds=0.3)
        with pytest.raises(DeadlineExceeded, match=r"routes did not answer within 0\.3 s"):
            await service.call(method_of(service, "GetFeature"), MILL)


async def test_arguments_that_do_not_fit_are_never_sent(connect: Open) -> None:
    async with RouteGuide() as server:
        service = await connect(server.address)
        with pytest.raises(InvalidRequest, match="latitud is no field of Point; did you mean lat"):
            await service.call(method_of(service, "GetFeature"), {"latitud": 1})
        assert GET not in server.calls


async def test_an_answer_that_is_too_large_or_no_message_is_a_bad_one(connect: Open) -> None:
    async with RouteGuide() as server:
        service = await connect(server.address, max_bytes=1_000)

        async def large(_: Any, __: Context) -> Any:
            return server.message("routeguide.Feature", name="x" * 2_000)

        async def garbage(_: Any, __: Context) -> bytes:
            return b"\xff\xff"

        for behaviour, says in ((large, "1000 is the most"), (garbage, "is not /routeguide")):
            server.behaviours[GET] = behaviour
            with pytest.raises(BadAnswer, match=says):
                await service.call(method_of(service, "GetFeature"), MILL)


async def test_only_so_many_calls_run_at_once(connect: Open) -> None:
    async with RouteGuide() as server:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def waits(_: Any, __: Context) -> Any:
            begun.set()
            await go_on.wait()
            return server.message("routeguide.Feature")

        server.behaviours[GET] = waits
        service = await connect(server.address, max_concurrent=1, queue_seconds=0.05)
        get = method_of(service, "GetFeature")
        first = asyncio.create_task(service.call(get, MILL))
        async with asyncio.timeout(5):
            await begun.wait()
            with pytest.raises(RateLimited, match="busy with 1 calls"):
                await service.call(get, MILL)
            go_on.set()
            await first


async def test_metadata_goes_with_every_call_and_into_no_log(
    connect: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="gateway")
    async with RouteGuide() as server:
        metadata = {"authorization": "Bearer open-sesame"}
        service = await connect(server.address, metadata=metadata)
        for name in ("GetFeature", "ListFeatures"):
            await service.call(method_of(service, name), {})
            assert server.metadata["authorization"] == "Bearer open-sesame"
            assert server.metadata["x-correlation-id"]
        assert "open-sesame" not in caplog.text + repr(service) + str(service.status)


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("set.pb").write_bytes(compiled("route_guide.proto").SerializeToString())


@pytest.mark.parametrize(
    "source",
    [
        DescriptorSource(proto_root=PROTOS, protos=("route_guide.proto",)),
        DescriptorSource(descriptor_set=Path("set.pb")),
    ],
    ids=["protos", "descriptor set"],
)
async def test_a_service_without_reflection_is_described_by_files_even_while_it_is_away(
    source: DescriptorSource, connect: Open, states: States, described: None
) -> None:
    server = RouteGuide(reflects=[])
    service = await connect(server.address, source=source)
    get = method_of(service, "GetFeature")
    with pytest.raises(Unavailable, match="routes is unavailable"):
        await service.call(get, MILL)
    assert await states.next() == "down"
    async with server:
        assert await states.next() == "up"
        assert (await service.call(get, MILL))["name"] == "Old Mill"


async def test_a_service_without_reflection_and_files_says_what_to_do(
    connect: Open, states: States
) -> None:
    async with RouteGuide(reflects=[]) as server:
        service = await connect(server.address, is_awaited=False)
        assert await states.next() == "down"
        assert "name its descriptor_set or its protos" in (service.status.error or "")
        assert service.methods == ()


async def test_options_of_a_proto_arrive_by_reflection(connect: Open) -> None:
    descriptors = without_comments(compiled("shop.proto"))

    async def price(request: Any, _: Context) -> Any:
        return server.message("shop.Price", article=request.article, size=request.size, cents=5)

    server = GrpcServer(descriptors, {"/shop.Shop/GetPrice": price})
    async with server:
        service = await connect(server.address, exposure=MethodExposure())
        get = method_of(service, "GetPrice")
        assert get.document is not None
        assert (get.document.id, get.document.values) == ("price:{article}:{size}", "ListPrices")
        answer = await service.call(get, {"article": "tea", "size": "LARGE"})
        assert answer == {"article": "tea", "size": "LARGE", "cents": 5}
        assert {method.name for method in service.methods} >= {"Buy", "Keep", "Look"}


async def test_mistakes_are_in_the_status_and_the_log_and_hurt_nothing_else(
    connect: Open, caplog: pytest.LogCaptureFixture
) -> None:
    sayings = {f"{SERVICE}.GetFeature": Saying(document={"id": "feature:{latitud}"})}
    exposure = MethodExposure(read=[f"{SERVICE}.ListFeature"], sayings=sayings)
    async with RouteGuide() as server:
        service = await connect(server.address, exposure=exposure)
        error = service.status.error or ""
        assert service.status.state is State.UP
        assert "near it are routeguide.RouteGuide.ListFeatures" in error
        assert "'latitud' is no field of Point; near it are latitude" in error
        assert "near it are routeguide.RouteGuide.ListFeatures" in caplog.text


async def test_reflection_and_health_are_never_shown(connect: Open) -> None:
    async with RouteGuide() as server:
        service = await connect(server.address)
        assert all(method.path.startswith("/routeguide.") for method in service.methods)


async def test_a_service_that_restarts_is_used_again(connect: Open, states: States) -> None:
    async with RouteGuide() as server:
        service = await connect(server.address)
        assert await states.next() == "up"
        get, revision = method_of(service, "GetFeature"), service.revision
        await server.stop()
        assert await states.next() == "down"
        with pytest.raises(Unavailable, match="retry in"):
            await service.call(get, MILL)
        await server.start()
        assert await states.next() == "up"
        assert (await service.call(get, MILL))["name"] == "Old Mill"
        assert service.revision is revision


async def test_a_service_that_comes_back_with_other_methods_is_read_again(connect: Open) -> None:
    async with RouteGuide() as server:
        service = await connect(server.address)
        get, revision = method_of(service, "GetFeature"), service.revision
        descriptors = without_comments(compiled("route_guide.proto"))
        del descriptors.file[0].service[0].method[0]
        await server.stop()
        server.redefine(descriptors, {LIST: server.behaviours[LIST]})
        await server.start()
        await changed(service, until=lambda: service.revision is not revision)
        assert [method.path for method in service.methods] == [LIST]
        with pytest.raises(NotFound, match=r"has no method .*GetFeature"):
            await service.call(get, MILL)


async def test_a_method_that_is_gone_makes_us_look_again(connect: Open) -> None:
    async with RouteGuide() as server:
        service = await connect(server.address, probe_seconds=600)
        get, revision = method_of(service, "GetFeature"), service.revision
        descriptors = without_comments(compiled("route_guide.proto"))
        del descriptors.file[0].service[0].method[0]
        del server.behaviours[GET]
        server.reflect(descriptors)
        with pytest.raises(BadAnswer):
            await service.call(get, MILL)
        await changed(service, until=lambda: service.revision is not revision)
        assert [method.path for method in service.methods] == [LIST]


async def test_a_service_may_come_late_and_callers_are_told(connect: Open) -> None:
    server = RouteGuide()
    service = await connect(server.address, is_awaited=False)
    await service.discovered(within_seconds=0.01)
    assert service.methods == ()
    async with server:
        await service.discovered(within_seconds=5)
        assert len(service.methods) == 2


async def test_a_mutual_tls_service_knows_who_calls(connect: Open, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("gateway"), authority.issue("127.0.0.1")
    credentials = grpc.ssl_server_credentials(
        [(theirs.key_file.read_bytes(), theirs.certificate_file.read_bytes())],
        root_certificates=authority.ca_file.read_bytes(),
        require_client_auth=True,
    )
    async with RouteGuide(credentials=credentials) as server:
        known = Tls(authority.ca_file, ours.certificate_file, ours.key_file)
        service = await connect(server.address, tls=known)
        answer = await service.call(method_of(service, "GetFeature"), MILL)
        assert answer["name"] == "Old Mill"
        stranger = await connect(
            server.address, tls=Tls(authority.ca_file), is_awaited=False, probe_seconds=0.05
        )
        await stranger.discovered(within_seconds=0.5)
        assert stranger.methods == ()


class Hostile:
    """Its reflection answers whatever it is told to."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def ServerReflectionInfo(
        self, requests: AsyncIterator[Any], _: Context
    ) -> AsyncIterator[Any]:
        listed = {"service": [{"name": "evil.Service"}]}
        async for request in requests:
            self.asked += 1
            if request.HasField("list_services"):
                yield reflection_pb2.ServerReflectionResponse(list_services_response=listed)
                continue
            for answer in self.answers:
                yield answer


def files(*raw: bytes) -> Any:
    return reflection_pb2.ServerReflectionResponse(
        file_descriptor_response={"file_descriptor_proto": list(raw)}
    )


def descriptor(name: str, **fields: Any) -> bytes:
    return bytes(FileDescriptorProto(name=name, package="evil", **fields).SerializeToString())


EVIL_SERVICE = {"service": [{"name": "Service"}]}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (files(b"\xff" * 100), "descriptor that is none"),
        (files(descriptor("big", syntax="x" * 2_000_000)), "1048576 is the most"),
        (files(*[descriptor("big", syntax="x" * 1_000_000)] * 9), "too large"),
        (files(*[descriptor(str(number)) for number in range(2_000)]), "more than 1024"),
        (files(descriptor("me", dependency=["you"], **EVIL_SERVICE)), "sends another file"),
        (files(descriptor("me", dependency=["me"], **EVIL_SERVICE)), "imports itself"),
        (
            files(
                descriptor(
                    "me",
                    service=[
                        {
                            "name": "Service",
                            "method": [
                                {"name": "M", "input_type": ".no.Type", "output_type": ".no.Type"}
                            ],
                        }
                    ],
                )
            ),
            "makes no sense",
        ),
    ],
)
async def test_a_service_that_describes_itself_without_sense_or_end_is_down_with_the_reason(
    answer: Any, says: str, connect: Open, states: States
) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((reflection_handler(Hostile(answer), "v1"),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        service = await connect(f"127.0.0.1:{port}", is_awaited=False)
        assert await states.next() == "down"
        assert says in (service.status.error or "")
        assert service.methods == ()
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    "address",
    [
        "xds:///routes",
        "google-c2p:///routes",
        "http://localhost:50051",
        "https://localhost:50051",
        "user:secret@localhost:50051",
        "dns://8.8.8.8/localhost:50051",
        "localhost",
        "local host:50051",
        "localhost:50051\n",
        "",
    ],
)
async def test_an_address_that_lets_others_say_where_calls_go_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="routes: the address") as refusal:
        async with GrpcService("routes", address):
            pass
    assert "secret" not in str(refusal.value)


async def test_addresses_of_many_forms_lead_to_the_service(connect: Open, tmp_path: Path) -> None:
    async with RouteGuide() as server:
        for address in (
            f"dns:///localhost:{server.port}",
            f"localhost:{server.port}",
            f"ipv4:{server.address}",
        ):
            service = await connect(address)
            assert len(service.methods) == 2, address
    unix = f"unix:{tmp_path / 'routes.sock'}"
    server = RouteGuide()
    server.address = unix
    async with server:
        assert len((await connect(unix)).methods) == 2
