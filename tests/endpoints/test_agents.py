"""`/v1/agents`: asked, read, stopped and resumed over HTTP."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from gateway.caller import AGENT_PREFIX
from tests.endpoints.agents_door import GUEST, HELPER, OWNER, PUBLISHER, door, message
from tests.stand_ins.llm.script import Answer, Tool

OTHER = {**HELPER, "name": "other", "hears": ["code:*"]}


def opens_a_task(body: Mapping[str, Any]) -> Answer:
    if body["messages"][-1]["role"] == "tool":
        return Answer("A task is open.")
    asked = json.dumps({"title": "Remove the key", "description": "It is in the code."})
    return Answer("I open a task.", tools=(Tool("create_task", asked),))


async def ended(client: httpx.AsyncClient, run_id: str) -> Mapping[str, Any]:
    async with asyncio.timeout(10):
        while True:
            story: Mapping[str, Any] = (await client.get(f"/v1/agents/runs/{run_id}")).json()
            if story["run"]["ended"] is not None:
                return story


async def test_an_agent_is_asked_and_its_run_is_told_step_by_step(tmp_path: Path) -> None:
    async with door(tmp_path, reply=opens_a_task) as here, here.as_() as client:
        answer = await client.post(
            "/v1/agents/runs", json={"agents": ["helper"], "question": "Is there a key?"}
        )
        assert answer.status_code == 202, answer.text
        [run] = answer.json()["data"]
        assert (run["agent"], run["ended"]) == ("helper", None)
        story = await ended(client, run["id"])
        assert (story["run"]["status"], story["run"]["result"]) == ("done", "A task is open.")
        assert [(one["kind"], one["name"], one["outcome"]) for one in story["steps"]] == [
            ("ask", "model", "ok"), ("call", "create_task", "ok"), ("ask", "model", "ok"),
        ]  # fmt: skip
        assert story["event"]["data"] == {"question": "Is there a key?"}
        event = (await client.get(f"/v1/events/{run['event_id']}")).json()
        assert [one["id"] for one in event["runs"]] == [run["id"]]
        [task] = (await client.get("/v1/tasks")).json()["data"]
        assert (task["title"], task["created_by"]) == ("Remove the key", f"{AGENT_PREFIX}helper")

        replayed = await client.post(f"/v1/agents/runs/{run['id']}/replay", json={"from_step": 3})
        assert (replayed.status_code, replayed.json()["replay_of"]) == (202, run["id"])
        again = await ended(client, replayed.json()["id"])
        assert [one["number"] for one in again["steps"]] == [1, 2, 3]
        # The call was taken from the record.
        assert (await client.get("/v1/tasks")).json()["total"] == 1

        standing = (await client.get("/v1/agents/helper")).json()
        assert (standing["state"], standing["ended_today"]) == ("listening", {"done": 2})
        assert standing["last_run"]["id"] == again["run"]["id"]


async def test_runs_are_listed_by_agent_status_event_and_time(tmp_path: Path) -> None:
    async with door(tmp_path, agents=[HELPER, OTHER]) as here, here.as_() as client:
        team = {"agents": ["helper", "other"], "question": "Who is there?"}
        first, second = (await client.post("/v1/agents/runs", json=team)).json()["data"]
        assert first["team"] == second["team"] == first["event_id"]
        for query, names in (
            ("", ["other", "helper"]),
            ("agent=helper", ["helper"]),
            ("agent=nobody", []),
            ("status=waiting&limit=1", ["other"]),
            ("status=done", []),
            (f"event_id={first['event_id']}", ["other", "helper"]),
            ("since=2120-01-01", []),
        ):
            answer = await client.get(f"/v1/agents/runs?{query}")
            assert [one["agent"] for one in answer.json()["data"]] == names, query


async def test_an_agent_is_paused_and_resumed_and_so_are_all(tmp_path: Path) -> None:
    async with (
        door(tmp_path, agents=[HELPER, OTHER], has_keys=True) as here,
        here.as_(OWNER) as client,
    ):

        async def states() -> list[tuple[str, str | None]]:
            listed = (await client.get("/v1/agents")).json()["data"]
            return [(one["state"], one["paused_by"]) for one in listed]

        paused = await client.post("/v1/agents/helper/pause")
        assert (paused.status_code, paused.json()["state"]) == (200, "paused")
        assert await states() == [("paused", "ann"), ("listening", None)]
        assert (await client.post("/v1/agents/pause", json={})).status_code == 200
        assert await states() == [("paused", "ann"), ("paused", "ann")]
        resumed = await client.post("/v1/agents/resume")
        assert [one["state"] for one in resumed.json()["data"]] == ["paused", "listening"]
        assert (await client.post("/v1/agents/helper/resume")).json()["state"] == "listening"
        told = await here.agents.notifications()
        assert [(one.kind, one.title) for one in told] == [
            ("agent.paused", "helper"), ("agent.paused", "all agents"),
            ("agent.resumed", "all agents"), ("agent.resumed", "helper"),
        ]  # fmt: skip


async def test_the_kill_switch_stops_what_is_under_way(tmp_path: Path) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    def hangs(_: Mapping[str, Any]) -> Answer:
        asked.set()
        return Answer("too late", hold_after=0, hold=never)

    async with door(tmp_path, reply=hangs) as here, here.as_() as client:
        body = {"agents": ["helper"], "question": "Are you there?"}
        [run] = (await client.post("/v1/agents/runs", json=body)).json()["data"]
        async with asyncio.timeout(10):
            await asked.wait()
        [standing] = (await client.post("/v1/agents/pause")).json()["data"]
        assert standing["state"] == "paused"
        story = await ended(client, run["id"])
        assert (story["run"]["status"], story["run"]["guard"]) == ("stopped", "kill switch")


async def test_a_run_is_paused_resumed_and_cancelled(tmp_path: Path) -> None:
    # Nobody carries it out here: it waits.
    async with door(tmp_path) as here, here.as_() as client:
        body = {"agents": ["helper"], "question": "Are you there?"}
        [run] = (await client.post("/v1/agents/runs", json=body)).json()["data"]
        path = f"/v1/agents/runs/{run['id']}"
        for verb, status in (("pause", "paused"), ("resume", "waiting"), ("cancel", "cancelled")):
            answer = await client.post(f"{path}/{verb}")
            assert (answer.status_code, answer.json()["status"]) == (202, status), answer.text
        again = await client.post(f"{path}/cancel")
        assert (again.status_code, "has ended: it is cancelled" in message(again)) == (409, True)
        replayed = await client.post(f"{path}/replay", json={"from_step": 2})
        assert (replayed.status_code, "from_step: 2" in message(replayed)) == (400, True)


async def test_what_agents_do_is_for_owners(tmp_path: Path) -> None:
    paths = ("/v1/agents", "/v1/agents/helper", "/v1/agents/runs", "/v1/agents/runs/1")
    verbs = (
        "pause", "resume", "helper/pause", "helper/resume", "runs", "runs/1/cancel",
        "runs/1/pause", "runs/1/resume", "runs/1/replay",
    )  # fmt: skip
    async with door(tmp_path, has_keys=True) as here:
        for key, status, words in (
            (None, 401, "send it as 'Authorization: Bearer gw_…'"),
            (GUEST, 403, "for owners of this gateway"),
            (PUBLISHER, 403, "for owners of this gateway"),
        ):
            async with here.as_(key) as client:
                answers = [await client.get(path) for path in paths]
                answers += [await client.post(f"/v1/agents/{verb}") for verb in verbs]
                for answer in answers:
                    assert (answer.status_code, words in answer.text) == (status, True), answer.url
        assert await here.agents.notifications() == []
        async with here.as_(OWNER) as client:
            assert [(await client.get(path)).status_code for path in paths] == [200, 200, 200, 404]


async def test_whoever_may_only_read_everything_stops_nothing(tmp_path: Path) -> None:
    is_open = {
        "private_documents_for_everybody": True,
        "public_url": "https://gateway.example",
    }
    async with door(tmp_path, gateway=is_open) as here, here.as_() as client:
        assert (await client.get("/v1/agents")).status_code == 200
        for verb in ("pause", "helper/pause", "runs"):
            assert (await client.post(f"/v1/agents/{verb}")).status_code == 401
        assert (await client.post("/v1/events", json={"topic": "git:x"})).status_code == 401
        assert await here.agents.notifications() == []


async def test_pages_of_others_stop_nothing(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        for origin in ("https://evil.example", "null"):
            async with here.as_(origin=origin) as page:
                answer = await page.post("/v1/agents/pause")
                assert (answer.status_code, "may not call" in answer.text) == (403, True)
        assert await here.agents.notifications() == []


async def test_what_is_wrong_with_a_request_is_said(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_() as client:
        for path, body, status, words in (
            ("runs", {"agents": ["helper"]}, 400, "question: Field required; it takes agents"),
            ("runs", {"agents": [], "question": "?"}, 400, "agents: "),
            ("runs", {"agents": "helper", "question": "?"}, 400, "agents: "),
            ("runs", {"agents": ["helper"] * 2, "question": "?"}, 400, "each of them once"),
            ("runs", {"agents": ["helper"], "question": " "}, 400, "question: takes 1 to"),
            ("runs", {"agents": ["helpr"], "question": "?"}, 404, "Did you mean: helper?"),
            ("helper/pause", {"why": "x"}, 400, "why: Extra inputs are not permitted; it takes no"),
            ("nobody/pause", {}, 404, "no agent is named 'nobody'; there are: helper"),
            ("*/pause", {}, 404, "no agent is named '*'"),
            ("runs/1/replay", {"from_step": 0}, 400, "from_step: "),
            ("runs/1/replay", {"from_step": "2"}, 400, "from_step: "),
            ("runs/1/cancel", {}, 404, "no run is named '1'"),
            ("runs/%00/cancel", {}, 400, "nothing here is named like that"),
        ):
            answer = await client.post(f"/v1/agents/{path}", json=body)
            assert (answer.status_code, words in message(answer)) == (status, True), answer.text
            if status == 404:
                missing = "run" if "no run" in words else "agent"
                assert answer.json()["error"]["code"] == f"{missing}_not_found"
        for query, words in (
            ("status=over", "status is 'over'; it takes waiting, running"),
            ("name=helper", "there is no 'name' here; it takes agent, status"),
        ):
            answer = await client.get(f"/v1/agents/runs?{query}")
            assert (answer.status_code, words in message(answer)) == (400, True)
        answer = await client.get("/v1/agents?limit=3")
        assert (answer.status_code, "it takes nothing" in message(answer)) == (400, True)
        assert (await client.put("/v1/agents")).status_code == 405
        assert await here.agents.runs() == []


async def test_where_no_agent_is_on_it_says_how_to_switch_one_on(tmp_path: Path) -> None:
    async with door(tmp_path, agents=[]) as here, here.as_() as client:
        listed = (await client.get("/v1/agents")).json()
        assert listed == {
            "object": "list", "data": [],
            "hint": "no agent is on: switch some on in agents.yaml",
        }  # fmt: skip
        for answer in (
            await client.get("/v1/agents/review"),
            await client.post("/v1/agents/review/pause"),
            await client.post("/v1/agents/runs", json={"agents": ["review"], "question": "?"}),
        ):
            assert (answer.status_code, "agents.yaml" in message(answer)) == (404, True)
