"""Benchmarks from their estimate to their last result, over stand-ins of providers."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.benchmarks.case import Exact, Judged
from gateway.benchmarks.record import Progress, Result
from gateway.caller import LOCAL, Caller
from gateway.errors import InvalidRequest, NotFound, PaymentRequired, PermissionDenied, Refused
from gateway.llm.policy import Policy
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.benchmarks.worlds import BAD, CAPITAL, GOOD, OPEN, PAID, SUM, settings, world
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, broken, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID, BAD_ID, PAID_ID = "openrouter/good:free", "openrouter/bad:free", "openrouter/paid-one"
RIGHT = {SUM.prompt: "4", CAPITAL.prompt: "Oslo", OPEN.prompt: "Rain again."}


def right(body: Mapping[str, Any]) -> Answer:
    return Answer(RIGHT[str(body["messages"][-1]["content"])])


def by_case(results: Any) -> dict[tuple[str, str, int], Result]:
    return {one.key: one for one in results}


async def test_every_case_is_asked_of_every_model_as_often_as_it_was_said(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("good:free", right)
        stand_in.always("bad:free", Answer("I do not know."))
        told: list[Progress] = []

        async def tell(progress: Progress) -> None:
            told.append(progress)

        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID, BAD_ID, attempts=3), "nightly")
        report = await here.benchmarks.carry_out(LOCAL, run, tell)
        assert report.run.status == "done"
        assert report.run.ended is not None
        results = by_case(report.results)
        assert len(results) == 2 * 2 * 3
        assert len(stand_in.requests) == 12
        assert {one.quality for key, one in results.items() if key[1] == GOOD_ID} == {1.0}
        assert {one.quality for key, one in results.items() if key[1] == BAD_ID} == {0.0}
        one = results["sum", GOOD_ID, 1]
        assert (one.outcome, one.task, one.is_opinion) == ("ok", "quick", False)
        assert one.total_ms is not None
        assert one.first_token_ms is not None
        assert 0 < one.first_token_ms <= one.total_ms
        assert (one.cost_microusd, report.spent_microusd) == (0, 0)
        assert one.output_tokens > 0
        assert [progress.done for progress in told] == list(range(13))
        assert told[-1].total == 12
        assert all(request.body["max_tokens"] == 20 for request in stand_in.requests)


async def test_a_result_names_the_route_that_its_call_took(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=[OPEN]), "one")
        [result] = (await here.benchmarks.carry_out(LOCAL, run)).results
        route = await here.router.ledger.route(result.route_id)
        assert route is not None
        assert (route["task"], route["complexity"]) == ("creative", 0.3)
        assert route["answered_by"] == GOOD_ID
        assert result.quality is None
        [line] = await here.router.lines("request_id", "context")
        assert line.group == {"request_id": run.id, "context": "personal"}


async def test_the_router_learns_of_every_answer_that_was_checked(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", right)
        cases = [SUM, CAPITAL, OPEN]
        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=cases), "one")
        await here.benchmarks.carry_out(LOCAL, run)
        seen = here.evidence.seen(GOOD_ID, "quick").of_kind["benchmark"]
        assert (seen.looks, round(seen.quality, 6)) == (2, 1.0)
        assert seen.source == f"benchmark:{run.id}"
        assert not here.evidence.seen(GOOD_ID, "creative").of_kind


async def test_checks_that_somebody_wrote_teach_the_router_nothing_unless_it_is_the_owner(
    tmp_path: Path,
) -> None:
    alice = Caller("alice")
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        trick = replace(SUM, check=Exact(("5",)))
        run = await here.benchmarks.begin(alice, settings(GOOD_ID, cases=[trick]), "one")
        report = await here.benchmarks.carry_out(alice, run)
        assert report.results[0].quality == 0
        assert not here.evidence.of_model(GOOD_ID)


async def test_a_rate_limit_is_an_outcome_and_says_nothing_of_quality(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", rate_limited("30"))
        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID), "one")
        report = await here.benchmarks.carry_out(LOCAL, run)
        assert report.run.status == "done"
        assert report.failed == 2
        for one in report.results:
            assert one.outcome in ("rate_limited", "unavailable")
            assert (one.quality, one.total_ms, one.output_tokens) == (None, None, 0)
            assert one.detail
        assert not here.evidence.of_model(GOOD_ID)


async def test_who_is_told_when_to_come_back_comes_back(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in, patience_seconds=5) as here,
    ):
        stand_in.script("*", rate_limited("1"))
        stand_in.always("*", right)
        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=[SUM]), "one")
        [result] = (await here.benchmarks.carry_out(LOCAL, run)).results
        assert (result.outcome, result.quality) == ("ok", 1.0)
        assert result.total_ms is not None
        assert result.total_ms < 1000


async def test_an_answer_without_a_word_is_a_bad_answer(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", Answer(pieces=(), reasoning=("hm",), finish="length"))
        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=[SUM]), "one")
        [result] = (await here.benchmarks.carry_out(LOCAL, run)).results
        assert (result.outcome, result.quality) == ("empty", 0.0)
        assert "cut off at 20 tokens" in result.detail


async def test_no_other_model_answers_in_the_place_of_one_that_is_down(tmp_path: Path) -> None:
    fallback = Policy(may_pay=True)
    async with (
        LlmStandIn("openrouter", offers=[Offer("same"), GOOD]) as down,
        LlmStandIn("openai", offers=[Offer("same")]) as other,
        world(tmp_path, down, other, policy=fallback) as here,
    ):
        down.always("*", broken())
        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=[SUM]), "one")
        [result] = (await here.benchmarks.carry_out(LOCAL, run)).results
        assert result.outcome == "unavailable"
        assert not other.requests


async def test_what_may_cost_money_needs_a_budget_and_says_how_much(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        asked = settings(PAID_ID, attempts=2)
        estimate = await here.benchmarks.estimate(LOCAL, asked)
        assert estimate.calls == 4
        assert estimate.worst_microusd is not None
        assert estimate.expected_microusd is not None
        # Twenty tokens of output may cost 2,000 micro-dollars, two of them 200.
        assert 4 * 2_000 < estimate.worst_microusd < 4 * 2_600
        assert 4 * 200 < estimate.expected_microusd < 4 * 300
        with pytest.raises(PaymentRequired, match=r"paid-one may cost money: about .* at most"):
            await here.benchmarks.begin(LOCAL, asked, "dear")
        assert await here.benchmarks.summaries(LOCAL) == []
        assert not stand_in.requests


async def test_the_budget_of_a_run_is_never_exceeded(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[PAID, GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        # In truth a call costs all that it may, so the room for calls is known exactly.
        stand_in.always("paid-one", Answer(tokens=20, finish="length"))
        asked = settings(PAID_ID, GOOD_ID, attempts=5, parallel=4, budget_microusd=7_000)
        run = await here.benchmarks.begin(LOCAL, asked, "bounded")
        report = await here.benchmarks.carry_out(LOCAL, run)
        await stand_in.rests()
        assert report.run.status == "over_budget"
        paid = [one for one in report.results if one.model == PAID_ID]
        free = [one for one in report.results if one.model == GOOD_ID]
        assert len(paid) == 3
        assert len(free) == 10
        assert 6_000 < stand_in.billed_microusd <= 7_000
        assert report.spent_microusd == stand_in.billed_microusd

        more = await here.benchmarks.resume(LOCAL, run.id, budget_microusd=50_000)
        report = await here.benchmarks.carry_out(LOCAL, more)
        assert report.run.status == "done"
        assert len(report.results) == 20
        assert len(stand_in.requests) == 20


async def test_the_limits_of_the_caller_hold(tmp_path: Path) -> None:
    daily = Limit("daily", "requests", 3, Window.parse("day"))
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in, limits=[daily]) as here,
    ):
        run = await here.benchmarks.begin(LOCAL, settings(GOOD_ID, attempts=4, parallel=1), "one")
        report = await here.benchmarks.carry_out(LOCAL, run)
        outcomes = [one.outcome for one in report.results]
        assert outcomes == ["ok"] * 3 + ["limit_exceeded"] * 5
        assert len(stand_in.requests) == 3


async def test_models_and_cases_are_looked_at_before_anything_is_asked(tmp_path: Path) -> None:
    alice = Caller("alice", models=("openrouter/good*",))
    async with (
        LlmStandIn("openrouter", offers=[GOOD, BAD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        benchmarks = here.benchmarks
        assert benchmarks.models(alice, ["good:free", GOOD_ID]) == (GOOD_ID,)
        assert benchmarks.free_models(alice, 5) == (GOOD_ID,)
        with pytest.raises(PermissionDenied, match=BAD_ID):
            await benchmarks.begin(alice, settings(BAD_ID), "one")
        with pytest.raises(NotFound, match="nobody"):
            benchmarks.models(alice, ["nobody"])
        with pytest.raises(InvalidRequest, match="at least one case"):
            await benchmarks.begin(alice, settings(GOOD_ID, cases=[]), "one")
        with pytest.raises(InvalidRequest, match="two cases have the ID 'sum'"):
            await benchmarks.begin(alice, settings(GOOD_ID, cases=[SUM, SUM]), "one")
        with pytest.raises(InvalidRequest, match="parallel is 99"):
            await benchmarks.begin(alice, settings(GOOD_ID, parallel=99), "one")
        opinion = replace(OPEN, check=Judged("Is it about rain?"))
        with pytest.raises(InvalidRequest, match="open can only be judged by a model"):
            await benchmarks.begin(alice, settings(GOOD_ID, cases=[opinion]), "one")
        assert not stand_in.requests


async def test_others_see_their_own_benchmarks_and_an_owner_sees_all(tmp_path: Path) -> None:
    alice, bob = Caller("alice"), Caller("bob")
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        run = await here.benchmarks.begin(alice, settings(GOOD_ID, cases=[SUM]), "hers")
        await here.benchmarks.carry_out(alice, run)
        assert [one.run.id for one in await here.benchmarks.summaries(LOCAL)] == [run.id]
        assert (await here.benchmarks.report(alice, "last")).run.id == run.id
        assert await here.benchmarks.summaries(bob) == []
        with pytest.raises(NotFound):
            await here.benchmarks.report(bob, run.id)
        with pytest.raises(Refused, match="nothing is missing"):
            await here.benchmarks.resume(alice, run.id)


async def test_a_run_that_was_cancelled_goes_on_where_it_was(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.script("*", Answer("4"), Answer("Oslo"), Answer("4", hold_after=0))
        stand_in.always("*", right)
        asked = settings(GOOD_ID, attempts=2, parallel=1)
        run = await here.benchmarks.begin(LOCAL, asked, "one")
        going = asyncio.create_task(here.benchmarks.carry_out(LOCAL, run))
        await stand_in.has_received(3)
        with pytest.raises(Refused, match="goes on already"):
            await here.benchmarks.resume(LOCAL, run.id)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        report = await here.benchmarks.report(LOCAL, run.id)
        assert report.run.status == "stopped"
        assert len(report.results) == 2
        report = await here.benchmarks.carry_out(LOCAL, await here.benchmarks.resume(LOCAL, run.id))
        assert report.run.status == "done"
        assert sorted(one.attempt for one in report.results) == [1, 1, 2, 2]
        # The one that was cut off is asked once more, and no other.
        assert len(stand_in.requests) == 5


async def test_a_run_whose_process_was_killed_goes_on_and_its_budget_remembers(
    tmp_path: Path,
) -> None:
    async with LlmStandIn("openrouter", offers=[PAID]) as stand_in:
        stand_in.script("*", Answer("4"), Answer("Oslo"), Answer("4", hold_after=0))
        stand_in.always("*", right)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.benchmarks.lonely_run"),
            *(str(tmp_path), stand_in.base_url),
            cwd=Path(__file__).parents[2],
        )
        await stand_in.has_received(3)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        await stand_in.rests()
        async with world(tmp_path, stand_in, lease_seconds=0.1) as here:
            report = await here.benchmarks.report(LOCAL, "last")
            assert report.run.status == "running"
            assert [one.quality for one in report.results] == [1.0, 1.0]
            # Of 4,300: two were answered, and the third may have cost its worst case.
            tight = await here.benchmarks.resume(LOCAL, report.run.id)
            report = await here.benchmarks.carry_out(LOCAL, tight)
            assert report.run.status == "over_budget"
            assert len(stand_in.requests) == 3
            wider = await here.benchmarks.resume(LOCAL, report.run.id, budget_microusd=50_000)
            report = await here.benchmarks.carry_out(LOCAL, wider)
            assert report.run.status == "done"
            assert len({one.key for one in report.results}) == 4
            assert len(stand_in.requests) == 5


async def test_what_a_local_model_takes_of_memory_is_told_where_its_server_says_it(
    tmp_path: Path,
) -> None:
    async with (
        LlmStandIn("ollama", offers=[Offer("tiny")]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        run = await here.benchmarks.begin(LOCAL, settings("ollama/tiny", cases=[SUM]), "one")
        [result] = (await here.benchmarks.carry_out(LOCAL, run)).results
        assert result.outcome == "ok"
        assert result.memory_bytes == 5_100_000_000


async def test_models_of_ones_own_machine_are_asked_one_after_the_other(tmp_path: Path) -> None:
    async with (
        LlmStandIn("ollama", offers=[Offer("tiny"), Offer("small")]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        asked = settings("ollama/tiny", "ollama/small", parallel=1, attempts=2)
        run = await here.benchmarks.begin(LOCAL, asked, "local")
        await here.benchmarks.carry_out(LOCAL, run)
        # Loaded once each, not once for every question.
        assert [one.model for one in stand_in.requests] == ["small"] * 4 + ["tiny"] * 4


async def test_a_judge_is_a_model_that_is_paid_for_by_the_run(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):

        def best_grade(body: Mapping[str, Any]) -> Answer:
            word = re.findall(r'"word": "(\w+)"', body["messages"][-1]["content"])[-1]
            return Answer(json.dumps({"word": word, "grade": 5}), cost_usd="0.0021")

        stand_in.always("paid-one", best_grade)
        case = replace(OPEN, check=Judged("Is it about rain?"))
        asked = settings(GOOD_ID, cases=[case], judge=PAID_ID, budget_microusd=1_000_000)
        run = await here.benchmarks.begin(LOCAL, asked, "judged")
        report = await here.benchmarks.carry_out(LOCAL, run)
        [result] = report.results
        assert result.is_opinion
        assert PAID_ID in result.judged_by
        assert result.cost_microusd == 0
        assert report.spent_microusd == 2_100
        weight = here.evidence.seen(GOOD_ID, "creative").of_kind["benchmark"].weight
        assert weight == pytest.approx(0.5)
