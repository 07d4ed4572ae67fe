"""`/v1/tasks`, as programs use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.endpoints.tasks import LIMIT_BYTES, task_routes
from gateway.storage.database import Database
from gateway.tasks.store import Tasks
from gateway.tasks.task import Task
from tests.endpoints.doors import asking

KEYS = {
    "gw_alice": Caller("alice", tools=("create_task", "*")),
    "gw_bob": Caller("bob", tools=("create_task", "*")),
    "gw_guest": Caller("guest"),
    "gw_owner": Caller("o", tools=(), is_owner=True),
    "gw_reader": Caller("reader", tools=("list_tasks",)),
    "gw_chat": Caller("chat", tools=("search",)),
}


class Door:
    def __init__(self, tasks: Tasks) -> None:
        self.heard: list[Task] = []
        self._routes = task_routes(
            tasks, url=lambda one: f"https://gateway.example/{one}", on_created=self._hear
        )

    def as_(self, key: str | None = None, *, has_keys: bool = True) -> httpx.AsyncClient:
        keyless = ANONYMOUS if has_keys else LOCAL
        keys = KEYS if has_keys else None
        return asking(self._routes, keys=keys, keyless=keyless, key=key)

    async def _hear(self, task: Task) -> None:
        self.heard.append(task)


@asynccontextmanager
async def door(folder: Path, *, elsewhere: str | None = None) -> AsyncIterator[Door]:
    async with Database(f"sqlite:///{folder}/gateway.db") as database:
        yield Door(Tasks(database, elsewhere=elsewhere))


async def test_a_task_is_created_read_listed_and_changed(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_("gw_alice") as client:
        said = {"title": "Rotate the key", "priority": "high", "labels": ["security"]}
        answer = await client.post("/v1/tasks", json=said)
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "private, no-store")
        created = answer.json()
        task = created["task"]
        assert created["is_new"]
        assert (task["created_by"], task["status"], task["changes"]) == ("alice", "open", [])
        assert task["url"] == f"https://gateway.example/{task['id']}"
        assert [one.id for one in here.heard] == [task["id"]]
        assert (await client.get(f"/v1/tasks/{task['id']}")).json() == task
        listed = (await client.get("/v1/tasks?status=open&label=security&limit=5")).json()
        assert ([one["id"] for one in listed["data"]], listed["total"]) == ([task["id"]], 1)
        change = {"status": "done", "note": "rotated"}
        moved = (await client.patch(f"/v1/tasks/{task['id']}", json=change)).json()
        assert (moved["status_before"], moved["task"]["status"]) == ("open", "done")
        [change] = moved["task"]["changes"]
        assert (change["by"], change["before"], change["after"], change["note"]) == (
            "alice", "open", "done", "rotated",
        )  # fmt: skip
        assert (await client.get("/v1/tasks?status=open")).json()["data"] == []


async def test_an_idempotency_key_counts_once_for_its_caller(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        statuses, ids = [], []
        for key in ("gw_alice", "gw_alice", "gw_bob"):
            async with here.as_(key) as client:
                answer = await client.post(
                    "/v1/tasks", json={"title": "x"}, headers={"idempotency-key": "42"}
                )
                statuses.append(answer.status_code)
                ids.append(answer.json()["task"]["id"])
        assert statuses == [201, 200, 201]
        assert ids[0] == ids[1] != ids[2]
        assert len(here.heard) == 2


async def test_agents_hear_of_no_task_of_a_key_that_has_the_tool_by_a_pattern(
    tmp_path: Path,
) -> None:
    async with door(tmp_path) as here, here.as_("gw_guest") as client:
        assert (await client.post("/v1/tasks", json={"title": "x"})).status_code == 201
        assert here.heard == []


async def test_what_a_key_may_do_with_tools_it_may_do_here(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        for key, status, words in (
            (None, 401, "key"),
            ("gw_reader", 403, "may not use create_task"),
            ("gw_chat", 403, "may not use create_task"),
            ("gw_owner", 201, ""),
        ):
            async with here.as_(key) as client:
                answer = await client.post("/v1/tasks", json={"title": "x"})
                assert (answer.status_code, words in answer.text) == (status, True)
                task_id = here.heard[0].id if here.heard else "task_0"
                change = await client.patch(f"/v1/tasks/{task_id}", json={"status": "done"})
                assert change.status_code == (200 if status == 201 else status)
        for key, status in ((None, 401), ("gw_reader", 200), ("gw_chat", 403)):
            async with here.as_(key) as client:
                for path in ("/v1/tasks", f"/v1/tasks/{here.heard[0].id}"):
                    assert (await client.get(path)).status_code == status
        async with here.as_(has_keys=False) as client:
            assert (await client.post("/v1/tasks", json={"title": "x"})).status_code == 201


async def test_what_is_wrong_with_a_request_is_said(tmp_path: Path) -> None:
    async with door(tmp_path) as here, here.as_("gw_alice") as client:
        for body, words in (
            ({}, "title: Field required; it takes title, description, priority"),
            ({"title": 3}, "title: Input should be a valid string"),
            ({"title": "x", "due": "now"}, "due: Extra inputs are not permitted"),
            ({"title": "x", "priority": "huge"}, "priority is 'huge'; it takes low, medium"),
            ({"title": "x", "commit": "HEAD"}, "commit is 'HEAD'"),
        ):
            answer = await client.post("/v1/tasks", json=body)
            assert (answer.status_code, words in answer.json()["error"]["message"]) == (400, True)
        for query, words in (
            ("status=ready", "status is 'ready'; it takes open, in_progress"),
            ("limit=0", "limit is '0'; it takes 1 to 100"),
            ("limit=000000005", "limit is '000000005'"),
            ("state=open", "there is no 'state' here; it takes status, created_by"),
            ("commit=zz", "commit is 'zz'"),
            ("label=a&label=b", "label: stands more than once"),
        ):
            answer = await client.get(f"/v1/tasks?{query}")
            assert (answer.status_code, words in answer.json()["error"]["message"]) == (400, True)
        assert (await client.get("/v1/tasks/%00")).status_code == 400
        for answer in (
            await client.get("/v1/tasks/task_0"),
            await client.patch("/v1/tasks/task_0", json={"status": "done"}),
        ):
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (
                404, "task_not_found", None,
            )  # fmt: skip
        answer = await client.post("/v1/tasks", content=b"x" * (LIMIT_BYTES + 1))
        assert answer.status_code == 413
        answer = await client.post(
            "/v1/tasks", json={"title": "x"}, headers={"idempotency-key": "x" * 201}
        )
        assert answer.status_code == 400
        assert here.heard == []


async def test_where_tasks_live_elsewhere_it_says_where(tmp_path: Path) -> None:
    async with (
        door(tmp_path, elsewhere="orchestrator") as here,
        here.as_("gw_alice") as client,
    ):
        for answer in (
            await client.get("/v1/tasks"),
            await client.post("/v1/tasks", json={"title": "x"}),
        ):
            assert answer.status_code == 409
            assert "tasks live in orchestrator" in answer.json()["error"]["message"]
