"""Notifications out to other addresses: in order, each until it is taken, by one process."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.agents.notifications import Notifications
from gateway.agents.webhooks_out import (
    CLAIM_SECONDS,
    RETRY_SECONDS,
    WebhooksOut,
    WebhookTarget,
)
from gateway.downstream.webhook import DEADLINE_SECONDS, WebhookSender
from gateway.errors import ConfigurationError
from gateway.storage.agent_tables import webhook_places as places
from gateway.storage.database import Database
from gateway.storage.tables import microseconds
from tests.stand_ins.http_server import serve

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SOON = (0.002,) * 50


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/gateway.db"


class Receiver:
    """Answers the statuses it is given, and then 204 to what it can verify."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.ids: list[str] = []
        self.taken: list[Mapping[str, Any]] = []
        self._news = asyncio.Event()

    async def hear(self, request: Request) -> Response:
        body = await request.body()
        self.ids.append(request.headers["webhook-id"])
        status = self.statuses.pop(0) if self.statuses else 204
        if status == 204:
            self.taken.append(Webhook(SECRET).verify(body, dict(request.headers)))
        self._news.set()
        return Response(status_code=status)

    async def attempts(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.ids) < number:
                await self._news.wait()
                self._news.clear()

    @property
    def titles(self) -> list[str]:
        return [said["data"]["title"] for said in self.taken]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with serve(Starlette(routes=[Route("/", self.hear, methods=["POST"])])) as url:
            yield url


@asynccontextmanager
async def delivering(
    database: Database, targets: Sequence[WebhookTarget], **settings: Any
) -> AsyncIterator[Notifications]:
    async with (
        Notifications(database, poll_seconds=0.005) as notifications,
        WebhookSender() as sender,
        WebhooksOut(database, notifications, sender, targets, **settings),
    ):
        yield notifications


async def tell(notifications: Notifications, *titles: str) -> None:
    for title in titles:
        await notifications.tell("run.done", title, {"run": title})


async def place(database: Database, name: str) -> tuple[int, int, int]:
    row = select(places.c.position, places.c.failures, places.c.next_try)
    found = await database.read(
        lambda connection: connection.execute(row.where(places.c.name == name)).one()
    )
    return found[0], found[1], found[2]


async def settled(database: Database, name: str, position: int) -> None:
    """Until its place is there and nobody holds it: the receiver knows it earlier."""
    async with asyncio.timeout(5):
        while await place(database, name) != (position, 0, 0):
            await database.read(lambda _: None)


async def test_notifications_arrive_signed_and_in_order(database_url: str) -> None:
    receiver = Receiver()
    async with (
        Database(database_url) as database,
        receiver.listening() as to,
        delivering(database, [WebhookTarget("team", to, SECRET)]) as notifications,
    ):
        await tell(notifications, "a", "b", "c")
        await settled(database, "team", 3)
    assert receiver.titles == ["a", "b", "c"]
    assert len(set(receiver.ids)) == 3
    first = receiver.taken[0]
    assert first["type"] == "run.done"
    assert first["data"] == {"position": 1, "title": "a", "about": {"run": "a"}}
    assert datetime.fromisoformat(first["timestamp"]).tzinfo


async def test_a_target_gets_the_kinds_that_it_wants(tmp_path: Path) -> None:
    runs, alerts = Receiver(), Receiver()
    async with (
        Database(url(tmp_path)) as database,
        runs.listening() as to_runs,
        alerts.listening() as to_alerts,
    ):
        targets = [
            WebhookTarget("runs", to_runs, SECRET, ("run.*", "agent.paused")),
            WebhookTarget("alerts", to_alerts, SECRET, ("budget.alert",)),
        ]
        async with delivering(database, targets) as notifications:
            await notifications.tell("run.done", "done")
            await notifications.tell("budget.alert", "80 %")
            await notifications.tell("agent.resumed", "nobody wants it")
            await notifications.tell("agent.paused", "paused")
            await settled(database, "runs", 4)
            await settled(database, "alerts", 4)
    assert runs.titles == ["done", "paused"]
    assert alerts.titles == ["80 %"]


