"""The documents of the demonstration warehouse, over a real server and a real connection."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.documents.freshness import Freshness
from gateway.documents.query import Lexicon
from gateway.documents.registry import Registry, SearchSettings
from gateway.documents.source import DocumentSource
from gateway.downstream.backoff import Backoff
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import MethodExposure
from gateway.sources.grpc.sources import GrpcSources
from tests.stand_ins.inventory import Inventory, InventoryServer


@dataclass(slots=True)
class Seconds:
    """A clock that only a test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Warehouse:
    server: InventoryServer
    service: GrpcService
    sources: GrpcSources
    registry: Registry
    seconds: Seconds = field(default_factory=Seconds)

    @property
    def inventory(self) -> Inventory:
        return self.server.inventory

    async def found(self, question: str) -> list[str]:
        return [result.id for result in (await self.registry.search(question)).results]


@asynccontextmanager
async def warehouse_of(
    server: InventoryServer,
    *,
    first: Sequence[DocumentSource] = (),
    lexicons: Sequence[Lexicon] = (),
    exposure: MethodExposure | None = None,
    settings: SearchSettings | None = None,
) -> AsyncIterator[Warehouse]:
    seconds = Seconds()
    service = connected("warehouse", server, exposure)
    async with server, service, Freshness(monotonic=seconds) as freshness:
        await service.discovered(within_seconds=5)
        async with GrpcSources([service], freshness, monotonic=seconds) as sources:
            registry = Registry(
                first,
                freshness,
                public_url="https://gateway.example",
                lexicons=sources.lexicons(lexicons),
                settings=settings,
                later=sources.current,
            )
            await sources.listed(within_seconds=5)
            yield Warehouse(server, service, sources, registry, seconds)


def connected(
    name: str, server: InventoryServer, exposure: MethodExposure | None = None
) -> GrpcService:
    return GrpcService(
        name,
        server.address,
        exposure=exposure or MethodExposure(),
        probe_seconds=60,
        backoff=Backoff(first_seconds=0.01, most_seconds=0.05),
    )
