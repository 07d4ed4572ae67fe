import asyncio
from typing import Any

import pytest

from gateway.errors import OutcomeUnknown, Refused
from gateway.market.writes import Writes, failed_safely


async def test_a_write_goes_on_when_its_caller_is_gone() -> None:
    answered = asyncio.Event()

    async def writing() -> dict[str, Any]:
        await answered.wait()
        return {"done": True}

    async with Writes() as writes:
        write = writes.begin("a write", writing())
        caller = asyncio.ensure_future(asyncio.shield(write))
        await asyncio.sleep(0)
        caller.cancel()
        answered.set()
        assert await write == {"done": True}


async def test_the_end_waits_for_a_write() -> None:
    asked = asyncio.Event()

    async def writing() -> dict[str, Any]:
        await asyncio.to_thread(lambda: None)
        asked.set()
        return {}

    async with Writes() as writes:
        write = writes.begin("a write", writing())
    assert asked.is_set()
    assert write.done()


async def test_a_write_that_never_ends_does_not_hold_up_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def writing() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async with asyncio.timeout(5):
        async with Writes(close_seconds=0.01) as writes:
            write = writes.begin("place order", writing())
    assert write.cancelled()
    assert not failed_safely(write)
    assert "write=place order outcome=unknown" in caplog.text


@pytest.mark.parametrize(
    ("error", "is_safe"),
    [(Refused("no"), True), (OutcomeUnknown("who knows"), False), (RuntimeError("bug"), False)],
)
async def test_only_a_refusal_is_sure_to_have_done_nothing(error: Exception, is_safe: bool) -> None:
    async def writing() -> dict[str, Any]:
        raise error

    async with Writes() as writes:
        write = writes.begin("a write", writing())
        assert not failed_safely(write)
        await asyncio.wait([write])
    assert failed_safely(write) is is_safe
