"""Agents from outside: webhooks, suggestions, notifications, the kill switch, and teams."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.acceptance.agents_office import AgentsOffice
from tests.acceptance.routing_office import over_http
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import refused, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = {"owner": "gw_owner_0123456789abcdef", "colleague": "gw_colleague_0123456789abcdef"}
SECRET = "the secret of the webhook"
FOUND = "Port 8080 is open to everybody."


def agent(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "instructions": f"You are the {name}.",
        "model": f"openrouter/{name}",
        **more,
    }


SETTINGS = {
    "agents": [
        agent(
            "planner",
            hears=[{"topic": "github:push", "where": {"repository.full_name": "acme/*"}}],
            tools=["create_task", "list_tasks"],
            proposes=["create_task"],
        ),
        agent("dreamer"),
        agent("finder"),
        agent("writer"),
    ],
    "webhooks_in": {"github": {"secret_env": "HOOK_SECRET"}},
}
_numbers = count(1)


def plans(body: Mapping[str, Any]) -> Answer:
    """Wants a task for each push."""
    if body["messages"][-1]["role"] == "tool":
        return Answer("I proposed it.")
    push = json.loads(body["messages"][1]["content"].partition(":\n")[2])
    task = json.dumps({"title": f"Look at: {push['head_commit']['message']}"})
    return Answer("It changes how people pay.", tools=(Tool("create_task", task),))


def writes(body: Mapping[str, Any]) -> Answer:
    """Knows what others of its team have found."""
    told = body["messages"][1]["content"]
    return Answer(f"Report: {FOUND}" if FOUND in told else "I have nothing to write about.")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AgentsOffice]:
    offers = [Offer(name) for name in ("planner", "dreamer", "finder", "writer")]
    async with LlmStandIn("openrouter", offers=offers) as model:
        model.always("planner", plans)
        model.always("dreamer", Answer(hold_after=0))
        model.always("finder", Answer(FOUND))
        model.always("writer", writes)
        folder = tmp_path_factory.mktemp("office")
        env = {"HOOK_SECRET": SECRET}
        async with AgentsOffice(folder, model, SETTINGS, keys=KEYS, env=env) as running:
            yield running


async def push(
    office: AgentsOffice, message: str, *, repository: str = "acme/shop", **changed: str
) -> httpx.Response:
    """As GitHub sends it."""
    payload = {
        "ref": "refs/heads/main",
        "repository": {"full_name": repository},
        "head_commit": {"id": "f" * 40, "message": message},
    }
    body = json.dumps(payload).encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": f"delivery {next(_numbers)}",
        "x-hub-signature-256": signature(SECRET, body),
        **changed,
    }
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(f"{office.router.url}/v1/events", content=body, headers=headers)


def signature(secret: str, body: bytes) -> str:
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


async def suggested(office: AgentsOffice, message: str) -> Mapping[str, Any]:
    """What the planner suggests for a push."""
    answer = await push(office, message)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    (run,) = await office.ended(1, event_id=answer.json()["id"])
    assert (run["status"], run["result"]) == ("done", "I proposed it.")
    (one,) = (await office.router.asked(f"/v1/suggestions?run_id={run['id']}"))["data"]
    return dict(one)


async def titles(office: AgentsOffice) -> dict[str, str]:
    """Who created the task of which title."""
    tasks = (await office.router.asked("/v1/tasks?limit=100"))["data"]
    return {one["title"]: one["created_by"] for one in tasks}


@asynccontextmanager
async def as_colleague(office: AgentsOffice) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEYS['colleague']}"}
    async with httpx.AsyncClient(
        base_url=office.router.url, headers=headers, trust_env=False, timeout=30
    ) as client:
        yield client


async def test_what_a_signed_webhook_tells_is_proposed_and_not_done(office: AgentsOffice) -> None:
    one = await suggested(office, "Round amounts")
    assert (one["status"], one["tool"], one["agent"]) == ("open", "create_task", "planner")
    assert one["arguments"] == {"title": "Look at: Round amounts"}
    assert one["reason"] == "It changes how people pay."
    assert "Look at: Round amounts" not in await titles(office)


async def test_a_webhook_that_is_wrong_or_known_or_of_others_makes_no_run(
    office: AgentsOffice,
) -> None:
    before = len(await office.runs())
    forged = await push(office, "Pay me", **{"x-hub-signature-256": signature("guess", b"{}")})
    assert forged.status_code == httpx.codes.UNAUTHORIZED
    assert SECRET not in forged.text
    other = await push(office, "Begin", repository="others/thing")
    assert other.json()["is_new"]
    assert (await office.router.asked(f"/v1/events/{other.json()['id']}"))["runs"] == []
    first, again = [
        (await push(office, "Twice", **{"x-github-delivery": "the same"})).json() for _ in range(2)
    ]
    assert (first["id"], first["is_new"], again["is_new"]) == (again["id"], True, False)
    await office.ended(1, event_id=first["id"])
    assert len(await office.runs()) == before + 1


async def test_what_somebody_accepts_is_done_as_that_person_and_once(office: AgentsOffice) -> None:
    one = await suggested(office, "Accept amounts")
    async with as_colleague(office) as client:
        path = f"/v1/suggestions/{one['id']}/accept"
        accepted = (await client.post(path, json={"note": "Right."})).json()
        again = await client.post(path, json={})
    assert (accepted["status"], accepted["decided_by"]) == ("accepted", "colleague")
    assert accepted["note"] == "Right."
    assert (await titles(office))["Look at: Accept amounts"] == "colleague"
    events = (await office.router.asked("/v1/events?topic=task:created"))["data"]
    assert "Look at: Accept amounts" in [event["subject"] for event in events]
    assert again.status_code == httpx.codes.CONFLICT
    assert "colleague" in again.json()["error"]["message"]


async def test_suggestions_are_decided_over_mcp_too(office: AgentsOffice) -> None:
    wanted, unwanted = [await suggested(office, text) for text in ("Wanted", "Unwanted")]
    async with over_http(office.router.url, KEYS["owner"]) as session:
        listed = said(await session.call_tool("list_suggestions", {"status": "open"}))
        assert {wanted["id"], unwanted["id"]} <= {one["id"] for one in listed["suggestions"]}
        for tool, one in (("accept_suggestion", wanted), ("dismiss_suggestion", unwanted)):
            said(await session.call_tool(tool, {"suggestion_id": one["id"]}))
        late = await session.call_tool("accept_suggestion", {"suggestion_id": unwanted["id"]})
    assert "dismissed" in refused(late)
    created = await titles(office)
    assert created["Look at: Wanted"] == "owner"
    assert "Look at: Unwanted" not in created


async def test_whoever_listens_is_told_and_misses_nothing(office: AgentsOffice) -> None:
    one = await suggested(office, "Tell of it")
    async with as_colleague(office) as client:
        await client.post(f"/v1/suggestions/{one['id']}/dismiss", json={})
    streamed = await heard(office, run_id=one["run_id"], count=3)
    assert streamed[0]["kind"] == "suggestion.opened"
    assert "Tell of it" in streamed[0]["title"]
    assert {said["kind"] for said in streamed[1:]} == {"run.done", "suggestion.dismissed"}
    # Who comes back misses nothing, and hears nothing twice.
    first, *rest = streamed
    assert await heard(office, run_id=one["run_id"], count=2, after=first["position"]) == rest


async def heard(
    office: AgentsOffice, *, run_id: str, count: int, after: int = 0
) -> list[dict[str, Any]]:
    """So many notifications of a run, as they come."""
    found: list[dict[str, Any]] = []
    headers = {"accept": "text/event-stream", "last-event-id": str(after)}
    async with (
        asyncio.timeout(20),
        office.router.http() as client,
        client.stream("GET", "/v1/notifications", headers=headers) as stream,
    ):
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                one = json.loads(line.removeprefix("data: "))
                found += [one] if one["data"].get("run_id") == run_id else []
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended: {found}")


async def test_the_kill_switch_stops_a_run_that_hangs_and_the_run_says_so(
    office: AgentsOffice,
) -> None:
    asked = {"agents": ["dreamer"], "question": "What if?"}
    requests = len(office.model.requests)
    (run,) = (await office.post("/v1/agents/runs", asked))["data"]
    await office.model.has_received(requests + 1)
    await office.post("/v1/agents/pause")
    (ended,) = await office.ended(1, agent="dreamer")
    assert (ended["id"], ended["status"]) == (run["id"], "stopped")
    assert ended["guard"] == "kill switch"
    # Nothing begins until it is over.
    (waits,) = (await office.post("/v1/agents/runs", asked | {"agents": ["finder"]}))["data"]
    standings = (await office.router.asked("/v1/agents"))["data"]
    assert {one["state"] for one in standings} == {"paused"}
    assert (await office.runs(agent="finder"))[0]["status"] == "waiting"
    await office.post("/v1/agents/resume")
    done = await office.ended(1, agent="finder")
    assert (done[0]["id"], done[0]["status"]) == (waits["id"], "done")
    document = await read(office, f"run:{run['id']}")
    assert document["metadata"]["status"] == "stopped"
    assert "kill switch" in document["text"]


async def test_who_works_in_a_team_knows_what_those_before_it_found(office: AgentsOffice) -> None:
    asked = {"agents": ["finder", "writer"], "question": "How safe are we?"}
    async with over_http(office.router.url, KEYS["owner"]) as session:
        runs = said(await session.call_tool("ask_agent", asked))["runs"]
        await office.ended(2, event_id=runs[0]["event_id"])
        stories = [
            said(await session.call_tool("get_run", {"run_id": one["id"]}))["run"] for one in runs
        ]
    assert [one["result"] for one in stories] == [FOUND, f"Report: {FOUND}"]


async def read(office: AgentsOffice, document_id: str) -> Mapping[str, Any]:
    async with over_http(office.router.url, KEYS["owner"]) as session:
        answer = await session.call_tool("fetch", {"id": document_id})
    document: Mapping[str, Any] = said(answer)
    return document
