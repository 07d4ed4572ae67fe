import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from gateway.caller import ANONYMOUS, Caller
from gateway.endpoints.metrics import metrics_routes
from tests.endpoints.doors import doors

OWNERS, BOBS = "gw_owner", "gw_bob"
KEYS = {OWNERS: Caller("owner", is_owner=True), BOBS: Caller("bob")}


async def scraped(
    headers: dict[str, str], *, address: str = "127.0.0.1", host: str = "127.0.0.1:8080"
) -> httpx.Response:
    registry = CollectorRegistry()
    Counter("calls", "Calls of models.", ["model"], registry=registry).labels("demo/small").inc(3)
    app = doors(metrics_routes(registry), keys=KEYS, keyless=ANONYMOUS)
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        return await client.get("/metrics", headers=headers)


async def test_this_machine_reads_metrics_in_the_text_that_prometheus_knows() -> None:
    answer = await scraped({})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'calls_total{model="demo/small"} 3.0' in answer.text


async def test_a_scraper_elsewhere_needs_an_owners_key() -> None:
    elsewhere = {"address": "10.0.0.7", "host": "gateway.example"}
    assert (await scraped({}, **elsewhere)).status_code == 403
    bobs = await scraped({"authorization": f"Bearer {BOBS}"}, **elsewhere)
    assert bobs.status_code == 403
    assert "calls_total" not in bobs.text
    owners = await scraped({"authorization": f"Bearer {OWNERS}"}, **elsewhere)
    assert owners.status_code == 200


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
async def test_what_a_proxy_on_this_machine_forwards_is_not_from_this_machine(name: str) -> None:
    assert (await scraped({name: "203.0.113.9"})).status_code == 403


async def test_a_proxy_that_adds_no_header_still_forwards_the_name_that_was_asked() -> None:
    assert (await scraped({}, host="gateway.example")).status_code == 403


@pytest.mark.parametrize("version", ["abc", "", "1.x", "1..0"])
async def test_a_version_that_nobody_knows_is_no_error(version: str) -> None:
    answer = await scraped({"accept": f"application/openmetrics-text; version={version}"})
    assert answer.status_code == 200
    assert 'calls_total{model="demo/small"} 3.0' in answer.text


async def test_openmetrics_is_spoken_with_those_who_ask_for_it() -> None:
    answer = await scraped({"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
