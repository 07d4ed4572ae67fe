"""`/v1/suggestions`: what agents propose, done by the person who accepts it."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.endpoints.agents_door import GUEST, HELPER, OWNER, Door, door, message
from tests.stand_ins.llm.script import Answer, Tool

CAREFUL = {**HELPER, "proposes": ["create_task"]}


def wants_a_task(body: Mapping[str, Any]) -> Answer:
    if body["messages"][-1]["role"] == "tool":
        return Answer("I proposed it.")
    asked = json.dumps({"title": "Remove the key", "description": "It is in the code."})
    return Answer("It should go.", tools=(Tool("create_task", asked),))


async def proposed(here: Door, client: httpx.AsyncClient) -> str:
    """The ID of what an agent suggests once it is asked."""
    asked = {"agents": ["helper"], "question": "Is there a key?"}
    assert (await client.post("/v1/agents/runs", json=asked)).status_code == 202
    async with asyncio.timeout(10):
        async for one in here.agents.told(after=0):
            if one.kind == "suggestion.opened":
                return str(one.data["suggestion_id"])
    raise AssertionError


async def test_what_is_accepted_is_done_once_as_whoever_accepts_it(tmp_path: Path) -> None:
    async with (
        door(tmp_path, agents=[CAREFUL], has_keys=True, reply=wants_a_task) as here,
        here.as_(OWNER) as client,
    ):
        suggestion_id = await proposed(here, client)
        assert (await client.get("/v1/tasks")).json()["data"] == []
        [listed] = (await client.get("/v1/suggestions?status=open&agent=helper")).json()["data"]
        one = (await client.get(f"/v1/suggestions/{suggestion_id}")).json()
        assert listed == one
        assert (one["status"], one["tool"], one["arguments"]["title"]) == (
            "open", "create_task", "Remove the key",
        )  # fmt: skip
        async with here.as_(GUEST) as guest:
            refused = await guest.post(f"/v1/suggestions/{suggestion_id}/accept")
            assert refused.status_code == 403

        both = await asyncio.gather(
            *(
                client.post(f"/v1/suggestions/{suggestion_id}/accept", json={"note": "Yes."})
                for _ in range(2)
            )
        )
        assert sorted(answer.status_code for answer in both) == [200, 409]
        accepted = next(answer.json() for answer in both if answer.status_code == 200)
        assert (accepted["status"], accepted["decided_by"], accepted["note"]) == (
            "accepted", "ann", "Yes.",
        )  # fmt: skip
        [task] = (await client.get("/v1/tasks")).json()["data"]
        assert (task["title"], task["created_by"]) == ("Remove the key", "ann")
        late = await client.post(f"/v1/suggestions/{suggestion_id}/dismiss")
        assert (late.status_code, "was accepted by ann at" in message(late)) == (409, True)
        assert (await client.get("/v1/suggestions?status=open")).json()["data"] == []
        run_id = accepted["run_id"]
        assert len((await client.get(f"/v1/suggestions?run_id={run_id}")).json()["data"]) == 1


async def test_what_is_dismissed_is_not_done(tmp_path: Path) -> None:
    async with (
        door(tmp_path, agents=[CAREFUL], reply=wants_a_task) as here,
        here.as_() as client,
    ):
        suggestion_id = await proposed(here, client)
        path = f"/v1/suggestions/{suggestion_id}"
        for wrong, words in (
            ({"note": 1}, "note: Input should be a valid string; it takes note"),
            ({"note": "x" * 2_001}, "note: "),
            ({"reason": "x"}, "reason: Extra inputs are not permitted"),
        ):
            answer = await client.post(f"{path}/dismiss", json=wrong)
            assert (answer.status_code, words in message(answer)) == (400, True)
        dismissed = await client.post(f"{path}/dismiss", json={"note": "It is a test key."})
        assert (dismissed.status_code, dismissed.json()["status"]) == (200, "dismissed")
        late = await client.post(f"{path}/accept")
        assert (late.status_code, "was dismissed by local at" in message(late)) == (409, True)
        assert (await client.get("/v1/tasks")).json()["data"] == []


async def test_suggestions_are_for_owners(tmp_path: Path) -> None:
    async with door(tmp_path, has_keys=True) as here:
        for key, status in ((None, 401), (GUEST, 403), (OWNER, 404)):
            async with here.as_(key) as client:
                for answer in (
                    await client.get("/v1/suggestions/sug_0"),
                    await client.post("/v1/suggestions/sug_0/accept"),
                    await client.post("/v1/suggestions/sug_0/dismiss"),
                ):
                    assert answer.status_code == status
                    is_missing = answer.json()["error"]["code"] == "suggestion_not_found"
                    assert is_missing == (status == 404)
                expected = 200 if status == 404 else status
                assert (await client.get("/v1/suggestions")).status_code == expected


async def test_what_is_wrong_with_a_request_is_said(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_() as client:
        for query, words in (
            ("status=new", "status is 'new'; it takes open, accepting, accepted"),
            ("state=open", "there is no 'state' here; it takes status, agent, run_id, limit"),
            ("limit=101", "limit is '101'; it takes 1 to 100"),
        ):
            answer = await client.get(f"/v1/suggestions?{query}")
            assert (answer.status_code, words in message(answer)) == (400, True)
        too_big = await client.post("/v1/suggestions/sug_0/accept", content=b" " * 65_537)
        assert too_big.status_code == 413
