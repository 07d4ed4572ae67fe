"""The nine tools of routing, called by the official clients and over HTTP, rightly and wrongly."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from mcp.shared.exceptions import MCPError

from tests.acceptance.router_processes import provider
from tests.acceptance.routing_office import (
    OWNER,
    WAYS,
    Office,
    answering,
    caller,
    free,
    key_of,
)
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import refused, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

FREE, PAID = "openrouter/free-one:free", "openrouter/paid-one"
SORT = "Write a Python function that sorts a list of intervals, with unit tests for it."
SUM = {"task_id": "sum", "task": "What is 17 + 25?", "context_length": 100, "check": 42}
CITY = {"task_id": "city", "task": "Name Norway's capital.", "context_length": 0, "check": "Oslo"}
ANSWERS = {"17 + 25": "It is 42.", "Norway": "Oslo"}
BUDGET = {"name": "month", "budget_usd": 5, "window": "month"}
STRATEGIES = "set_model_prompting_strategy"
NINE = {
    "route_task",
    "preemptive_route_task",
    "get_cost_estimate",
    "benchmark_task",
    "benchmark_tasks",
    "get_free_models",
    "clear_openrouter_tracking",
    "benchmark_free_models",
    STRATEGIES,
}
STRATEGY = {
    "system_prompt": "Answer in one line.",
    "user_template": "Q: {prompt}",
    "assistant_template": "A: {response}",
    "use_chat_format": True,
}


@dataclass(frozen=True, slots=True)
class World:
    office: Office
    stand_in: LlmStandIn

    @property
    def url(self) -> str:
        return self.office.router.url

    def http(self, key: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, trust_env=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    offers = [
        free("free-one"),
        Offer("paid-one", Decimal(1), Decimal(10), cache_read=Decimal("0.25")),
        Offer("small-one", Decimal("0.5"), Decimal(2), context_tokens=8_000),
    ]
    async with (
        LlmStandIn("openrouter", offers=offers) as stand_in,
        LlmStandIn("nanogpt", offers=[Offer("covered", is_included=True)]) as covered,
    ):
        stand_in.always("*", answering(ANSWERS))
        callers = [caller("guest", "openrouter/*"), caller("other", "*")]
        settings = {
            "providers": [provider(stand_in), provider(covered)],
            "callers": callers,
            "limits": [BUDGET],
        }
        folder = tmp_path_factory.mktemp("office")
        async with Office(folder, settings=settings) as office:
            yield World(office, stand_in)


@pytest.mark.parametrize("way", WAYS)
async def test_all_nine_answer(world: World, way: str) -> None:
    async with WAYS[way](world.url, OWNER) as client:

        async def call(name: str, **arguments: Any) -> Any:
            return said(await client.call_tool(name, arguments))

        assert {tool.name for tool in (await client.list_tools()).tools} >= NINE

        before = len(world.stand_in.requests)
        route = await call("route_task", task=SORT, context_length=3_000)
        assert (route["task"], route["tier"], route["expected_cost_usd"]) == ("coding", "free", 0)
        assert route["decided_by"]
        assert route["reasoning"]
        assert {one["model"] for one in route["alternatives"]} >= {PAID}
        assert route["comparison"]["saved_usd"] > 0
        hard = await call(
            "route_task",
            task="coding",
            context_length=60_000,
            expected_output_length=2_000,
            complexity="high",
            priority="quality",
        )
        assert hard["decided_by"][0] == "task was given by the caller"
        assert (hard["complexity_level"], hard["priority"]) == ("high", "quality")
        assert hard["excluded"]["context"] == 1
        quick = await call("preemptive_route_task", task=SORT, context_length=3_000)
        same = await call("route_task", task=SORT, context_length=3_000, preemptive=True)
        assert quick == same
        assert quick["is_preemptive"]
        assert "quotas and budgets" in quick["unchecked"]

        tokens = {"context_length": 10_000, "expected_output_length": 1_000}
        every = await call("get_cost_estimate", **tokens)
        # What the subscription includes can be paid for too.
        assert [(one["tier"], one["total_microusd"]) for one in every["estimates"]] == [
            ("free", 0),
            ("free", 0),
            ("paid", 7_000),
            ("paid", 20_000),
        ]
        assert every["too_small"] == 1
        assert every["cheapest_paid"]["model"] == "nanogpt/covered"
        [named] = (await call("get_cost_estimate", model="paid-one", **tokens))["estimates"]
        assert named["total_microusd"] == 20_000
        assert (named["input_usd"], named["output_usd"]) == (0.01, 0.01)
        assert named["cached_input_total_usd"] == 0.0125
        assert named["price_as_of"]
        assert len(world.stand_in.requests) == before

        listed = await call("get_free_models", refresh=True)
        assert {one["id"] for one in listed["models"]} == {FREE, "nanogpt/covered"}
        assert {one["provider"] for one in listed["lists"]} == {"openrouter", "nanogpt"}
        assert {one["outcome"] for one in listed["lists"]} <= {"refreshed", "too_soon"}

        one_task = await call(
            "benchmark_task", **SUM, local_model=FREE, paid_model=PAID, runs_per_task=2
        )
        assert one_task["task_id"] == "sum"
        assert len(world.stand_in.requests) == before + 4
        assert {model["model"] for model in one_task["models"]} == {FREE, PAID}
        both = [{**SUM, "local_model": FREE}, {**CITY, "local_model": FREE}]
        several = await call("benchmark_tasks", tasks=both, parallel=True, max_parallel_tasks=2)
        [run] = several["benchmarks"]
        assert {(each["case_id"], each["quality"]) for each in run["results"]} == {
            ("sum", 1.0),
            ("city", 1.0),
        }
        ours = await call("benchmark_free_models", max_models=1, max_cases=2, runs_per_task=1)
        assert len(ours["models"]) == 1

        strategy = await call(STRATEGIES, model_id=PAID, **STRATEGY)
        assert strategy["strategy"] == STRATEGY
        assert strategy["example"][-1] == {"role": "user", "content": "Q: And of Denmark?"}
        removed = await call(STRATEGIES, model_id=PAID)
        assert removed["strategy"] is None

        cleared = await call("clear_openrouter_tracking")
        assert cleared["providers"] == ["openrouter"]
        assert cleared["is_list_new"]
        assert cleared["forgotten"]["evidence"] > 0
        assert cleared["models"] == 3


ROUTE = {"task": SORT, "context_length": 10}
# A tool, what it was given, and what its error says of it.
Wrong = tuple[str, Mapping[str, Any], str]
WRONG: list[Wrong] = [
    ("route_task", {"task": SORT}, "context_length is missing, a whole number"),
    ("route_task", {**ROUTE, "task": ""}, "task must have at least 1 character"),
    ("route_task", {**ROUTE, "context_length": -1}, "context_length must be at least 0, not -1"),
    ("route_task", {**ROUTE, "context_length": "many"}, 'a whole number, not the string "many"'),
    ("route_task", {**ROUTE, "expected_output_length": 0}, "must be at least 1, not 0"),
    ("route_task", {**ROUTE, "complexity": "extreme"}, "'extreme'; it takes low, medium, high"),
    ("route_task", {**ROUTE, "complexity": 1.5}, "'1.5'; it takes low, medium, high, or a number"),
    ("route_task", {**ROUTE, "priority": "luck"}, '"quality", not the string "luck"'),
    ("route_task", {**ROUTE, "contextlength": 9}, "contextlength is not one of its arguments"),
    ("preemptive_route_task", {**ROUTE, "preemptive": True}, "preemptive is not one of its"),
    ("preemptive_route_task", {**ROUTE, "priority": 3}, "not the whole number 3"),
    ("get_cost_estimate", {"context_length": 99_000_000}, "at most 10000000, not 99000000"),
    ("get_cost_estimate", {"context_length": 1, "model": "paid-on"}, f"Did you mean: {PAID}?"),
    ("benchmark_task", {**SUM, "task_id": "my sum"}, "task_id is 'my sum'; it takes up to 64"),
    ("benchmark_task", {**SUM, "runs_per_task": 11}, "runs_per_task must be at most 10, not 11"),
    ("benchmark_task", {**SUM, "local_model": "nobody/x"}, "has a model 'nobody/x'"),
    ("benchmark_task", {**SUM, "check": {"luck": 1}}, "one of expected, number, contains, json"),
    ("benchmark_task", {**SUM, "budget_usd": -1}, "budget_usd must be at least 0, not -1"),
    ("benchmark_tasks", {"tasks": []}, "tasks has 0 of them; it takes 1 to 20"),
    ("benchmark_tasks", {"tasks": [SUM, SUM]}, "two tasks have the task_id 'sum'"),
    ("benchmark_tasks", {"tasks": [SUM], "max_parallel_tasks": 9}, "must be at most 8, not 9"),
    ("benchmark_free_models", {"max_models": 0}, "max_models must be at least 1, not 0"),
    ("benchmark_free_models", {"max_cases": 21}, "max_cases must be at most 20, not 21"),
    ("get_free_models", {"refresh": "perhaps"}, "refresh must be true or false, not the string"),
    ("clear_openrouter_tracking", {"provider": "x"}, "provider is not one of its arguments"),
    (STRATEGIES, {"model_id": "paid"}, "no model 'paid' that this key may use"),
    (STRATEGIES, {"model_id": PAID, "user_template": "Q:"}, "user_template: {prompt} is missing"),
    (STRATEGIES, {"model_id": PAID, "user_template": "{prompt} {x}"}, "{x} stands for nothing"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_wrong_is_named_with_what_would_be_right(world: World, way: str) -> None:
    before = len(world.stand_in.requests)
    async with WAYS[way](world.url, OWNER) as client:
        errors = [refused(await client.call_tool(name, dict(given))) for name, given, _ in WRONG]
    assert not _unclear(WRONG, errors)
    assert len(world.stand_in.requests) == before


def _unclear(wrong: Sequence[Wrong], errors: Sequence[str]) -> list[str]:
    return [error for (_, _, words), error in zip(wrong, errors, strict=True) if words not in error]


PATHS = {
    "route_task": "/v1/routing/route",
    "preemptive_route_task": "/v1/routing/preemptive",
    "get_cost_estimate": "/v1/routing/cost-estimate",
    "clear_openrouter_tracking": "/v1/routing/clear-openrouter-tracking",
}


async def test_http_takes_answers_and_refuses_as_mcp_does(world: World) -> None:
    async with world.http(OWNER) as client:
        wrong = [one for one in WRONG if one[0] in PATHS]
        answers = [await client.post(PATHS[name], json=given) for name, given, _ in wrong]
        assert {answer.status_code for answer in answers} == {400, 404}
        assert not _unclear(wrong, [answer.json()["error"]["message"] for answer in answers])
        route = (await client.post(PATHS["route_task"], json=ROUTE)).json()
        quick = (await client.post(PATHS["preemptive_route_task"], json=ROUTE)).json()
        assert (route["task"], route["is_preemptive"]) == ("coding", False)
        assert (quick["task"], quick["is_preemptive"]) == ("coding", True)
        asked: dict[str, int | str] = {
            "context_length": 10_000,
            "expected_output_length": 1_000,
            "model": "paid-one",
        }
        posted = await client.post(PATHS["get_cost_estimate"], json=asked)
        got = await client.get(PATHS["get_cost_estimate"], params=asked)
        assert posted.json() == got.json()
        listed = (await client.get("/v1/routing/free-models")).json()
        assert listed["total"] == 2
        cleared = (await client.post(PATHS["clear_openrouter_tracking"])).json()
        assert cleared["providers"] == ["openrouter"]
        body = {"models": [FREE], "cases": [SUM, CITY], "runs": 1, "parallel": 2}
        run = (await client.post("/v1/benchmarks", json=body)).json()
        assert (run["status"], run["done"], run["spent_usd"]) == ("done", 2, 0)
    async with world.http(key_of("guest")) as client:
        answer = await client.post(PATHS["clear_openrouter_tracking"])
        assert answer.status_code in (403, 404)
        own = {**SUM, "check": {"unit_tests": "assert True"}}
        answer = await client.post("/v1/benchmarks", json={"models": [FREE], "cases": [own]})
        assert answer.status_code == 403
        assert "owner" in answer.json()["error"]["message"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_guest_sees_all_but_the_one_that_forgets(world: World, way: str) -> None:
    async with WAYS[way](world.url, key_of("guest")) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert NINE - names == {"clear_openrouter_tracking"}
        listed = said(await client.call_tool("get_free_models", {}))
        assert [one["id"] for one in listed["models"]] == [FREE]
        with_model = {"context_length": 1, "model": "nanogpt/covered"}
        assert "nanogpt/covered" in refused(await client.call_tool("get_cost_estimate", with_model))


async def test_a_strategy_words_the_calls_of_its_caller_also_after_a_restart(
    world: World,
) -> None:
    talk: Any = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "How are you?"},
    ]

    async def received(name: str) -> list[str]:
        """What the model was told when this caller asked."""
        async with world.office.router.openai(api_key=key_of(name)) as client:
            await client.chat.completions.create(model=FREE, messages=talk)
        return [one["content"] for one in world.stand_in.requests[-1].body["messages"]]

    plain = [one["content"] for one in talk]
    worded = ["Answer in one line.\n\nBe kind.", "Q: Hello.", "A: Hello!", "Q: How are you?"]
    assert await received("guest") == plain
    async with WAYS["SSE"](world.url, key_of("guest")) as client:
        arguments = {"model_id": FREE, **STRATEGY}
        said(await client.call_tool(STRATEGIES, arguments))
    assert await received("guest") == worded
    assert await received("other") == plain

    await world.office.restart()
    assert await received("guest") == worded
    assert await received("other") == plain
    path = f"/v1/models/{FREE}/prompting-strategy"
    async with world.http(key_of("guest")) as client:
        assert (await client.get(path)).json()["strategy"] == STRATEGY
        one_message = {"use_chat_format": False}
        assert (await client.put(path, json=one_message)).json()["strategy"]
        [flat] = await received("guest")
        assert [flat.find(text) for text in plain] == sorted(flat.find(text) for text in plain)
        assert (await client.delete(path)).json()["strategy"] is None
    assert await received("guest") == plain


@pytest.mark.parametrize("way", WAYS)
async def test_resources_are_listed_and_every_one_can_be_read(world: World, way: str) -> None:
    office = world.office
    world.stand_in.always("paid-one", Answer("Oslo", input_tokens=10))
    body = {"models": [PAID], "cases": [CITY], "budget_usd": 0.5}
    run_id = (await office.post("/v1/benchmarks", body))["id"]
    strategy = {"system_prompt": "Be brief."}
    async with world.http(OWNER) as http:
        await http.put(f"/v1/models/{PAID}/prompting-strategy", json=strategy)
    async with WAYS[way](world.url, OWNER) as client:

        async def read(uri: str) -> str:
            [content] = (await client.read_resource(uri)).contents
            text: str = content.text
            return text

        addresses = {one.uri for one in (await client.list_resources()).resources}
        assert addresses == {"gateway://status", "gateway://models", "gateway://free-models"}
        templates = (await client.list_resource_templates()).resource_templates
        assert {one.uri_template for one in templates} == {
            "gateway://usage/{provider}",
            "gateway://model/{+id}",
            "gateway://prompting-strategy/{+id}",
            "gateway://benchmark/{+id}",
        }
        status = json.loads(await read("gateway://status"))
        assert status["status"] == "ready"
        assert set(status["providers"]) == {"openrouter", "nanogpt"}
        assert json.loads(await read("gateway://models"))["total"] == 4
        assert json.loads(await read("gateway://free-models"))["total"] == 2
        usage = json.loads(await read("gateway://usage/openrouter"))
        assert PAID in {line["model"] for line in usage["by_model"]}
        assert usage["total"]["calls"] > 0
        assert PAID in await read(f"gateway://model/{PAID}")
        kept = json.loads(await read(f"gateway://prompting-strategy/{PAID}"))
        assert kept["strategy"]["system_prompt"] == "Be brief."
        assert f"{PAID} has quality 1.00" in await read(f"gateway://benchmark/{run_id}")
        for uri, near in (
            ("gateway://modls", "gateway://models"),
            (f"gateway://model/{PAID}x", f"gateway://model/{PAID}"),
            ("gateway://benchmark/none", f"gateway://benchmark/{run_id}"),
            ("gateway://usage/nobody", "openrouter"),
        ):
            with pytest.raises(MCPError, match=near):
                await read(uri)
