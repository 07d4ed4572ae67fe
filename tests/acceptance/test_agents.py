"""The users' own example: a commit, and what three agents make of it."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.agents_office import (
    MODEL,
    NOTHING,
    AgentsOffice,
    Repository,
    reads_diffs,
)
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
PAYMENTS = f'''\
"""Takes payments."""

from shop.app import app

API_KEY = "{KEY}"


@app.post("/payments")
def pay(amount_cents: int) -> str:
    return charge(API_KEY, amount_cents)


def charge(key: str, amount_cents: int) -> str:
    return f"paid {{amount_cents}}"
'''
# With its test, and a page.
HARMLESS = {
    "shop/limits.py": "def is_small(amount_cents: int) -> bool:\n    return amount_cents < 100\n",
    "tests/test_limits.py": "def test_one_cent_is_small() -> None:\n    assert is_small(1)\n",
    "README.md": "`is_small` says which amounts are small.\n",
}
AGENTS = ("review", "documentation", "test")
TITLES = {
    "agent:review": "Hard-coded key in shop/payments.py",
    "agent:documentation": "Document shop/payments.py",
    "agent:test": "Test shop/payments.py",
}


@dataclass(frozen=True, slots=True)
class Example:
    """What there is once the agents have answered the commit."""

    office: AgentsOffice
    repository: Repository
    commit: str

    async def tasks(self) -> Mapping[str, Mapping[str, Any]]:
        """All there are, by who created them."""
        listed = (await self.office.router.asked("/v1/tasks?limit=50"))["data"]
        tasks = {one["created_by"]: one for one in listed}
        assert len(tasks) == len(listed), listed
        return tasks


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def example(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Example]:
    folder = tmp_path_factory.mktemp("office")
    repository = Repository(folder / "shop")
    repository.commit("Begin", {"shop/app.py": "app = object()\n"})
    settings = {
        "agents": [{"name": name, "is_on": True, "model": MODEL} for name in AGENTS],
        "watch": {"git": [{"repository": "shop", "name": "shop", "every_seconds": 0.1}]},
    }
    async with LlmStandIn("openrouter") as model, AgentsOffice(folder, model, settings) as office:
        model.always("small", reads_diffs)
        await office.watches("shop")
        commit = repository.commit("feat: take payments", {"shop/payments.py": PAYMENTS})
        await office.ended(len(AGENTS))
        yield Example(office, repository, commit)


async def test_each_agent_opens_the_right_task(example: Example) -> None:
    tasks = await example.tasks()
    assert {by: one["title"] for by, one in tasks.items()} == TITLES
    runs = {one["id"]: one for one in await example.office.runs()}
    for by, task in tasks.items():
        assert (task["commit"], task["repository"]) == (example.commit, "shop")
        assert f"agent:{runs[task['run_id']]['agent']}" == by
    review = tasks["agent:review"]
    assert "shop/payments.py:5" in review["description"]
    assert KEY not in str(tasks)
    assert KEY not in example.office.router.process.log()


async def test_one_commit_is_several_events_and_one_run_of_each_agent(example: Example) -> None:
    events = (await example.office.router.asked("/v1/events?limit=100"))["data"]
    of_git = [one["id"] for one in events if one["source"] == "git"]
    stories = [await example.office.router.asked(f"/v1/events/{one}") for one in of_git]
    ours = [one for one in stories if one["data"]["commit"] == example.commit]
    topics = {one["topic"] for one in ours}
    assert topics == {"git:commit", "code:change", "feature:added", "api:created"}
    assert Counter(run["agent"] for one in ours for run in one["runs"]) == Counter(AGENTS)


async def test_the_command_line_lists_the_tasks(example: Example) -> None:
    listed = await example.office.command("tasks", "list")
    for by, task in (await example.tasks()).items():
        (line,) = [one for one in listed.splitlines() if task["id"] in one]
        assert by in line
        assert task["title"] in line
        assert example.commit[:12] in line


async def test_chatgpt_finds_and_reads_the_tasks(example: Example) -> None:
    tasks = await example.tasks()
    found = [one["id"] for one in await example.office.found("open tasks from agents")]
    assert {f"task:{one['id']}" for one in tasks.values()} <= set(found)
    review = tasks["agent:review"]
    document = await example.office.read(f"task:{review['id']}")
    assert TITLES["agent:review"] in document["title"]
    for said in ("shop/payments.py:5", example.commit, f"run:{review['run_id']}"):
        assert said in document["text"]


async def test_chatgpt_reads_how_a_task_came_about(example: Example) -> None:
    review = (await example.tasks())["agent:review"]
    document = await example.office.read(f"run:{review['run_id']}")
    for said in ("git:commit", example.commit, "list_tasks", "create_task", review["id"], MODEL):
        assert said in document["text"]
    assert document["metadata"]["status"] == "done"
    found = await example.office.found("what did the review agent find today")
    assert document["id"] in [one["id"] for one in found]


async def test_what_each_agent_spent_is_in_the_ledger(example: Example) -> None:
    lines = (await example.office.router.usage("caller"))["lines"]
    spent = {one["caller"]: one for one in lines}
    for run in await example.office.runs():
        line = spent[f"agent:{run['agent']}"]
        assert line["calls"] >= 3
        assert line["charged_usd"] >= run["cost_usd"] > 0
    charged = await example.office.router.charged_microusd()
    assert charged == example.office.model.billed_microusd


async def test_a_restart_runs_nothing_twice_and_misses_nothing(example: Example) -> None:
    office = example.office
    tasks = {one["id"] for one in (await example.tasks()).values()}
    runs = await office.runs()
    asked = len(office.model.requests)
    await office.stop()
    # Nobody watches while this comes.
    harmless = example.repository.commit("Limit amounts", HARMLESS)
    await office.start()
    after = await office.ended(len(runs) + len(AGENTS))
    assert {one["id"] for one in (await example.tasks()).values()} == tasks
    new = after[: len(AGENTS)]
    assert {one["agent"]: one["result"] for one in new} == dict.fromkeys(AGENTS, NOTHING)
    assert after[len(AGENTS) :] == runs
    # Each agent saw at once that there is nothing to do, and nobody was asked anything again.
    assert len(office.model.requests) == asked + len(AGENTS)
    told = [str(one.body["messages"]) for one in office.model.requests]
    assert sum(harmless in one for one in told) == len(AGENTS)
