"""Documents about choices: what would be chosen now, and why a request went where it went."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import NotFound
from gateway.llm.task import TASKS
from gateway.sources.routing import sample_request
from gateway.usage.call import Call, Settlement
from gateway.usage.entries import Told
from tests.sources.router_world import Router, opened_router


async def routed(router: Router, route_id: str, **story: object) -> None:
    """What the completion keeps of a request."""
    route = router.world.plan(sample_request("coding"), "coding").to_json()
    model = route["steps"][0]["model"]
    call = Call(
        "request", "alice", model.partition("/")[0], model, "free", task="coding", route_id=route_id
    )
    told = {**route, "answered_by": model, "tried_last": model, "outcome": "ok", **story}
    await router.call(call, Settlement(100, 20, billed_microusd=0, route=told))


@pytest.mark.parametrize("task", TASKS)
async def test_each_task_tells_what_would_be_chosen_and_why(tmp_path: Path, task: str) -> None:
    async with opened_router(tmp_path) as router:
        document = await router.registry.fetch(f"routing:{task}")
        chosen = router.world.plan(sample_request(task), task).steps[0].model.id
    assert document.metadata["model"] == chosen
    assert chosen in document.title
    assert "## Tried in this order" in document.text
    assert "## Left out" in document.text
    assert "None" not in document.text


async def test_an_unknown_task_is_not_found(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        with pytest.raises(NotFound, match="coding") as caught:
            await router.registry.fetch("routing:cooking")
    assert caught.value.suggestions[0] == "routing:coding"


async def test_a_route_tells_the_steps_the_cost_and_what_failed(tmp_path: Path) -> None:
    tried = [{"model": "openai/gpt-6-sol", "outcome": "unavailable", "error": "no answer"}]
    async with opened_router(tmp_path) as router:
        await routed(router, "r1", tried=tried)
        document = await router.registry.fetch("route:r1")
    assert document.title.startswith("Route r1: ")
    assert "| `openai/gpt-6-sol` | unavailable | no answer |" in document.text
    assert "## What it used" in document.text
    assert "| 100 | 20 | $0.00 |" in document.text
    assert document.metadata["route_id"] == "r1"


async def test_a_route_on_which_nobody_answered_names_the_last_that_was_tried(
    tmp_path: Path,
) -> None:
    tried = [
        {"model": "openai/gpt-6-sol", "outcome": "unavailable", "error": "no answer"},
        {"model": "ollama/qwen3", "outcome": "unavailable", "error": "away", "was_sent": False},
    ]
    async with opened_router(tmp_path) as router:
        plan = router.world.plan(sample_request("coding"), "coding").to_json()
        told = {**plan, "tried": tried, "answered_by": None, "outcome": "unavailable"}
        await router.ledger.tell(Told("r1", "alice", datetime.now(UTC), told))
        document = await router.registry.fetch("route:r1")
    assert document.title == "Route r1: ollama/qwen3 for coding requests"
    assert "no model answered (unavailable)" in document.text
    assert "| `ollama/qwen3` | unavailable, not sent | away |" in document.text
    assert "## What it used" not in document.text


async def test_the_last_route_comes_with_those_before_it(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        with pytest.raises(NotFound, match="no request was routed yet"):
            await router.registry.fetch("route:last")
        await routed(router, "r1")
        answer = await router.registry.search("why was my last request routed to that model")
        assert answer.results[0].id == "route:last"
        document = await router.registry.fetch("route:last")
    assert "`route:r1`" in document.text


async def test_an_unknown_route_suggests_the_latest(tmp_path: Path) -> None:
    async with opened_router(tmp_path) as router:
        await routed(router, "r1")
        with pytest.raises(NotFound) as caught:
            await router.registry.fetch("route:r2")
    assert caught.value.suggestions == ("route:r1",)
