import asyncio
import logging

import pytest

from gateway.cancellation import ended


async def forever(began: asyncio.Event) -> None:
    began.set()
    await asyncio.Event().wait()


async def test_tasks_have_ended_when_it_returns_whatever_they_ended_with() -> None:
    began = asyncio.Event()

    async def broken() -> None:
        raise KeyError("lost")

    async def slow_to_leave() -> None:
        try:
            await forever(began)
        finally:
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(one) for one in (slow_to_leave(), broken())]
    async with asyncio.timeout(5):
        await began.wait()
        await ended(*tasks)
        await ended(*tasks)
    assert [one.done() for one in tasks] == [True, True]
    assert isinstance(tasks[1].exception(), KeyError)


async def test_what_a_task_died_of_before_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise KeyError("lost")

    died = asyncio.create_task(broken(), name="watcher of clocks")
    await asyncio.wait([died])
    await ended(died, asyncio.create_task(forever(asyncio.Event())))
    [record] = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "watcher of clocks" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)


async def test_whoever_is_cancelled_while_it_waits_hears_of_it() -> None:
    began, lets_go = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await forever(began)
        finally:
            lets_go.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(5):
        task = asyncio.create_task(stubborn())
        await began.wait()
        waiting = asyncio.create_task(ended(task))
        await lets_go.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert task.done()
