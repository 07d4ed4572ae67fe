"""Benchmarks as users run them: killed and gone on with, within a budget, compared and read."""

import asyncio
import csv
import io
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.router_processes import until
from tests.acceptance.routing_office import (
    OWNER,
    WAYS,
    Office,
    answering,
    benchmark,
    free,
    running_benchmark,
)
from tests.stand_ins.browser import see
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.exchange import Received
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.mcp_clients import said

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEADY, LEARNING = "openrouter/steady:free", "openrouter/learning:free"
# Prices in dollars for a million tokens, so micro-dollars for one.
PAID = Offer("paid-one", Decimal(1), Decimal(100))
MOST_TOKENS = 256
NUMBERS = range(1, 9)
UNFINISHED = 1


def question(number: int) -> str:
    return f"What is {number} times 111?"


SUITE = "cases:\n" + "\n".join(
    f"  - {{id: times-{one}, task: quick, prompt: '{question(one)}', "
    f"max_output_tokens: {MOST_TOKENS}, check: {{number: {one * 111}}}}}"
    for one in NUMBERS
)
RIGHT = {question(one): f"It is {one * 111}." for one in NUMBERS}
# As many tokens as an answer may have, each of which is paid.
LONGEST = Answer(pieces=(*["well "] * (MOST_TOKENS - 1), "42"), input_tokens=30)


@dataclass(frozen=True, slots=True)
class World:
    office: Office
    stand_in: LlmStandIn
    suite: Path

    @property
    def url(self) -> str:
        return self.office.router.url

    def asked(self) -> Sequence[Received]:
        """What the paid model was asked."""
        return [one for one in self.stand_in.requests if one.model == PAID.name]

    def billed_microusd(self, since: int = 0) -> int:
        return sum(bill.microusd for bill in self.stand_in.bills[since:])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("office")
    (folder / "times.yaml").write_text(SUITE, "utf-8")
    offers = [free("steady"), free("learning"), PAID]
    async with LlmStandIn("openrouter", offers=offers) as stand_in:
        stand_in.always("steady:free", answering(RIGHT))
        async with Office(folder, stand_in, settings={}) as office:
            yield World(office, stand_in, folder / "times.yaml")


async def test_a_run_that_was_killed_goes_on_where_it_was_within_its_budget(world: World) -> None:
    """Two calls are on their way when it dies: their worst case stays spent."""
    never = asyncio.Event()
    known = replace(Answer("It is not known."), input_tokens=30)
    for _ in range(4):
        world.stand_in.script(PAID.name, known)
    world.stand_in.always(PAID.name, replace(known, before_headers=never))
    budget_microusd = 79_400
    asked = ("--suite", str(world.suite), "--model", PAID.name, "--parallel", "2")
    budget = ("--budget", str(budget_microusd / 1_000_000), "--yes")
    async with running_benchmark(world.office.folder, "run", *asked, *budget) as process:

        async def two_are_on_their_way() -> bool:
            return len(world.asked()) == 6 or process.returncode is not None

        await until(two_are_on_their_way)
        process.kill()
        _, aside = await process.communicate()
    assert process.returncode == -signal.SIGKILL
    run_id = _run_id(aside.decode())

    world.stand_in.always(PAID.name, known)
    resumed = await benchmark(world.office.folder, "run", "--resume", "last")
    assert resumed.code == UNFINISHED, resumed.aside
    assert f"benchmark {run_id} has used up its budget" in resumed.aside
    halfway = await world.office.router.asked(f"/v1/benchmarks/{run_id}")
    assert halfway["status"] == "over_budget"
    assert 4 < halfway["done"] < 8
    # What the two may have cost is held until their lease is over.
    assert world.billed_microusd() <= budget_microusd
    assert world.billed_microusd() == round(halfway["spent_usd"] * 1_000_000)

    more = {"resume": run_id, "budget_usd": 1}
    whole = await world.office.post("/v1/benchmarks", more)
    assert (whole["status"], whole["done"]) == ("done", 8)
    assert sorted(one["case_id"] for one in whole["results"]) == [f"times-{n}" for n in NUMBERS]
    times = Counter(one.body["messages"][-1]["content"] for one in world.asked())
    assert sorted(times.values()) == [1] * 6 + [2] * 2
    assert {times[question(int(one["case_id"][-1]))] for one in whole["results"][:4]} == {1}


