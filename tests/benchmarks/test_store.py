from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.benchmarks.case import (
    Case,
    Check,
    Exact,
    JsonAnswer,
    Judged,
    Matches,
    Number,
    Unchecked,
    UnitTests,
)
from gateway.benchmarks.case_json import case_from_json, case_to_json, digest
from gateway.benchmarks.lease import Lease
from gateway.benchmarks.record import Result, Run, Settings
from gateway.benchmarks.store import BenchmarkStore
from gateway.benchmarks.suite import shipped_suite
from gateway.benchmarks.sums import Count
from gateway.storage.database import Database
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.ledger import Ledger

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CHECKS: tuple[Check, ...] = (
    UnitTests("assert twice(2) == 4", 2.0),
    Exact(("4", "four")),
    Number(4.0, 0.1),
    JsonAnswer({"type": "object", "required": ["a"], "properties": {"a": {"enum": [1, 2]}}}),
    Matches(("^4$",), ("a", "b"), ("c",)),
    Judged("Is it kind?"),
    Unchecked(),
)


def case(check: Check, case_id: str = "one") -> Case:
    return Case(case_id, "coding", "What is 2 + 2?", "Be brief.", check, 20, 0.1, None)


def run(run_id: str, caller: str = "alice", *, started: datetime = NOON) -> Run:
    settings = Settings((case(CHECKS[0]),), ("p/small", "p/large"), 3, 2, 1_000, "p/judge")
    return Run(run_id, "nightly", caller, started, None, "running", settings)


def result(run_id: str, attempt: int = 1) -> Result:
    return Result(
        run_id=run_id,
        case_id="one",
        model="p/small",
        attempt=attempt,
        time=NOON + timedelta(seconds=attempt),
        task="coding",
        outcome="ok",
        quality=0.5,
        judged_by="unit tests",
        total_ms=12.5,
        first_token_ms=3.25,
        output_tokens=9,
        detail="1 of 2 tests",
        route_id="r1",
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: type(check).__name__)
def test_a_case_is_the_same_when_it_is_read_again(check: Check) -> None:
    before = case(check)
    assert case_from_json(case_to_json(before)) == before


def test_every_shipped_case_can_be_kept() -> None:
    for one in shipped_suite():
        assert case_from_json(case_to_json(one)) == one


def test_a_digest_tells_cases_apart_that_ask_or_judge_differently() -> None:
    digests = {digest(case(check)) for check in CHECKS}
    assert len(digests) == len(CHECKS)
    assert digest(case(CHECKS[0])) == digest(case(CHECKS[0]))
    assert digest(replace(case(CHECKS[0]), prompt="What is 2 + 3?")) not in digests


async def test_runs_and_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        store = BenchmarkStore(database)
        first, second = run("b1"), run("b2", "bob", started=NOON + timedelta(hours=1))
        await store.add(first, most=9, oldest_beat=0)
        await store.add(second, most=9, oldest_beat=0)
        for attempt in (2, 1):
            await store.save(result("b1", attempt))
        assert await store.run("b1") == first
        assert await store.run("b3") is None
        assert await store.runs(5) == [second, first]
        assert await store.runs(5, caller="alice") == [first]
        assert await store.runs(1) == [second]
        assert await store.results("b1") == [result("b1", 1), result("b1", 2)]
        assert await store.results() == []
        ended = await store.change(first, "done", ended=NOON)
        assert (ended.status, ended.ended) == ("done", NOON)
        assert await store.run("b1") == ended


async def test_no_turn_has_two_results_and_an_outage_is_none(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        store = BenchmarkStore(database)
        outage = replace(result("b1"), outcome="rate_limited", quality=None)
        ungraded = replace(result("b1"), is_opinion=True, quality=None)
        for one in (outage, ungraded, result("b1")):
            assert await store.save(one)
        assert not await store.save(replace(result("b1"), quality=0.0))
        assert await store.results("b1") == [result("b1")]


async def test_the_latest_runs_of_a_caller_are_kept_and_those_that_go_on(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        store = BenchmarkStore(database)
        lease = Lease(database, seconds=60, clock=lambda: NOON)
        for number in range(4):
            one = run(f"b{number}", started=NOON + timedelta(minutes=number))
            await store.add(one, most=2, oldest_beat=lease.oldest_beat)
            await store.save(result(one.id))
            if not number:
                await lease.take(one, most_at_once=None)
        await store.add(run("c1", "bob"), most=2, oldest_beat=lease.oldest_beat)
        assert [one.id for one in await store.runs(9, caller="alice")] == ["b3", "b2", "b0"]
        assert sorted(await store.counts("b0", "b1", "b2", "b3")) == ["b0", "b2", "b3"]


async def test_sums_of_many_runs_need_no_result_itself(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        store = BenchmarkStore(database)
        for attempt, quality in ((1, 1.0), (2, 0.0)):
            await store.save(replace(result("b1", attempt), quality=quality))
        other = replace(result("b1"), case_id="two", quality=1.0)
        await store.save(other)
        await store.save(replace(other, case_id="three", quality=None, outcome="unavailable"))
        assert await store.counts("b1", "b2") == {"b1": Count(done=4, failed=1)}
        # Two answers to one case tell of one case.
        assert await store.qualities("b1", "b2") == {"b1": {"p/small": 0.75}}


async def test_what_calls_hold_is_known_until_they_are_settled(tmp_path: Path) -> None:
    async with (
        Database(f"sqlite:///{tmp_path}/gateway.db") as database,
        Ledger(database) as ledger,
    ):
        store = BenchmarkStore(database)
        ours, others = (Call(name, "alice", "p", "p/small", "paid") for name in ("b1", "b10"))
        held = await ledger.reserve(ours, Amount(microusd=700))
        await ledger.reserve(others, Amount(microusd=5))
        assert await store.held_microusd(run("b1")) == 700
        assert await store.held_microusd(run("b1", "bob")) == 0
        await ledger.settle(held, Settlement(billed_microusd=300))
        assert await store.held_microusd(run("b1")) == 0