async def test_what_is_not_taken_is_sent_again_with_the_same_id_before_the_next(
    tmp_path: Path,
) -> None:
    receiver = Receiver(500, 404, 204, 429)
    async with Database(url(tmp_path)) as database, receiver.listening() as to:
        targets = [WebhookTarget("team", to, SECRET)]
        async with delivering(database, targets, retry_seconds=SOON) as notifications:
            await tell(notifications, "a", "b")
            await settled(database, "team", 2)
    assert receiver.titles == ["a", "b"]
    first, second = receiver.ids[0], receiver.ids[-1]
    assert receiver.ids == [first, first, first, second, second]


async def test_one_that_is_away_holds_up_no_other(tmp_path: Path) -> None:
    here = Receiver()
    async with here.listening() as gone:
        pass
    async with Database(url(tmp_path)) as database, here.listening() as to:
        targets = [WebhookTarget("away", gone, SECRET), WebhookTarget("here", to, SECRET)]
        async with delivering(database, targets) as notifications:
            await tell(notifications, "a", "b")
            await settled(database, "here", 2)
            assert (await place(database, "away"))[0] == 0
    assert here.titles == ["a", "b"]


async def test_it_is_tried_for_a_day_and_then_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert RETRY_SECONDS[:5] == (5, 30, 120, 600, 3600)
    assert 23 * 3600 < sum(RETRY_SECONDS) <= 24 * 3600
    attempts = len(RETRY_SECONDS) + 1
    receiver = Receiver(*[500] * attempts)
    async with Database(url(tmp_path)) as database, receiver.listening() as to:
        targets = [WebhookTarget("team", f"{to}/?t0ken", SECRET)]
        soon = (0.0,) * len(RETRY_SECONDS)
        async with delivering(database, targets, retry_seconds=soon) as notifications:
            await tell(notifications, "Secret title", "next")
            await settled(database, "team", 2)
    assert len(receiver.ids) == attempts + 1
    assert receiver.titles == ["next"]
    (given_up,) = [line for line in caplog.messages if "gives up" in line]
    assert given_up.startswith(f"webhook=team gives up notification=1 after {attempts} attempts")
    assert "Secret" not in caplog.text
    assert "t0ken" not in caplog.text


async def test_each_failure_waits_longer_also_over_a_restart(tmp_path: Path) -> None:
    clock = datetime(2026, 11, 21, tzinfo=UTC)
    for failures, seconds in enumerate(RETRY_SECONDS, start=1):
        receiver = Receiver(500)
        async with Database(url(tmp_path)) as database, receiver.listening() as to:
            targets = [WebhookTarget("team", to, SECRET)]
            async with delivering(database, targets, clock=lambda: clock) as notifications:  # noqa: B023 - it ends in the loop
                if failures == 1:
                    await tell(notifications, "a")
                await receiver.attempts(1)
                due = microseconds(clock + timedelta(seconds=seconds))
                async with asyncio.timeout(5):
                    while await place(database, "team") != (0, failures, due):
                        await database.read(lambda _: None)
        clock += timedelta(seconds=seconds)


async def test_what_was_told_while_it_was_closed_is_delivered_after_a_restart(
    tmp_path: Path,
) -> None:
    receiver = Receiver()
    async with Database(url(tmp_path)) as database, receiver.listening() as to:
        targets = [WebhookTarget("team", to, SECRET)]
        async with Notifications(database) as notifications:
            await tell(notifications, "before there was a target")
        async with delivering(database, targets) as notifications:
            await tell(notifications, "a")
            await settled(database, "team", 2)
        async with Notifications(database) as notifications:
            await tell(notifications, "b", "c")
        async with delivering(database, targets):
            await settled(database, "team", 4)
    assert receiver.titles == ["a", "b", "c"]


async def test_what_it_did_not_want_stays_behind_it(tmp_path: Path) -> None:
    receiver = Receiver()
    async with Database(url(tmp_path)) as database, receiver.listening() as to:
        async with delivering(
            database, [WebhookTarget("team", to, SECRET, ("budget.alert",))]
        ) as notifications:
            await tell(notifications, "a", "b")
            await settled(database, "team", 2)
        async with delivering(database, [WebhookTarget("team", to, SECRET)]) as notifications:
            await tell(notifications, "c")
            await settled(database, "team", 3)
    assert receiver.titles == ["c"]


