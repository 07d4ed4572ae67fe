import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import MethodExposure, Saying
from gateway.errors import NotFound
from gateway.sources.grpc.sources import GrpcSources
from tests.sources.grpc.warehouse import connected
from tests.stand_ins.inventory import Inventory, InventoryServer, Item

ITEMS_ONLY = MethodExposure(
    sayings={"inventory.v1.Inventory.GetReservation": Saying(is_hidden=True)}
)


@asynccontextmanager
async def registry_over(*services: GrpcService) -> AsyncIterator[Registry]:
    async with Freshness() as freshness, GrpcSources(services, freshness) as sources:
        yield Registry(
            (),
            freshness,
            public_url="https://gateway.example",
            lexicons=sources.lexicons(()),
            later=sources.current,
        )


def kinds(registry: Registry) -> list[str]:
    return [source.pattern.kind for source in registry.sources]


async def test_the_documents_of_a_service_that_comes_later_are_found_then() -> None:
    server = InventoryServer()
    async with connected("warehouse", server) as service, registry_over(service) as registry:
        assert kinds(registry) == []
        with pytest.raises(NotFound, match="no kind of document is named 'item'"):
            await registry.fetch("item:BOLT-M6")
        async with server:
            await service.discovered(within_seconds=5)
            assert kinds(registry) == ["item", "reservation"]
            assert (await registry.fetch("item:BOLT-M6")).source == "warehouse"
            assert registry.added == registry.sources
        assert kinds(registry) == ["item", "reservation"]


async def test_a_kind_stays_with_whoever_had_it_first(caplog: pytest.LogCaptureFixture) -> None:
    early = InventoryServer(Inventory(items={"E": Item("E", "Early", 1, 1.0, "A")}))
    late = InventoryServer()
    async with (
        early,
        connected("late", late) as one,
        connected("early", early) as two,
        registry_over(one, two) as registry,
    ):
        await two.discovered(within_seconds=5)
        assert (await registry.fetch("item:E")).source == "early"
        with caplog.at_level(logging.WARNING):
            async with late:
                await one.discovered(within_seconds=5)
                assert (await registry.fetch("item:E")).source == "early"
                assert kinds(registry) == ["item", "reservation"]
    assert "service=late document=item is left out: documents of early" in caplog.text


@pytest.mark.parametrize("kind", ["ticker", "usage", "model"])
async def test_nobody_takes_the_name_of_the_gateways_own_documents(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    document = {"id": f"{kind}:{{sku}}"}
    exposure = MethodExposure(sayings={"inventory.v1.Inventory.GetItem": Saying(document=document)})
    server = InventoryServer()
    async with server, connected("w", server, exposure) as service:
        await service.discovered(within_seconds=5)
        with caplog.at_level(logging.WARNING):
            async with registry_over(service) as registry:
                assert kinds(registry) == ["reservation"]
    assert f"document={kind} is left out: the gateway's own documents" in caplog.text


async def test_who_may_not_see_a_service_gets_none_of_its_documents_by_another_name() -> None:
    private, public = InventoryServer(), InventoryServer()
    private.inventory.items["BOLT-M6"] = Item("BOLT-M6", "Secret bolt", 1, 1.0, "A")
    async with (
        private,
        public,
        connected("private", private) as hidden,
        connected("public", public, ITEMS_ONLY) as shown,
        Freshness() as freshness,
        GrpcSources([hidden, shown], freshness) as sources,
    ):
        await hidden.discovered(within_seconds=5)
        await shown.discovered(within_seconds=5)
        some = sources.only([shown])
        url = "https://gateway.example"
        owners = Registry((), freshness, public_url=url, later=sources.current)
        others = Registry((), freshness, public_url=url, later=some.current)
        assert (await owners.fetch("item:BOLT-M6")).title.startswith("Secret bolt")
        with pytest.raises(NotFound, match="no kind of document"):
            await others.fetch("item:BOLT-M6")
        assert some.current() is some.current() == ()


async def test_what_was_read_of_a_service_is_never_told_as_anothers_once_it_has_lost_the_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    private, public = InventoryServer(), InventoryServer()
    private.inventory.items["BOLT-M6"] = Item("BOLT-M6", "Secret bolt", 1, 1.0, "A")
    async with (
        private,
        public,
        connected("private", private) as hidden,
        connected("public", public) as shown,
        Freshness() as freshness,
        GrpcSources([hidden, shown], freshness) as sources,
    ):
        await hidden.discovered(within_seconds=5)
        await shown.discovered(within_seconds=5)
        some = sources.only([shown])
        url = "https://gateway.example"
        owners = Registry((), freshness, public_url=url, later=sources.current)
        others = Registry((), freshness, public_url=url, later=some.current)
        assert (await owners.fetch("item:BOLT-M6")).title.startswith("Secret bolt")
        # As after another release of it, which says nothing of documents.
        hidden.methods, hidden.revision = (), object()
        with pytest.raises(NotFound, match="no kind of document"):
            await others.fetch("item:BOLT-M6")
    assert "service=public document=item is left out: documents of private" in caplog.text
