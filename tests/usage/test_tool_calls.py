"""Every call of a tool leaves a line, which can be summed, filtered and grows old."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.usage.ledger import Ledger
from gateway.usage.tool_call import ToolCall
from gateway.usage.tool_calls import ToolLine
from tests.usage.ledgers import CALL, StoppedClock, costing, open_ledger

LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
CALLED = ToolCall(
    time=datetime(2026, 11, 21, tzinfo=UTC),
    request_id="r1",
    caller="alice",
    tool="search",
    origin="gateway",
    effect="read",
    outcome="ok",
    milliseconds=10.0,
)


async def written(ledger: Ledger) -> None:
    """What was noted before is written in the same transaction, or an earlier one."""
    await ledger.release(await ledger.reserve(CALL, costing(0)))


async def test_calls_are_summed_by_tool_the_most_called_first(database_url: str) -> None:
    async with open_ledger(database_url) as ledger:
        ledger.note(replace(CALLED, tool="create_task", origin="tasks"))
        ledger.note(CALLED)
        ledger.note(replace(CALLED, outcome="deadline_exceeded", milliseconds=30.0))
        await written(ledger)
        assert await ledger.tool_report(LONG_AGO, FAR) == [
            ToolLine("search", "gateway", 2, 1, 20.0),
            ToolLine("create_task", "tasks", 1, 0, 10.0),
        ]


async def test_a_caller_sees_its_own_calls_and_a_time_those_in_it(database_url: str) -> None:
    async with open_ledger(database_url) as ledger:
        ledger.note(CALLED)
        ledger.note(replace(CALLED, caller="bob"))
        await written(ledger)
        (line,) = await ledger.tool_report(LONG_AGO, FAR, caller="bob")
        assert line.calls == 1
        before = CALLED.time - timedelta(seconds=1)
        assert await ledger.tool_report(LONG_AGO, before) == []
        assert len(await ledger.tool_report(CALLED.time, FAR)) == 1


async def test_lines_are_written_before_the_ledger_closes(database_url: str) -> None:
    async with open_ledger(database_url) as ledger:
        ledger.note(CALLED)
    async with open_ledger(database_url) as ledger:
        assert len(await ledger.tool_report(LONG_AGO, FAR)) == 1


async def test_old_lines_are_removed(database_url: str) -> None:
    clock = StoppedClock()
    async with open_ledger(database_url, clock=clock, retention_days=1) as ledger:
        ledger.note(replace(CALLED, time=clock() - timedelta(days=2)))
        ledger.note(replace(CALLED, time=clock()))
        await written(ledger)
        await ledger.prune()
        (line,) = await ledger.tool_report(LONG_AGO, FAR)
        assert line.calls == 1