async def test_of_several_processes_one_delivers_each(database_url: str) -> None:
    receiver = Receiver()
    titles = [str(number) for number in range(20)]
    async with AsyncExitStack() as stack:
        to = await stack.enter_async_context(receiver.listening())
        targets = [WebhookTarget("team", to, SECRET)]
        told = []
        for _ in range(3):
            database = await stack.enter_async_context(Database(database_url))
            told.append(await stack.enter_async_context(delivering(database, targets)))
        for number, title in enumerate(titles):
            await tell(told[number % 3], title)
        await receiver.attempts(len(titles))
        await settled(database, "team", len(titles))
    assert receiver.titles == titles
    assert len(set(receiver.ids)) == len(receiver.ids) == len(titles)


async def test_what_a_dead_process_had_claimed_is_delivered_when_its_claim_is_over(
    tmp_path: Path,
) -> None:
    assert CLAIM_SECONDS > DEADLINE_SECONDS
    receiver = Receiver()
    soon = microseconds(datetime.now(UTC) + timedelta(seconds=0.2))
    claimed = {"name": "team", "position": 0, "failures": 0, "next_try": soon}
    async with Database(url(tmp_path)) as database, receiver.listening() as to:
        await database.write(lambda connection: connection.execute(insert(places), claimed))
        async with delivering(database, [WebhookTarget("team", to, SECRET)]) as notifications:
            await tell(notifications, "a")
            await settled(database, "team", 1)
    assert receiver.titles == ["a"]
    assert microseconds(datetime.now(UTC)) > soon


async def test_who_is_closed_in_the_middle_gives_its_claim_back(tmp_path: Path) -> None:
    is_asked, is_over = asyncio.Event(), asyncio.Event()

    async def silent(_: Request) -> Response:
        is_asked.set()
        await is_over.wait()
        return Response(status_code=500)

    app = Starlette(routes=[Route("/", silent, methods=["POST"])])
    async with Database(url(tmp_path)) as database, serve(app) as to:
        async with delivering(database, [WebhookTarget("team", to, SECRET)]) as notifications:
            await tell(notifications, "a")
            async with asyncio.timeout(5):
                await is_asked.wait()
            assert (await place(database, "team"))[2] > 0
        assert await place(database, "team") == (0, 0, 0)
        is_over.set()


async def test_who_took_too_long_cannot_undo_what_another_did_since(tmp_path: Path) -> None:
    titles: list[str] = []
    async with Database(url(tmp_path)) as database:

        async def another_delivers(request: Request) -> Response:
            titles.append((await request.json())["data"]["title"])
            later = update(places).values(position=1, failures=0, next_try=0)
            if len(titles) == 1:
                await database.write(lambda connection: connection.execute(later))
            return Response(status_code=500 if len(titles) == 1 else 204)

        app = Starlette(routes=[Route("/", another_delivers, methods=["POST"])])
        async with (
            serve(app) as to,
            delivering(database, [WebhookTarget("team", to, SECRET)]) as notifications,
        ):
            await tell(notifications, "a", "b")
            # Had the failure counted, b would wait for its next try.
            await settled(database, "team", 2)
    assert titles == ["a", "b"]


async def test_a_target_that_could_not_be_sent_to_is_refused_without_its_secrets() -> None:
    with pytest.raises(ConfigurationError, match="the URL of a webhook is like"):
        WebhookTarget("team", "hooks.example.com/t0ken", SECRET)
    with pytest.raises(ConfigurationError, match="the secret of a webhook is whsec_") as caught:
        WebhookTarget("team", "https://hooks.example.com/t0ken", "n0ne")
    assert "n0ne" not in str(caught.value)
    said = repr(WebhookTarget("team", "https://hooks.example.com/t0ken", SECRET))
    assert "t0ken" not in said
    assert SECRET not in said