async def test_calls_side_by_side_never_exceed_the_budget(world: World) -> None:
    # Enough for three of the longest answers and their questions, not for a fourth.
    budget_microusd = 90_000
    body = {
        "models": [PAID.name],
        "cases": [_case(number) for number in NUMBERS],
        "parallel": 8,
        "budget_usd": budget_microusd / 1_000_000,
    }
    # Several times, for what happens at the same moment differs.
    for _ in range(5):
        bills = len(world.stand_in.bills)
        gate = asyncio.Event()
        world.stand_in.always(PAID.name, replace(LONGEST, before_headers=gate))
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(world.office.post("/v1/benchmarks", body), name="a run")
            # Held at once, they end at once.
            await world.stand_in.has_received(len(world.stand_in.requests) + 2)
            gate.set()
        run = running.result()
        billed = world.billed_microusd(bills)
        assert budget_microusd / 2 < billed <= budget_microusd
        assert run["spent_usd"] == billed / 1_000_000
        assert (run["status"], run["done"]) == ("over_budget", 3)


def _case(number: int) -> dict[str, Any]:
    return {
        "task_id": f"times-{number}",
        "task": question(number),
        "context_length": 0,
        "expected_output_length": MOST_TOKENS // 4,
        "check": number * 111,
    }


async def test_two_runs_are_compared_exported_and_read(world: World, tmp_path: Path) -> None:
    async def run(name: str) -> Any:
        body = {"models": [STEADY, LEARNING], "cases": [_case(one) for one in NUMBERS]}
        return await world.office.post("/v1/benchmarks", {**body, "name": name})

    world.stand_in.always("learning:free", Answer("It is 7."))
    before = await run("before")
    world.stand_in.always("learning:free", answering(RIGHT))
    after = await run("after")
    file = tmp_path / "after.csv"
    folder = world.office.folder
    compared, exported, page = await asyncio.gather(
        benchmark(folder, "compare", before["id"], "last"),
        benchmark(folder, "export", after["id"], "--to", str(file)),
        see(f"{world.url}/benchmarks", tmp_path / "profile"),
    )

    assert (compared.code, exported.code) == (0, 0)
    quality = re.findall(r"1.00 \(0.68 to 1.00\) +([+-][^,]+, \w+)", compared.out)
    assert sorted(quality) == ["+0.00, within", "+1.00, beyond"]
    assert f"{after['id']} against {before['id']}: changes over 8 cases" in compared.aside

    assert await world.office.router.asked(f"/v1/benchmarks/{after['id']}/export") == after
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))
    assert [(one["model"], one["case_id"]) for one in rows] == [
        (one["model"], one["case_id"]) for one in after["results"]
    ]
    assert {(one["quality"], one["cost_usd"], one["judged_by"]) for one in rows} == {
        ("1", "0", "number")
    }

    assert page.console == ""
    assert "<svg" in page.dom
    assert re.search(r"<h1>after: 8 cases, each once, of 2 models</h1>", page.dom)
    for one in (STEADY, LEARNING, "before", f"/v1/benchmarks/{after['id']}/export?format=csv"):
        assert one in page.dom


async def test_the_last_benchmark_is_found_and_read_by_every_client(world: World) -> None:
    body = {"models": [STEADY], "cases": [_case(1)], "name": "the one to be found"}
    run = await world.office.post("/v1/benchmarks", body)
    for connect in WAYS.values():
        async with connect(world.url, OWNER) as client:
            for words in ("How did the models do in the last benchmark?", "benchmark results"):
                found = said(await client.call_tool("search", {"query": words}))
                assert found["results"][0]["id"] == "benchmark:last"
            last = said(await client.call_tool("fetch", {"id": "benchmark:last"}))
            itself = said(await client.call_tool("fetch", {"id": f"benchmark:{run['id']}"}))
        assert last["metadata"]["benchmark_id"] == run["id"]
        assert body["name"] in last["title"]
        assert f"{STEADY} has quality 1.00" in itself["text"]


def _run_id(aside: str) -> str:
    found = re.search(r"^benchmark (\S+), times$", aside, re.MULTILINE)
    assert found, aside
    return found[1]
