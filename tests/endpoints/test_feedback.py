"""A thumb on an answer is kept for the model that gave it, and counts in later choices."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.endpoints.chat import chat_routes
from gateway.endpoints.feedback import LIMIT_BYTES, MOST_A_MINUTE, MOST_THUMBS, feedback_routes
from gateway.llm.policy import Policy
from tests.endpoints.doors import open_doors
from tests.llm.routers import Router, router
from tests.stand_ins.llm.server import LlmStandIn

KEYS = {
    "gw_anna": Caller("anna", may_spend=True),
    "gw_berta": Caller("berta", may_spend=True),
    "gw_owner": Caller("owner", is_owner=True, may_spend=True),
}


@asynccontextmanager
async def doors_of(
    folder: Path, *, clock: Clock = now
) -> AsyncIterator[tuple[Router, httpx.AsyncClient]]:
    async with (
        LlmStandIn("openrouter") as stand_in,
        router(
            stand_in,
            database_url=f"sqlite:///{folder}/gateway.db",
            policy=Policy(may_pay=True),
        ) as routed,
        open_doors(
            [
                *chat_routes(routed.loop(), routed.sessions),
                *feedback_routes(routed.ledger, routed.evidence, clock=clock),
            ],
            keys=KEYS,
        ) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield routed, client


def key(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer gw_{name}"}


async def answered(
    client: httpx.AsyncClient, who: str = "anna", *, model: str = "auto"
) -> httpx.Response:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "write a python function that sorts"}],
    }
    answer = await client.post("/v1/chat/completions", json=body, headers=key(who))
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_thumb_down_is_evidence_of_the_model_and_its_task(tmp_path: Path) -> None:
    async with doors_of(tmp_path) as (routed, client):
        answer = await answered(client)
        model, route_id = answer.headers["x-gateway-model"], answer.headers["x-gateway-route-id"]
        for rating, quality in (("up", 1.0), ("down", 0.0)):
            told = await client.post(
                "/v1/feedback", json={"route_id": route_id, "rating": rating}, headers=key("anna")
            )
            assert told.json() == {"model": model, "task": "coding", "rating": rating}
            thumb = routed.evidence.seen(model, "coding").of_kind["thumb"]
            assert (thumb.looks, thumb.quality) == (1, quality)
            assert thumb.source == f"route:{route_id}"


async def test_nobody_rates_the_answers_of_others(tmp_path: Path) -> None:
    async with doors_of(tmp_path) as (_, client):
        route_id = (await answered(client)).headers["x-gateway-route-id"]
        told = await client.post(
            "/v1/feedback", json={"route_id": route_id, "rating": "up"}, headers=key("berta")
        )
        error = told.json()["error"]
        assert (told.status_code, error["code"]) == (404, "route_not_found")
        assert "no answer of yours" in error["message"]


@pytest.mark.parametrize("body", [{"route_id": "r1"}, {"route_id": "r1", "rating": "great"}, {}])
async def test_what_is_no_rating_is_refused(tmp_path: Path, body: dict[str, str]) -> None:
    async with doors_of(tmp_path) as (_, client):
        told = await client.post("/v1/feedback", json=body, headers=key("anna"))
        assert (told.status_code, told.json()["error"]["code"]) == (400, "invalid_request")


async def test_more_than_a_rating_is_not_even_read(tmp_path: Path) -> None:
    async with doors_of(tmp_path) as (_, client):
        body = b"x" * (LIMIT_BYTES + 1)
        told = await client.post("/v1/feedback", content=body, headers=key("anna"))
        assert (told.status_code, told.json()["error"]["type"]) == (413, "invalid_request_error")


async def test_what_becomes_of_answers_in_use_is_seen(tmp_path: Path) -> None:
    async with doors_of(tmp_path) as (routed, client):
        model = (await answered(client)).headers["x-gateway-model"]
        await routed.evidence.refresh()
        alone = routed.evidence.seen(model, "coding").of_kind["use"]
        assert (alone.looks, alone.quality) == (1, 1.0)
        # The same is asked again at once: nobody does that who was served.
        await answered(client)
        await routed.evidence.refresh()
        again = routed.evidence.seen(model, "coding").of_kind["use"]
        assert again.looks == 3
        assert again.quality < 0.5


async def test_nobody_steers_routing_by_thumbs_alone(tmp_path: Path) -> None:
    async with doors_of(tmp_path) as (routed, client):
        model = (await answered(client)).headers["x-gateway-model"]
        weight = 0.0
        for who, count, counted in (("anna", 6, MOST_THUMBS), ("berta", 2, 2), ("owner", 6, 6)):
            for _ in range(count):
                answer = await answered(client, who, model=model)
                told = {"route_id": answer.headers["x-gateway-route-id"], "rating": "down"}
                await client.post("/v1/feedback", json=told, headers=key(who))
            thumb = routed.evidence.seen(model, "coding").of_kind["thumb"]
            weight += counted
            assert thumb.weight == pytest.approx(weight)
        assert thumb.looks == 14


async def test_feedback_is_taken_so_many_times_a_minute(tmp_path: Path) -> None:
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    async with doors_of(tmp_path, clock=lambda: at) as (_, client):

        async def told(who: str) -> httpx.Response:
            body = {"route_id": "r1", "rating": "up"}
            return await client.post("/v1/feedback", json=body, headers=key(who))

        for _ in range(MOST_A_MINUTE):
            assert (await told("anna")).status_code == 404
        at += timedelta(seconds=20)
        refused = await told("anna")
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            429,
            "rate_limit_exceeded",
        )
        assert refused.headers["retry-after"] == "40"
        assert (await told("berta")).status_code == 404
        at += timedelta(seconds=40)
        assert (await told("anna")).status_code == 404
