"""What the router learns of benchmarks, and from whom."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.benchmarks.case import Exact, Judged
from gateway.benchmarks.choosing import chosen
from gateway.benchmarks.record import Result, Run
from gateway.benchmarks.runner import Benchmarks
from gateway.benchmarks.suite import shipped_suite
from gateway.benchmarks.teaching import MOST_WEIGHT, Teaching
from gateway.caller import LOCAL, Caller
from gateway.clock import now
from gateway.evidence.evidence import Evidence
from gateway.llm.completion import Completion
from gateway.llm.policy import Policy
from gateway.storage.database import Database
from gateway.strategies import PromptingStrategy, Strategies
from tests.benchmarks.worlds import GOOD, SUM, settings, world
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID = "openrouter/good:free"
ANN = Caller("ann")


async def test_one_case_that_is_asked_often_is_one_look(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        stand_in.always("*", Answer("4"))
        asked = settings(GOOD_ID, cases=[SUM], attempts=10)
        run = await here.benchmarks.begin(LOCAL, asked, "often")
        await here.benchmarks.carry_out(LOCAL, run)
        seen = here.evidence.seen(GOOD_ID, "quick").of_kind["benchmark"]
        assert seen.weight == pytest.approx(1.0, abs=0.01)


async def test_a_prompting_strategy_words_neither_a_case_nor_what_its_judge_is_asked(
    tmp_path: Path,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
        Strategies(here.database) as strategies,
    ):
        routed = here.router
        completion = Completion(
            routed.catalog, routed.providers, routed.ledger, Policy(), strategies=strategies
        )
        benchmarks = Benchmarks(
            here.database, completion, routed.catalog, routed.ledger, here.evidence
        )
        await strategies.set("ann", GOOD_ID, PromptingStrategy(system_prompt="Say banana."))
        judged = replace(SUM, id="rain", check=Judged("Is it about rain?"))
        asked = settings(GOOD_ID, cases=[SUM, judged], judge=GOOD_ID)
        await benchmarks.carry_out(ANN, await benchmarks.begin(ANN, asked, "hers"))
        assert len(stand_in.requests) == 3
        for request in stand_in.requests:
            assert [one["role"] for one in request.body["messages"]] == ["user"]


async def test_a_run_teaches_as_its_own_caller_may_whoever_goes_on_with_it(
    tmp_path: Path,
) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        trick = replace(SUM, check=Exact(("5",)))
        run = await here.benchmarks.begin(ANN, settings(GOOD_ID, cases=[trick]), "hers")
        again = await here.benchmarks.resume(LOCAL, run.id)
        report = await here.benchmarks.carry_out(LOCAL, again)
        assert report.results[0].quality == 0
        assert not here.evidence.of_model(GOOD_ID)


async def test_of_others_only_shipped_checks_count_and_not_without_end(tmp_path: Path) -> None:
    ours = chosen(shipped_suite(), tasks=["coding"], most=1)[0]
    opinion = next(one for one in shipped_suite() if isinstance(one.check, Judged))
    changed = replace(ours, prompt="Another question?")
    async with (
        Database(f"sqlite:///{tmp_path}/gateway.db") as database,
        Evidence(database) as evidence,
    ):
        for case, looks in ((opinion, 0), (changed, 0), (ours, 1)):
            await taught(evidence, case, times=1)
            seen = evidence.of_model(GOOD_ID).values()
            assert sum(one.weight for one in seen) == pytest.approx(looks, abs=0.01)
        await taught(evidence, ours, times=30)
        assert evidence.seen(GOOD_ID, "coding").weight <= MOST_WEIGHT


async def taught(evidence: Evidence, case: object, *, times: int) -> None:
    """In runs of their own, of a caller who is no owner."""
    for number in range(times):
        asked = settings(GOOD_ID, cases=[case], judge=GOOD_ID)  # type: ignore[list-item]
        run = Run(f"b{number}", "hers", "ann", now(), None, "running", asked)
        [one] = run.settings.cases
        result = Result(run.id, one.id, GOOD_ID, 1, now(), one.task, "ok", 0.0)
        await Teaching(run, evidence).learn(one, result)
