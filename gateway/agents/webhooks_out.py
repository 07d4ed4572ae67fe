"""Notifications to addresses of others, in order, each tried again for a day.

Where each target is stands in the database: a restart goes on there, and of several processes one
delivers at a time. What a process that died had just sent may come twice, under the same ID.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Self

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from gateway.agents.notification import Notification
from gateway.agents.notifications import Notifications
from gateway.cancellation import ended
from gateway.clock import Clock, now, rfc3339
from gateway.downstream.webhook import WebhookSender, check_url, signing_key
from gateway.errors import GatewayError, RateLimited, Unavailable
from gateway.storage.agent_tables import webhook_places as places
from gateway.storage.database import Database
from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds

logger = logging.getLogger(__name__)

# After each failure; after the last one, 23 hours since the first, it is given up.
RETRY_SECONDS: tuple[float, ...] = (5, 30, 120, 600, 3_600, 10_800, 25_200, 43_200)
# Longer than one attempt may take: who died in the middle of it holds up others so long.
CLAIM_SECONDS = 20.0
# Another process may have delivered it before its next try was due.
_LOOK_AGAIN_SECONDS = 30.0
_PAUSE_SECONDS = 5.0

_BEGIN = Statement(lambda insert: insert(places).on_conflict_do_nothing(index_elements=["name"]))
_PLACE = Statement(
    lambda _: select(places.c.position, places.c.failures, places.c.next_try).where(
        places.c.name == bindparam("name")
    )
)


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where notifications whose kind matches one of `kinds`, such as `run.*`, are sent.

    Raises:
        ConfigurationError: its URL or its secret is none.
    """

    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    kinds: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        check_url(self.url)
        signing_key(self.secret)

    def wants(self, kind: str) -> bool:
        return any(fnmatchcase(kind, pattern) for pattern in self.kinds)


@dataclass(frozen=True, slots=True)
class _Claim:
    """`until` tells it apart from all others of this target."""

    until: int
    failures: int


class WebhooksOut:
    """Delivers for as long as it is open; a target that is away holds up no other.

    A new target begins with what is told from now on.
    """

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        sender: WebhookSender,
        targets: Sequence[WebhookTarget],
        *,
        clock: Clock = now,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._sender = sender
        self._targets = targets
        self._clock = clock
        self._retry_seconds = retry_seconds

    async def __aenter__(self) -> Self:
        last = await self._notifications.position()
        rows = [
            {"name": one.name, "position": last, "failures": 0, "next_try": 0}
            for one in self._targets
        ]
        await self._database.write(lambda connection: _BEGIN.run(connection, rows))
        self._tasks = [
            asyncio.create_task(self._deliver_all(one), name=f"webhook {one.name}")
            for one in self._targets
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(*self._tasks)

    async def _deliver_all(self, target: WebhookTarget) -> None:
        while True:
            try:
                await self._follow(target)
                return
            except GatewayError as error:
                logger.warning("webhook=%s waits: %s", target.name, error)
            except Exception:
                # One that ended for an error of ours would be silent until the next start.
                logger.exception("webhook=%s waits", target.name)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self, target: WebhookTarget) -> None:
        place, _, _ = await self._database.read(lambda connection: _place(connection, target.name))
        async with aclosing(self._notifications.pages(after=place)) as pages:
            async for page in pages:
                for one in page:
                    if target.wants(one.kind):
                        await self._deliver(target, one)
                await self._pass_by(target, page[-1])

    async def _deliver(self, target: WebhookTarget, notification: Notification) -> None:
        """Until it was taken, was given up, or another process has delivered it."""
        while True:
            claim = await self._claimed(target, notification)
            if claim is None:
                return
            if isinstance(claim, float):
                await asyncio.sleep(claim)
            else:
                await self._attempt(target, notification, claim)

    async def _claimed(
        self, target: WebhookTarget, notification: Notification
    ) -> _Claim | float | None:
        """None if it needs no delivery any more, or how many seconds to wait for a claim."""

        def work(connection: Connection) -> _Claim | float | None:
            at = self._clock()
            position, failures, next_try = _place(connection, target.name)
            if position >= notification.position:
                return None
            if next_try > microseconds(at):
                return min((next_try - microseconds(at)) / 1e6, _LOOK_AGAIN_SECONDS)
            until = microseconds(at + timedelta(seconds=CLAIM_SECONDS))
            _move(connection, places.c.name == target.name, next_try=until)
            return _Claim(until, failures)

        return await self._database.write(work)

    async def _attempt(
        self, target: WebhookTarget, notification: Notification, claim: _Claim
    ) -> None:
        try:
            await self._sender.send(
                target.url,
                message_id=_id(notification),
                time=self._clock(),
                body=_body(notification),
                secret=target.secret,
            )
        except GatewayError as error:
            await self._failed(target, notification, claim, error)
        except BaseException:
            # Whoever is cancelled in the middle does not hold up the next process.
            await self._settle(target, claim, failures=claim.failures)
            raise
        else:
            await self._settle(target, claim, position=notification.position)

    async def _failed(
        self, target: WebhookTarget, notification: Notification, claim: _Claim, error: GatewayError
    ) -> None:
        about = (target.name, notification.position, claim.failures + 1, error)
        if claim.failures >= len(self._retry_seconds):
            logger.error("webhook=%s gives up notification=%d after %d attempts: %s", *about)
            await self._settle(target, claim, position=notification.position)
            return
        logger.warning("webhook=%s notification=%d failed %d times: %s", *about)
        pause = self._retry_seconds[claim.failures]
        if isinstance(error, RateLimited | Unavailable):
            pause = max(pause, error.retry_after_seconds)
        next_try = microseconds(self._clock() + timedelta(seconds=pause))
        await self._settle(target, claim, failures=claim.failures + 1, next_try=next_try)

    async def _settle(
        self,
        target: WebhookTarget,
        claim: _Claim,
        *,
        position: int | None = None,
        failures: int = 0,
        next_try: int = 0,
    ) -> None:
        """Only of a claim that still holds: who took too long has nothing to say any more."""
        is_ours = (places.c.name == target.name) & (places.c.next_try == claim.until)
        values = {"failures": failures, "next_try": next_try}
        if position is not None:
            values["position"] = position
        await self._database.write(lambda connection: _move(connection, is_ours, **values))

    async def _pass_by(self, target: WebhookTarget, last: Notification) -> None:
        """What it does not want is behind it, also if it wants other kinds one day."""
        is_before = (places.c.name == target.name) & (places.c.position < last.position)
        await self._database.write(
            lambda connection: _move(connection, is_before, position=last.position)
        )


def _place(connection: Connection, name: str) -> tuple[int, int, int]:
    ((position, failures, next_try),) = _PLACE.rows(connection, [{"name": name}])
    return position, failures, next_try


def _move(connection: Connection, which: ColumnElement[bool], **values: int) -> None:
    connection.execute(update(places).where(which).values(values))


def _id(notification: Notification) -> str:
    """The same for each attempt; the time tells apart those of a database that began anew."""
    return f"ntf_{notification.position}_{microseconds(notification.time):x}"


def _body(notification: Notification) -> bytes:
    said = {
        "type": notification.kind,
        "timestamp": rfc3339(notification.time),
        "data": {
            "position": notification.position,
            "title": notification.title,
            "about": notification.data,
        },
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
