"""A door that opens when somebody first knocks."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from gateway.endpoints.late_door import LateDoor


class House:
    """Counts who opens and closes it; it opens once it is let."""

    def __init__(self) -> None:
        self.knocked = asyncio.Event()
        self.let_open = asyncio.Event()
        self.steps: list[str] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ASGIApp]:
        self.steps.append("opens")
        self.knocked.set()
        await self.let_open.wait()
        yield PlainTextResponse("Come in.")
        self.steps.append("closes")


def client(door: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(door, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_all_who_knock_at_once_wait_for_one_opening() -> None:
    house = House()
    async with asyncio.timeout(5), LateDoor(house.opened) as door, client(door) as knocking:
        asked = [asyncio.create_task(knocking.get("/")) for _ in range(3)]
        await house.knocked.wait()
        # Who leaves meanwhile does not close it for the others.
        asked.pop().cancel()
        house.let_open.set()
        assert {answer.text for answer in await asyncio.gather(*asked)} == {"Come in."}
        assert (await knocking.get("/")).text == "Come in."
        assert house.steps == ["opens"]
    assert house.steps == ["opens", "closes"]


async def test_where_nobody_knocks_nothing_opens() -> None:
    house = House()
    async with LateDoor(house.opened):
        pass
    assert house.steps == []


async def test_one_that_closes_while_it_opens_is_closed_too() -> None:
    house = House()
    async with asyncio.timeout(5):
        async with LateDoor(house.opened) as door, client(door) as knocking:
            asked = asyncio.create_task(knocking.get("/"))
            await house.knocked.wait()
            house.let_open.set()
        assert (await asked).text == "Come in."
    assert house.steps == ["opens", "closes"]


async def test_nobody_waits_for_one_that_is_closed_in_haste_while_it_opens() -> None:
    house = House()
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as haste, LateDoor(house.opened) as door:
            asked = asyncio.create_task(client(door).get("/"))
            await house.knocked.wait()
            haste.reschedule(asyncio.get_running_loop().time())
    assert haste.expired()
    await asyncio.wait([asked], timeout=5)
    assert asked.cancelled()
    assert house.steps == ["opens"]


async def test_one_that_cannot_open_fails_those_who_knock_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def opened() -> AbstractAsyncContextManager[ASGIApp]:
        raise ImportError("no such part")

    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(5), LateDoor(opened) as door, client(door) as knocking:
            for _ in range(2):
                assert (await knocking.get("/")).status_code == 500
    assert "a door could not be opened" in caplog.text
    assert "no such part" in caplog.text


async def test_one_that_breaks_is_opened_anew_for_who_knocks_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storm, is_gone, opened_houses = asyncio.Event(), asyncio.Event(), list[str]()

    async def fall() -> None:
        await storm.wait()
        raise RuntimeError("the roof fell in")

    @asynccontextmanager
    async def opened() -> AsyncIterator[ASGIApp]:
        opened_houses.append(f"house {len(opened_houses)}")
        try:
            async with asyncio.TaskGroup() as group:
                roof = group.create_task(fall())
                yield PlainTextResponse(opened_houses[-1])
                roof.cancel()
        finally:
            is_gone.set()

    async with asyncio.timeout(5), LateDoor(opened) as door, client(door) as knocking:
        assert (await knocking.get("/")).text == "house 0"
        storm.set()
        await is_gone.wait()
        storm.clear()
        assert (await knocking.get("/")).text == "house 1"
    assert "a door could not be kept open" in caplog.text
    assert "the roof fell in" in caplog.text
