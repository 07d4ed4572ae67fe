import httpx
from starlette.applications import Starlette

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.endpoints.pages import page_routes
from gateway.sources.grpc.sources import GrpcSources
from tests.sources.grpc.warehouse import connected
from tests.stand_ins.inventory import Inventory, InventoryServer, Item

URL = "https://gateway.example"
EVIL = Item("EVIL", "<script>alert(1)</script> **bold**", 1, 1.0, "[x](javascript:alert(1))")


async def test_the_citation_of_a_document_opens_once_its_service_is_there() -> None:
    server = InventoryServer(Inventory(items={"EVIL": EVIL}))
    async with (
        connected("warehouse", server) as service,
        Freshness() as freshness,
        GrpcSources([service], freshness) as sources,
    ):
        registry = Registry([], freshness, public_url=URL, later=sources.current)
        pages = Starlette(routes=page_routes(registry, public_url=URL, connector_name="Gateway"))
        transport = httpx.ASGITransport(pages)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as browser:
            assert (await browser.get("/data/item:EVIL")).status_code == 404
            async with server:
                await service.discovered(within_seconds=5)
                page = await browser.get("/data/item:EVIL")
                answer = await browser.get("/data/item:EVIL.json")
                home = await browser.get("/")
    assert page.status_code == 200
    assert "(script)alert(1)(/script) **bold**: 1 in stock" in page.text
    assert "<script>" not in page.text
    assert "<strong>bold" not in page.text
    assert 'href="javascript' not in page.text
    assert answer.json()["id"] == "item:EVIL"
    assert answer.json()["metadata"]["simulated"] == "true"
    assert "item:{sku}" in home.text
