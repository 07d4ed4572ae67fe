import asyncio

import pytest

from gateway.cancellation import ended
from gateway.errors import Unavailable
from gateway.storage.refreshing import keep_refreshing


async def test_a_refresh_that_fails_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong: list[Exception] = [
        Unavailable("the database does not answer", retry_after_seconds=1),
        KeyError("surprise"),
    ]
    is_fresh = asyncio.Event()

    async def refresh() -> None:
        if wrong:
            raise wrong.pop(0)
        is_fresh.set()

    keeping = keep_refreshing(refresh, seconds=0.001, otherwise="what is known may be old")
    task = asyncio.create_task(keeping)
    async with asyncio.timeout(5):
        await is_fresh.wait()
    await ended(task)
    silent, loud = caplog.records
    assert silent.getMessage() == "what is known may be old: the database does not answer"
    assert (silent.levelname, silent.exc_info) == ("WARNING", None)
    assert (loud.levelname, loud.getMessage()) == ("ERROR", "what is known may be old")
    assert "surprise" in str(loud.exc_text)
