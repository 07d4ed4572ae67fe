"""`gateway benchmark`, over stand-ins of providers."""

import asyncio
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gateway.benchmarks.comparison import compare
from gateway.benchmarks.record import Progress
from gateway.caller import LOCAL
from gateway.errors import ConfigurationError, InvalidRequest, Refused
from gateway.terminal.benchmark import UNFINISHED, Format, Wanted, exported, ran, settings_of
from gateway.terminal.benchmark_run import Screens, show_comparison, show_runs, showing
from tests.benchmarks.worlds import BAD, GOOD, PAID, world
from tests.stand_ins.llm.script import Answer, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID = "openrouter/good:free"
SUITE = """\
cases:
  - {id: sum, task: quick, prompt: "What is 2 + 2?", check: {number: 4}}
  - {id: city, task: general, prompt: "The capital of Norway?", check: {exact: [Oslo]}}
  - {id: kind, task: creative, prompt: Say something kind., check: {rubric: "Is it kind?"}}
"""


def right(body: Mapping[str, Any]) -> Answer:
    return Answer("4" if "2 + 2" in body["messages"][-1]["content"] else "Oslo")


def screens(*, is_terminal: bool = False) -> Screens:
    return Screens(
        Console(file=io.StringIO(), width=240),
        Console(file=io.StringIO(), width=200, force_terminal=is_terminal),
    )


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(SUITE, "utf-8")
    return file


async def test_a_run_shows_its_size_each_result_and_a_table(tmp_path: Path, suite: Path) -> None:
    shown = screens()
    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("good:free", right)
        code = await ran(here.benchmarks, Wanted(suite=suite, runs=2, parallel=1), shown)
        report = await here.benchmarks.report(LOCAL)
    assert code == 0
    assert report.run.name == "mine"
    lines = said(shown.aside).splitlines()
    assert lines[0] == "left out 1 of 3 cases, which only a --judge can judge"
    assert lines[1] == "2 cases, 2 models, 2 runs: 8 calls, all free"
    assert lines[2] == f"benchmark {report.run.id}, mine"
    assert any(f"8/8 {model}" in said(shown.aside) for model in (GOOD_ID, "openrouter/bad:free"))
    assert "quality 1.00" in said(shown.aside)
    table = said(shown.out).splitlines()
    assert table[0].split()[:3] == ["Task", "Model", "Quality"]
    assert [line.split()[:3] for line in table[1:3]] == [
        ["all", GOOD_ID, "1.00"],
        ["all", "openrouter/bad:free", "0.00"],
    ]


async def test_a_bar_is_shown_where_somebody_looks_on(tmp_path: Path, suite: Path) -> None:
    shown = screens(is_terminal=True)
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        await ran(here.benchmarks, Wanted(suite=suite), shown)
    assert "2/2" in said(shown.aside)
    assert "1/2 openrouter" not in said(shown.aside)


async def test_what_may_cost_money_is_estimated_and_needs_a_budget(
    tmp_path: Path, suite: Path
) -> None:
    shown = screens()
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        wanted = Wanted(suite=suite, models=("paid-one",))
        with pytest.raises(InvalidRequest, match=r"say with --budget how much"):
            await ran(here.benchmarks, wanted, shown)
        assert "2 calls, about $" in said(shown.aside)
        assert ", at most $" in said(shown.aside)
        with pytest.raises(Refused, match="no free model"):
            await ran(here.benchmarks, Wanted(suite=suite), shown)
        assert not stand_in.requests
        stand_in.always("*", right)
        code = await ran(
            here.benchmarks,
            Wanted(suite=suite, models=("paid-one",), budget_usd=5.0, is_agreed=True),
            shown,
        )
        assert code == 0
        report = await here.benchmarks.report(LOCAL)
        assert report.run.settings.budget_microusd == 5_000_000
        assert report.spent_microusd == stand_in.billed_microusd


async def test_a_budget_that_ends_leaves_a_run_that_goes_on_with_another(
    tmp_path: Path, suite: Path
) -> None:
    shown = screens()
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", right)
        wanted = Wanted(suite=suite, models=("paid-one",), budget_usd=0.00001)
        assert await ran(here.benchmarks, wanted, shown) == UNFINISHED
        assert "has used up its budget: 0 of 2 calls" in said(shown.aside)
        report = await here.benchmarks.report(LOCAL)
        assert f"go on with it: gateway benchmark run --resume {report.run.id}" in said(shown.aside)
        wanted = Wanted(resume="last", budget_usd=5.0)
        assert await ran(here.benchmarks, wanted, screens()) == 0
        with pytest.raises(InvalidRequest, match="name it alone"):
            await ran(here.benchmarks, Wanted(resume="last", models=("x",)), shown)


async def test_an_interrupt_says_how_to_go_on(tmp_path: Path, suite: Path) -> None:
    shown = screens()
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.script("*", Answer("4", hold_after=0))
        running = asyncio.create_task(ran(here.benchmarks, Wanted(suite=suite, parallel=1), shown))
        await stand_in.has_received(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        run = (await here.benchmarks.report(LOCAL)).run
        assert run.status == "stopped"
        assert said(shown.aside).endswith(
            f"stopped; go on with it: gateway benchmark run --resume {run.id}\n"
        )


async def test_a_run_that_nobody_answered_is_no_success(tmp_path: Path, suite: Path) -> None:
    shown = screens()
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", rate_limited("60"))
        assert await ran(here.benchmarks, Wanted(suite=suite), shown) == UNFINISHED
        assert "did not answer: " in said(shown.aside)


async def test_a_suite_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        wanted = Wanted(suite=tmp_path / "none.yaml")
        with pytest.raises(ConfigurationError, match=r"none\.yaml"):
            settings_of(here.benchmarks, wanted, screens())
        settings = settings_of(here.benchmarks, Wanted(tasks=("coding",)), screens())
        assert {case.task for case in settings.cases} == {"coding"}
        assert settings.models == (GOOD_ID,)


async def test_runs_are_listed_compared_and_taken_along(tmp_path: Path, suite: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        for _ in range(2):
            await ran(here.benchmarks, Wanted(suite=suite), screens())
        second, first = await here.benchmarks.summaries(LOCAL)
        text = await exported(here.benchmarks, first.run.id, Format.CSV)
        reports = [await here.benchmarks.report(LOCAL, one.run.id) for one in (first, second)]
        whole = json.loads(await exported(here.benchmarks, "last", Format.JSON))
    assert len(list(csv.DictReader(io.StringIO(text)))) == 2
    assert whole["id"] == second.run.id
    shown = screens()
    show_runs(shown, [second, first])
    assert [line.split()[0] for line in said(shown.out).splitlines()] == [
        "Run",
        second.run.id,
        first.run.id,
    ]
    show_comparison(shown, compare(*reports))
    assert "+0.00, too few cases" in said(shown.out)
    assert "over 2 cases that both asked" in said(shown.aside)


async def test_what_is_told_of_a_run_at_a_terminal_is_no_markup(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        settings = settings_of(here.benchmarks, Wanted(tasks=("coding",)), screens())
        run = await here.benchmarks.begin(LOCAL, settings, "[link=http://x]nightly[/link] [/red]")
        aside = screens(is_terminal=True).aside
        async with showing(Screens(screens().out, aside), run) as tell:
            await tell(Progress(run.id, 1, 2, 0, 0))
        assert "[link=http://x]nightly[/link] [/red]" in said(aside)
