"""The routing tools over HTTP: they answer as over MCP, and refuse as the other doors do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from gateway.caller import ANONYMOUS, Caller
from gateway.endpoints.models import model_routes
from gateway.endpoints.routing import routing_routes
from gateway.strategies import PromptingStrategy
from gateway.tools.toolbox import Toolbox
from tests.endpoints.doors import asking
from tests.routing_bench import FREE, PAID, SORT, Bench, bench
from tests.stand_ins.llm.server import LlmStandIn

KEYS = {
    "gw_alice": Caller("alice"),
    "gw_bob": Caller("bob", tools=("search",)),
    "gw_owner": Caller("owner", is_owner=True),
}
STRATEGY = "/v1/models/openrouter/paid-one/prompting-strategy"


@asynccontextmanager
async def door(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Bench]]:
    """A client with alice's key; a request may bring another."""
    async with (
        LlmStandIn("openrouter", offers=[FREE, PAID]) as stand_in,
        bench(folder, stand_in) as on,
    ):
        toolbox = Toolbox([on.tools.tools])
        routes = [
            *routing_routes(lambda _: toolbox, on.strategies, on.routed.catalog),
            *model_routes(on.routed.catalog),
        ]
        async with asking(routes, keys=KEYS, keyless=ANONYMOUS, key="gw_alice") as client:
            yield client, on


async def test_a_task_is_routed_by_either_path(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, _):
        task = {"task": SORT, "context_length": 1_000, "complexity": None}
        routed = (await client.post("/v1/routing/route", json=task)).json()
        quick = (await client.post("/v1/routing/preemptive", json=task)).json()
    assert routed["model"] == quick["model"] == "openrouter/free-one:free"
    assert (routed["is_preemptive"], quick["is_preemptive"]) == (False, True)


async def test_a_cost_is_estimated_by_parameters_or_by_a_body(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, _):
        asked: dict[str, str | int] = {
            "context_length": 1_000,
            "expected_output_length": 10,
            "model": "paid-one",
        }
        by_body = await client.post("/v1/routing/cost-estimate", json=asked)
        by_parameters = await client.get("/v1/routing/cost-estimate", params=asked)
        head = await client.head("/v1/routing/cost-estimate", params=asked)
    assert by_body.json() == by_parameters.json()
    assert by_body.json()["estimates"][0]["total_microusd"] == 520
    assert by_body.headers["cache-control"] == "no-store"
    assert head.status_code == 200


async def test_free_models_are_listed_and_refreshed(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, _):
        free = (await client.get("/v1/routing/free-models")).json()
        anew = (await client.get("/v1/routing/free-models?refresh=true")).json()
    assert [model["id"] for model in free["models"]] == ["openrouter/free-one:free"]
    assert [one["outcome"] for one in anew["lists"]] == ["refreshed"]


async def test_only_an_owner_has_openrouters_models_forgotten(tmp_path: Path) -> None:
    path, owner = "/v1/routing/clear-openrouter-tracking", {"authorization": "Bearer gw_owner"}
    async with door(tmp_path) as (client, _):
        refused = await client.post(path)
        cleared = await client.post(path, headers=owner)
    assert refused.status_code == 404
    assert cleared.json()["is_list_new"] is True


async def test_a_strategy_is_put_read_and_deleted_under_its_model(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, on):
        before = (await client.get(STRATEGY)).json()
        put = await client.put(STRATEGY, json={"user_template": "Q: {prompt}"})
        kept = (await client.get(STRATEGY)).json()
        others = await client.get(STRATEGY, headers={"authorization": "Bearer gw_owner"})
        assert on.strategies.all("alice") == {
            "openrouter/paid-one": PromptingStrategy(user_template="Q: {prompt}")
        }
        gone = (await client.delete(STRATEGY)).json()
        model = await client.get("/v1/models/openrouter/paid-one")
        assert on.strategies.all("alice") == {}
    assert before["strategy"] is gone["strategy"] is others.json()["strategy"] is None
    assert put.json() == kept
    assert kept["strategy"]["user_template"] == "Q: {prompt}"
    assert kept["model_id"] == "openrouter/paid-one"
    assert model.json()["id"] == "openrouter/paid-one"


async def test_what_is_wrong_is_refused_as_at_the_other_doors(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, _):
        for answer, status, said in (
            (await client.post("/v1/routing/route", json={"task": SORT}), 400, "is missing"),
            (await client.post("/v1/routing/route", content=b"{"), 400, "not JSON"),
            (await client.post("/v1/routing/route", content=b""), 400, "task is missing"),
            (
                await client.get("/v1/routing/cost-estimate?context_length=many"),
                400,
                "context_length is 'many'; it takes a whole number",
            ),
            (
                await client.get("/v1/routing/cost-estimate?context=1"),
                400,
                "there is no parameter 'context'; there are context_length",
            ),
            (
                await client.get("/v1/routing/cost-estimate?context_length=1&model=paid-on"),
                404,
                "no model 'paid-on' that this key may use",
            ),
            (
                await client.get("/v1/routing/free-models?refresh=perhaps"),
                400,
                "it takes true or false",
            ),
            (await client.put(STRATEGY, json={"user_template": "x"}), 400, "{prompt} is missing"),
            (await client.put(STRATEGY, json={"model_id": "another"}), 400, "names another model"),
            (await client.get(STRATEGY.replace("paid", "pay")), 404, "no model 'openrouter/pay"),
            (await client.get("/v1/routing/route"), 405, "Method Not Allowed"),
        ):
            assert answer.status_code == status, answer.text
            assert said in answer.json()["error"]["message"]


async def test_a_key_is_needed_and_one_that_may_use_the_tool(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, on):
        path = "/v1/routing/cost-estimate?context_length=1"
        bobs = await client.get(path, headers={"authorization": "Bearer gw_bob"})
        toolbox = Toolbox([on.tools.tools])
        routes = routing_routes(lambda _: toolbox, on.strategies, on.routed.catalog)
        async with asking(routes, keys=KEYS, keyless=ANONYMOUS) as nobody:
            assert (await nobody.get(path)).status_code == 401
            assert (await nobody.put(STRATEGY, json={})).status_code == 401
    assert bobs.status_code == 403
    assert "may not use get_cost_estimate" in bobs.json()["error"]["message"]
