"""What a benchmark may spend, and what it knows to have spent."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from gateway import request_id
from gateway.benchmarks.case import Judged
from gateway.benchmarks.estimating import PLANS_IN_ONE_GO, estimated
from gateway.caller import LOCAL, Caller
from gateway.errors import PermissionDenied
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.policy import Policy
from gateway.storage.tables import usage
from tests.benchmarks.worlds import CAPITAL, GOOD, OPEN, PAID, SUM, settings, world
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, broken, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID, PAID_ID = "openrouter/good:free", "openrouter/paid-one"
RAIN = replace(OPEN, check=Judged("Is it about rain?"))


def best_grade(body: Mapping[str, Any]) -> Answer:
    word = re.findall(r'"word": "(\w+)"', body["messages"][-1]["content"])[-1]
    return Answer(json.dumps({"word": word, "grade": 5}))


async def test_an_answer_is_not_asked_for_whose_judge_the_budget_may_not_pay(
    tmp_path: Path,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("paid-one", best_grade)
        asked = settings(GOOD_ID, cases=[RAIN], judge=PAID_ID, budget_microusd=10)
        run = await here.benchmarks.begin(LOCAL, asked, "judged")
        report = await here.benchmarks.carry_out(LOCAL, run)
        assert (report.run.status, report.is_whole) == ("over_budget", False)
        assert not stand_in.requests
        more = await here.benchmarks.resume(LOCAL, run.id, budget_microusd=1_000_000)
        report = await here.benchmarks.carry_out(LOCAL, more)
        assert [one.quality for one in report.results] == [1.0]


async def test_answers_side_by_side_and_their_judges_keep_within_the_budget(
    tmp_path: Path,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", Answer(tokens=50, finish="length"))
        one_turn = settings(PAID_ID, cases=[RAIN], judge=PAID_ID)
        worst = (await here.benchmarks.estimate(LOCAL, one_turn)).worst_microusd
        assert worst is not None
        asked = replace(one_turn, attempts=4, parallel=4, budget_microusd=worst)
        run = await here.benchmarks.begin(LOCAL, asked, "judged")
        report = await here.benchmarks.carry_out(LOCAL, run)
        await stand_in.rests()
        # Whatever is answered is judged too.
        assert len(stand_in.requests) == 2 * len(report.results) > 0
        assert stand_in.billed_microusd <= worst


async def test_a_judge_that_is_out_of_reach_is_asked_again_when_the_run_goes_on(
    tmp_path: Path,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.script("paid-one", broken())
        stand_in.always("paid-one", best_grade)
        asked = settings(GOOD_ID, cases=[RAIN], judge=PAID_ID, budget_microusd=1_000_000)
        run = await here.benchmarks.begin(LOCAL, asked, "judged")
        report = await here.benchmarks.carry_out(LOCAL, run)
        assert [one.quality for one in report.results] == [None]
        assert not report.is_whole
        # The provider cools down after it broke: a gateway that begins anew does not know it.
        async with world(tmp_path, stand_in) as anew:
            report = await anew.benchmarks.carry_out(
                LOCAL, await anew.benchmarks.resume(LOCAL, run.id)
            )
        assert [one.quality for one in report.results] == [1.0]


async def test_an_outage_is_asked_again_when_the_run_goes_on(tmp_path: Path) -> None:
    async with LlmStandIn("openrouter", offers=[GOOD]) as stand_in:
        stand_in.script("*", rate_limited("30"))
        stand_in.always("*", Answer("4"))
        async with world(tmp_path, stand_in) as here:
            asked = settings(GOOD_ID, cases=[SUM])
            run = await here.benchmarks.begin(LOCAL, asked, "one")
            report = await here.benchmarks.carry_out(LOCAL, run)
            assert (report.failed, report.is_whole) == (1, False)
        async with world(tmp_path, stand_in) as here:
            report = await here.benchmarks.carry_out(
                LOCAL, await here.benchmarks.resume(LOCAL, run.id)
            )
            assert (report.done, report.failed, report.is_whole) == (1, 0, True)


class _Ended(LlmStandIn):
    """A subscription that ended without a word: whatever is asked is billed."""

    def begin_bill(self, answer: Any, received: Any) -> Any:
        bill = super().begin_bill(answer, received)
        bill.is_covered = False
        return bill


async def test_a_run_without_a_budget_pays_no_twin_of_a_subscription(tmp_path: Path) -> None:
    offer = Offer("twin", Decimal(1), Decimal(100), is_included=True)
    async with (
        _Ended("nanogpt", offers=[offer]) as stand_in,
        world(tmp_path, stand_in, policy=Policy(may_pay=True)) as here,
    ):
        stand_in.script("twin", broken())
        stand_in.always("twin", Answer(tokens=20))
        run = await here.benchmarks.begin(LOCAL, settings("nanogpt/twin", cases=[SUM]), "one")
        report = await here.benchmarks.carry_out(LOCAL, run)
        await stand_in.rests()
        assert (report.failed, report.spent_microusd, stand_in.billed_microusd) == (1, 0, 0)


async def test_what_a_run_has_spent_outlasts_the_ledger(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", Answer(tokens=20, finish="length"))
        asked = settings(PAID_ID, attempts=2, parallel=1, budget_microusd=5_000)
        run = await here.benchmarks.begin(LOCAL, asked, "bounded")
        before = await here.benchmarks.carry_out(LOCAL, run)
        assert (before.run.status, before.done) == ("over_budget", 2)
        await here.database.write(lambda connection: connection.execute(delete(usage)))
        after = await here.benchmarks.report(LOCAL, run.id)
        assert after.spent_microusd == before.spent_microusd == stand_in.billed_microusd
        [listed] = await here.benchmarks.summaries(LOCAL)
        assert (listed.spent_microusd, listed.done) == (before.spent_microusd, 2)
        again = await here.benchmarks.resume(LOCAL, run.id, budget_microusd=7_500)
        report = await here.benchmarks.carry_out(LOCAL, again)
        # Of four calls, three fit into it.
        assert report.done == 3
        assert report.spent_microusd == stand_in.billed_microusd <= 7_500


async def test_calls_of_others_are_no_calls_of_a_run(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        asked = settings(PAID_ID, cases=[SUM], budget_microusd=5_000)
        run = await here.benchmarks.begin(Caller("bob"), asked, "his")
        request_id.begin_run(run.id)
        request = ChatRequest(PAID_ID, (Message("user", (Text("Hi"),)),), max_output_tokens=40)
        async with here.router.completion.answering(Caller("mallory"), request) as answering:
            async for _ in answering:
                pass
        await here.router.written()
        assert (await here.benchmarks.report(LOCAL, run.id)).spent_microusd == 0


async def test_whoever_resumes_a_run_may_use_its_models(tmp_path: Path) -> None:
    opinion = settings(GOOD_ID, cases=[RAIN], judge=PAID_ID, budget_microusd=1_000_000)
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        run = await here.benchmarks.begin(Caller("ann"), opinion, "hers")
        with pytest.raises(PermissionDenied, match="paid-one"):
            await here.benchmarks.resume(Caller("ann", models=("*:free",)), run.id)
        assert not stand_in.requests


async def test_an_owner_who_goes_on_with_a_run_does_so_on_its_callers_account(
    tmp_path: Path,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        asked = settings(PAID_ID, cases=[SUM, CAPITAL], budget_microusd=9_000)
        run = await here.benchmarks.begin(Caller("ann"), asked, "hers")
        report = await here.benchmarks.carry_out(LOCAL, await here.benchmarks.resume(LOCAL, run.id))
        assert report.done == 2
        [line] = await here.router.lines("caller")
        assert line.group == {"caller": "ann"}
        assert report.spent_microusd == line.charged_microusd


async def test_an_estimate_looks_at_each_question_once_and_counts_it_for_every_model(
    tmp_path: Path,
) -> None:
    others = [Offer(f"m{number}", Decimal(1), Decimal(100)) for number in range(3)]
    ids = [f"openrouter/{one.name}" for one in others]
    async with (
        LlmStandIn("openrouter", offers=[*others, PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        one = await estimated(
            here.router.completion, LOCAL, settings(ids[0], cases=[RAIN, SUM], judge=PAID_ID)
        )
        asked = settings(*ids, cases=[RAIN, SUM], judge=PAID_ID, attempts=2)
        all_of_them = await estimated(here.router.completion, LOCAL, asked)
        assert (one.calls, all_of_them.calls) == (3, 18)
        assert all_of_them.worst_microusd == 6 * (one.worst_microusd or 0) > 0
        assert set(all_of_them.paid) == {*ids, PAID_ID}


async def test_others_get_their_turns_while_a_run_is_estimated(tmp_path: Path) -> None:
    cases = [replace(SUM, id=f"s{number}") for number in range(20)]
    async with (
        LlmStandIn("openrouter", offers=[GOOD, PAID]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        models = [GOOD_ID, PAID_ID] * 8
        estimating = asyncio.create_task(
            estimated(here.router.completion, LOCAL, settings(*models, cases=cases))
        )
        turns = 0
        while not estimating.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns >= len(cases) * len(models) // PLANS_IN_ONE_GO
