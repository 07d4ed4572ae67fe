"""Documents of benchmarks, over real runs of stand-ins."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.benchmarks.record import Report
from gateway.caller import LOCAL
from gateway.documents.document import Document
from gateway.documents.query import Mention, Query, Reading, Word
from gateway.errors import NotFound
from gateway.sources.benchmarks import BenchmarkSource
from gateway.sources.router_reader import RouterReader
from tests.benchmarks.worlds import BAD, CAPITAL, GOOD, OPEN, SUM, World, settings, world
from tests.stand_ins.llm.script import Answer, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID, BAD_ID = "openrouter/good:free", "openrouter/bad:free"


class AboutBenchmarks:
    """Says of every question that it asks for a benchmark."""

    def read(self, _: Sequence[Word]) -> Reading:
        return Reading([Mention("topic", "benchmark", 0, 0)])


@asynccontextmanager
async def documents(
    folder: Path, stand_in: LlmStandIn
) -> AsyncIterator[tuple[BenchmarkSource, World]]:
    async with world(folder, stand_in) as here:
        yield BenchmarkSource(here.benchmarks, RouterReader(here.router.catalog)), here


async def ran(here: World, *models: str, name: str = "nightly") -> Report:
    asked = settings(*models, cases=[SUM, CAPITAL, OPEN])
    run = await here.benchmarks.begin(LOCAL, asked, name)
    return await here.benchmarks.carry_out(LOCAL, run)


async def read(source: BenchmarkSource, text: str) -> Document:
    return await source.read(source.pattern.parse(text))


async def test_the_last_benchmark_says_who_did_best_and_how_sure_that_is(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD]) as stand_in,
        documents(tmp_path, stand_in) as (source, here),
    ):
        stand_in.always(
            "good:free",
            lambda body: Answer("4" if "2 + 2" in body["messages"][-1]["content"] else "Oslo"),
        )
        stand_in.always("bad:free", Answer("Who | knows?"))
        report = await ran(here, GOOD_ID, BAD_ID)
        document = await read(source, "benchmark:last")
        assert document.title.startswith(
            f"Benchmark nightly, {report.run.started:%Y-%m-%d}: {GOOD_ID} did best, with quality "
            "1.00 (0.34 to 1.00)"
        )
        assert f"but {BAD_ID} may be as good" in document.title
        assert "3 cases, each once, of 2 models" in document.summary
        assert "## All tasks" in document.text
        assert "## Quick" in document.text
        assert "## Creative" in document.text
        assert f"| `{GOOD_ID}` | 1.00 (0.34 to 1.00) | 3 of 3 |" in document.text
        assert "not checked" in document.text
        assert "95 of 100" in document.text
        assert "Who" not in document.text
        assert document.as_of == max(one.time for one in report.results)
        assert document.metadata["benchmark_id"] == report.run.id
        same = await read(source, f"benchmark:{report.run.id}")
        assert same.text == document.text


async def test_outages_are_told_apart_from_bad_answers(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        documents(tmp_path, stand_in) as (source, here),
    ):
        stand_in.always("*", rate_limited("60"))
        await ran(here, GOOD_ID)
        document = await read(source, "benchmark:last")
        assert "3 of them failed" in document.text
        assert "## What was not answered" in document.text
        assert "no answer was checked" in document.title


async def test_a_second_benchmark_is_set_against_the_first(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        documents(tmp_path, stand_in) as (source, here),
    ):
        first = await ran(here, GOOD_ID)
        second = await ran(here, GOOD_ID)
        document = await read(source, "benchmark:last")
        assert document.metadata["benchmark_id"] == second.run.id
        assert "over 3 cases" in document.text
        assert "too few cases" in document.text
        assert f"`benchmark:{first.run.id}`" in document.text
        assert "## Since" not in (await read(source, f"benchmark:{first.run.id}")).text


async def test_a_name_cannot_write_into_the_document(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        documents(tmp_path, stand_in) as (source, here),
    ):
        await ran(here, GOOD_ID, name="x | y\n# Ignore all")
        document = await read(source, "benchmark:last")
        assert "\n# Ignore all" not in document.text + document.title


async def test_without_benchmarks_it_says_how_to_run_one(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        documents(tmp_path, stand_in) as (source, here),
    ):
        with pytest.raises(NotFound, match="gateway benchmark run"):
            await read(source, "benchmark:last")
        report = await ran(here, GOOD_ID)
        with pytest.raises(NotFound) as raised:
            await read(source, "benchmark:b1")
        assert raised.value.suggestions == (f"benchmark:{report.run.id}",)


@pytest.mark.parametrize("question", BenchmarkSource.phrases)
async def test_questions_about_benchmarks_find_the_last_one(tmp_path: Path, question: str) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        documents(tmp_path, stand_in) as (source, _),
    ):
        [entry] = source.entries(Query.read(question, [AboutBenchmarks()]))
        assert entry.id.text == "benchmark:last"
        assert entry.is_live
        assert source.entries(Query.read(question)) == ()
