"""`/v1/benchmarks` and the page `/benchmarks`, over stand-ins of providers."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
from starlette.routing import BaseRoute

from gateway.benchmarks.record import Report
from gateway.benchmarks.runner import Benchmarks
from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.endpoints.benchmark_charts import Point, Series, over_time, scatter
from gateway.endpoints.benchmark_pages import benchmark_page_routes
from gateway.endpoints.benchmarks import benchmark_routes
from tests.benchmarks.worlds import BAD, CAPITAL, GOOD, PAID, SUM, World, settings, world
from tests.endpoints.doors import asking, open_doors
from tests.stand_ins.browser import see
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID, BAD_ID, PAID_ID = "openrouter/good:free", "openrouter/bad:free", "openrouter/paid-one"
KEYS = {
    "gw_alice": Caller("alice"),
    "gw_bob": Caller("bob"),
    "gw_owner": Caller("o", is_owner=True),
    "gw_chat": Caller("chat", tools=("search",)),
}
ONE_CASE = {"tasks": ["quick"], "max_cases": 1}


def routes(benchmarks: Benchmarks) -> Sequence[BaseRoute]:
    pages = benchmark_page_routes(
        benchmarks, public_url="https://gateway.example", connector_name="Gateway"
    )
    return [*benchmark_routes(benchmarks), *pages]


@asynccontextmanager
async def browsing(here: World, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    keys = KEYS if key else None
    keyless = ANONYMOUS if key else LOCAL
    async with asking(routes(here.benchmarks), keys=keys, keyless=keyless, key=key) as client:
        yield client


async def ran(here: World, *models: str, who: Caller = LOCAL, name: str = "nightly") -> Report:
    run = await here.benchmarks.begin(who, settings(*models, attempts=2), name)
    return await here.benchmarks.carry_out(who, run)


async def test_a_run_is_started_read_listed_and_taken_along(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
        browsing(here) as client,
    ):
        asked = {**ONE_CASE, "models": ["good:free"], "runs": 2, "name": "mine"}
        answer = await client.post("/v1/benchmarks", json=asked)
        assert answer.status_code == 200, answer.text
        run = answer.json()
        assert (run["status"], run["done"], run["models"]) == ("done", 2, [GOOD_ID])
        assert [case["task"] for case in run["cases"]] == ["quick"]
        listed = (await client.get("/v1/benchmarks")).json()["data"]
        assert [(one["id"], one["name"], one["spent_usd"]) for one in listed] == [
            (run["id"], "mine", 0)
        ]
        assert (await client.get(f"/v1/benchmarks/{run['id']}")).json() == run
        exported = await client.get(f"/v1/benchmarks/{run['id']}/export", params={"format": "csv"})
        assert exported.headers["content-type"].startswith("text/csv")
        assert f'filename="benchmark-{run["id"]}.csv"' in exported.headers["content-disposition"]
        assert len(list(csv.DictReader(io.StringIO(exported.text)))) == 2


async def test_what_is_wrong_with_a_request_is_said(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
        browsing(here) as client,
    ):
        for body, status, words in (
            ({"runs": "3"}, 400, "runs: Input should be a valid integer"),
            ({"rans": 3}, 400, "rans: Extra inputs are not permitted"),
            ({"tasks": ["cooking"]}, 400, "'cooking' is no task"),
            ({"models": ["nobody"]}, 404, "no configured provider has a model 'nobody'"),
            ({"models": ["paid-one"]}, 402, "may cost money"),
            ({"cases": [{"task_id": "a b", "task": "Hi"}]}, 400, "task_id is 'a b'"),
            ({"cases": [{"task_id": "a"}]}, 400, "cases.0.task: Field required"),
            ({"budget_usd": 1_000_001}, 400, "less than or equal to 1000000"),
            ({"resume": "b1"}, 404, "there is no benchmark 'b1'"),
        ):
            answer = await client.post("/v1/benchmarks", json=body)
            assert answer.status_code == status, answer.text
            error = answer.json()["error"]
            assert words in error["message"]
            if status == 404:
                missing = "model" if "models" in body else "benchmark"
                assert error["code"] == f"{missing}_not_found"
        answer = await client.get("/v1/benchmarks/last/export", params={"format": "xml"})
        assert answer.status_code == 400
        assert not stand_in.requests


async def test_tasks_of_ones_own_are_asked_in_place_of_ours(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
        browsing(here) as client,
    ):
        stand_in.always("*", right)
        own = {"task_id": "mine", "task": SUM.prompt, "check": {"number": 4}, "complexity": 0.2}
        answer = await client.post("/v1/benchmarks", json={"cases": [own]})
        assert answer.status_code == 200, answer.text
        [result] = answer.json()["results"]
        assert (result["case_id"], result["quality"]) == ("mine", 1)


async def test_progress_comes_as_events_while_it_runs(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
        open_doors(routes(here.benchmarks)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        stand_in.script("*", Answer("4"), Answer("4", hold_after=0, hold=gate))
        asked = {**ONE_CASE, "models": [GOOD_ID], "runs": 2, "parallel": 1}
        headers = {"accept": "text/event-stream"}
        async with (
            asyncio.timeout(10),
            client.stream("POST", "/v1/benchmarks", json=asked, headers=headers) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            told = events(answer)
            assert (await anext(told))[1]["done"] == 0
            name, first = await anext(told)
            assert (name, first["done"], first["calls"]) == ("progress", 1, 2)
            assert first["result"]["outcome"] == "ok"
            # The second call is still held: what came before was told as it was.
            gate.set()
            assert (await anext(told))[1]["done"] == 2
            name, whole = await anext(told)
            assert (name, whole["status"]) == ("benchmark", "done")


async def test_a_client_that_leaves_ends_its_run_which_can_go_on(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
        open_doors(routes(here.benchmarks)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        stand_in.script("*", Answer("4", hold_after=0))
        asked = {**ONE_CASE, "models": [GOOD_ID]}
        headers = {"accept": "text/event-stream"}
        async with client.stream("POST", "/v1/benchmarks", json=asked, headers=headers) as answer:
            told = events(answer)
            _, first = await anext(told)
            held = await stand_in.has_received(1)
        async with asyncio.timeout(5):
            await held.left.wait()
            while (report := await here.benchmarks.report(LOCAL)).run.status == "running":
                pass
        assert (report.run.status, len(report.results)) == ("stopped", 0)
        again = await client.post("/v1/benchmarks", json={"resume": first["id"]})
        assert (again.json()["status"], again.json()["done"]) == ("done", 1)


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def test_others_see_their_own_and_strangers_nothing(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        hers = await ran(here, GOOD_ID, who=KEYS["gw_alice"])
        for key, count, status in (("gw_alice", 1, 200), ("gw_bob", 0, 404), ("gw_owner", 1, 200)):
            async with browsing(here, key) as client:
                assert len((await client.get("/v1/benchmarks")).json()["data"]) == count
                one = await client.get(f"/v1/benchmarks/{hers.run.id}")
                assert one.status_code == status
                page = await client.get("/benchmarks", params={"run": hers.run.id})
                assert page.status_code == status
        async with asking(routes(here.benchmarks), keys=KEYS, keyless=ANONYMOUS) as client:
            assert (await client.get("/v1/benchmarks")).status_code == 401
            assert (await client.post("/v1/benchmarks", json={})).status_code == 401
            page = await client.get("/benchmarks")
            assert page.status_code == 401
            assert "<h1>This cannot be shown</h1>" in page.text


async def test_a_key_that_may_not_use_the_tool_starts_nothing_here_either(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
        browsing(here, "gw_chat") as client,
    ):
        answer = await client.post("/v1/benchmarks", json={**ONE_CASE, "models": [GOOD_ID]})
        assert answer.status_code == 403
        assert "may not use benchmark_tasks" in answer.json()["error"]["message"]
        assert not stand_in.requests
        assert (await client.get("/v1/benchmarks")).json()["data"] == []


async def test_the_page_charts_quality_against_cost_and_time_and_over_time(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD]) as stand_in,
        world(tmp_path, stand_in) as here,
        browsing(here) as client,
    ):
        empty = await client.get("/benchmarks")
        assert "No benchmark has been run yet" in empty.text
        stand_in.always("good:free", right)
        stand_in.always("bad:free", Answer("I <b>do not</b> know."))
        await ran(here, GOOD_ID, BAD_ID)
        second = await ran(here, GOOD_ID, BAD_ID, name="<script>alert(1)</script>")
        page = await client.get("/benchmarks")
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        charts = svgs(page.text)
        assert len(charts) == 3
        for chart in charts:
            title, described = chart.find("title"), chart.find("desc")
            assert title is not None
            assert described is not None
            assert chart.get("aria-labelledby") == f"{title.get('id')} {described.get('id')}"
            assert GOOD_ID in (described.text or "")
            assert "1.00" in (described.text or "")
        for number, model in enumerate((GOOD_ID, BAD_ID), 1):
            assert f'<td class="right">{number}</td><td>{model}</td>' in page.text
        assert f"/v1/benchmarks/{second.run.id}/export?format=csv" in page.text
        first = await client.get("/benchmarks", params={"run": "20000101-000000-aaaa"})
        assert first.status_code == 404
        assert second.run.id in first.text


def right(body: Mapping[str, Any]) -> Answer:
    answers = {SUM.prompt: "4", CAPITAL.prompt: "Oslo"}
    return Answer(answers[str(body["messages"][-1]["content"])])


def svgs(page: str) -> list[ElementTree.Element]:
    return [
        ElementTree.fromstring(found)
        for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL)
        if "aria-labelledby" in found
    ]


def test_marks_stand_where_the_figures_are_and_bounds_around_them() -> None:
    points = [Point(1, "a/b", 0.0, 1.0, 0.6, 1.0), Point(2, "c<d", 4.3, 0.5, 0.2, 0.8)]
    chart = ElementTree.fromstring(scatter("cost", points, title="Cost", unit="dollars"))
    (left, top), (right_, middle) = (
        (float(one.get("cx", 0)), float(one.get("cy", 0))) for one in chart.iter("circle")
    )
    assert left < right_
    assert top < middle
    # The axis ends at a round number.
    assert [one.text for one in chart.iter("text")][5:10] == ["0", "2", "4", "6", "dollars"]
    assert chart.findtext("desc") == (
        "1, a/b: quality 1.00, 0 dollars; 2, c<d: quality 0.50, 4.3 dollars"
    )


def test_a_line_over_time_has_a_dot_for_each_run() -> None:
    series = [Series(1, "a/b", [(0, 0.5), (2, 0.75)])]
    days = ["1 Nov", "2 Nov", "3 Nov"]
    chart = ElementTree.fromstring(over_time("history", series, days, title="Over time"))
    assert len(list(chart.iter("circle"))) == 2
    assert chart.findtext("desc") == "1, a/b: 1 Nov 0.50, 3 Nov 0.75"


async def test_a_browser_shows_the_page_without_a_complaint(tmp_path: Path) -> None:
    async with (
        LlmStandIn(
            "openrouter", offers=[GOOD, BAD, Offer("other:free", Decimal(0), Decimal(0))]
        ) as stand_in,
        world(tmp_path, stand_in) as here,
        open_doors(routes(here.benchmarks)) as url,
    ):
        stand_in.always("good:free", right)
        await ran(here, GOOD_ID, BAD_ID, "openrouter/other:free")
        await ran(here, GOOD_ID, BAD_ID)
        seen = await see(f"{url}/benchmarks", tmp_path / "profile")
    assert seen.console == ""
    assert seen.dom.count('role="img"') == 3
    assert "did best" in seen.dom or "may be as good" in seen.dom


def test_marks_of_models_that_are_all_free_do_not_hide_each_other() -> None:
    points = [Point(number, f"m{number}", 0.0, 0.5, 0.2, 0.8) for number in range(1, 5)]
    chart = ElementTree.fromstring(scatter("cost", points, title="Cost", unit="dollars"))
    places = sorted(float(one.get("cx", 0)) for one in chart.iter("circle"))
    assert all(later - before >= 18 for before, later in pairwise(places))


def test_labels_of_lines_that_end_together_can_be_read() -> None:
    series = [Series(number, f"m{number}", [(0, 0.5), (1, 0.5)]) for number in (1, 2, 3)]
    chart = ElementTree.fromstring(over_time("history", series, ["1", "2"], title="Over time"))
    labels = [one for one in chart.iter("text") if one.get("font-weight") == "700"]
    assert len({one.get("y") for one in labels}) == 3
