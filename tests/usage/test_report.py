"""The report: sums over what was used, by any grouping, with what is unknown kept apart."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import InvalidRequest
from gateway.usage.call import Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.report import Grouping, UsageLine
from tests.usage.ledgers import StoppedClock, budget, call, costing, open_ledger

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


async def record(ledger: Ledger, settlement: Settlement, **about: str) -> None:
    await ledger.settle(await ledger.reserve(call(**about), costing(None)), settlement)


async def fill(ledger: Ledger, clock: StoppedClock) -> None:
    ok = Settlement(
        100,
        50,
        cached_tokens=10,
        reasoning_tokens=5,
        billed_microusd=0,
        list_microusd=70,
        first_token_ms=100.0,
        total_ms=1000.0,
        tool_calls=2,
    )
    await record(ledger, ok)
    await record(ledger, Settlement(10, 5, list_microusd=7, total_ms=500.0), caller="bob")
    clock.advance(days=1)
    await record(ledger, Settlement(outcome="unavailable"), model="nanogpt/new")
    clock.advance(days=9)
    await record(ledger, ok)


async def test_without_groups_a_report_is_one_line(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock) as ledger:
        assert await ledger.report(START, END) == []
        await fill(ledger, clock)
        assert await ledger.report(START, END) == [
            UsageLine(
                {},
                calls=4,
                failed=1,
                requests=4,
                input_tokens=210,
                output_tokens=105,
                cached_tokens=20,
                reasoning_tokens=10,
                tool_calls=4,
                billed_microusd=0,
                list_microusd=147,
                charged_microusd=7,
                calls_with_unknown_cost=1,
                first_token_ms=100.0,
                total_ms=2500.0 / 3,
            )
        ]


async def test_a_group_of_unknown_costs_has_no_sum(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock) as ledger:
        await fill(ledger, clock)
        lines = await ledger.report(START, END, group_by=("model",), where={"caller": "alice"})
    assert [(line.group["model"], line.charged_microusd) for line in lines] == [
        ("nanogpt/glm", 0),
        ("nanogpt/new", None),
    ]
    assert lines[1].calls_with_unknown_cost == 1


@pytest.mark.parametrize(
    ("span", "calls"),
    [
        ("day", {"2026-11-21": 2, "2026-11-22": 1, "2026-12-01": 1}),
        ("week", {"2026-11-16": 3, "2026-11-30": 1}),
        ("month", {"2026-11": 3, "2026-12": 1}),
    ],
)
async def test_days_weeks_and_months_are_groups(
    database_url: str, span: Grouping, calls: dict[str, int]
) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock) as ledger:
        await fill(ledger, clock)
        lines = await ledger.report(START, END, group_by=(span,))
    assert {line.group[span]: line.calls for line in lines} == calls


async def test_a_report_holds_its_start_and_not_its_end(database_url: str) -> None:
    clock = StoppedClock()
    moment = clock()
    async with open_ledger(database_url, clock=clock) as ledger:
        await fill(ledger, clock)
        assert len(await ledger.report(moment, moment + timedelta(seconds=1))) == 1
        assert await ledger.report(moment - timedelta(days=1), moment) == []


async def test_an_unknown_grouping_is_refused_with_what_it_takes(database_url: str) -> None:
    async with open_ledger(database_url) as ledger:
        with pytest.raises(InvalidRequest, match="'mood'; it takes day, week, month, model"):
            await ledger.report(START, END, group_by=("mood",))  # type: ignore[arg-type]  # on purpose


async def test_old_lines_are_removed_and_what_they_count_in_a_window_stays(
    database_url: str,
) -> None:
    clock = StoppedClock()
    limit = budget(100, window="rolling_30_days", is_hard=False)
    async with open_ledger(database_url, limit, clock=clock, retention_days=5) as ledger:
        await record(ledger, Settlement(billed_microusd=7, route={}), route_id="r1")
        clock.advance(days=6)
        await record(ledger, Settlement(billed_microusd=3, route={}), route_id="r2")
        await ledger.prune()
        (line,) = await ledger.report(START, END)
        assert line.charged_microusd == 3
        assert [route["route_id"] for route in await ledger.routes()] == ["r2"]
        (state,) = await ledger.states()
        assert state.settled == 10
        clock.advance(days=25)
        await ledger.prune()
        (state,) = await ledger.states()
        assert state.settled == 3


async def test_old_lines_are_removed_at_the_start_too(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock) as ledger:
        await record(ledger, Settlement())
    clock.advance(days=6)
    async with open_ledger(database_url, clock=clock) as ledger:
        assert len(await ledger.report(START, END)) == 1
    async with open_ledger(database_url, clock=clock, retention_days=5) as ledger:
        assert await ledger.report(START, END) == []
