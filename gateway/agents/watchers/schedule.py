"""Publishes an event whenever the clock reaches a time of a schedule."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Self

from gateway.agents.event import News
from gateway.agents.topic import checked_topic
from gateway.agents.watchers.marks import Marks
from gateway.agents.watchers.settings import Schedule
from gateway.agents.watchers.surroundings import Publish, Wait
from gateway.agents.watchers.troubles import Troubles
from gateway.cancellation import ended
from gateway.clock import Clock, now, rfc3339

MOST_LATE = timedelta(hours=24)
# What is on time is never this late; what came while the gateway was down mostly is.
LATE = timedelta(seconds=60)
# The computer may sleep, or its clock be set, while the gateway waits.
MOST_WAIT_SECONDS = 30.0
# A time that is reached right now is due.
_A_MOMENT = timedelta(microseconds=1)


class ScheduleWatcher:
    """The mark is the last time that was published; several processes publish each once.

    Of what came while none ran, the latest is published late, if it is less than a day old.
    """

    def __init__(
        self,
        schedule: Schedule,
        publish: Publish,
        marks: Marks,
        *,
        clock: Clock = now,
        wait: Wait = asyncio.sleep,
    ) -> None:
        self._schedule = schedule
        self._topic = checked_topic(f"schedule:{schedule.name}")
        self._publish = publish
        self._marks = marks
        self._clock = clock
        self._wait = wait
        self._troubles = Troubles(self._topic)
        self._coming: datetime | None = None

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._keep_looking(), name=self._topic)
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(self._watching)

    async def look(self) -> None:
        """Publish what is due, if it was not."""
        moment = self._clock()
        mark = await self._marks.mark(self._topic)
        if mark is None:
            await self._marks.advance(self._topic, None, rfc3339(moment))
            return
        planned = last_before(self._schedule, moment + _A_MOMENT)
        if planned is None or planned <= datetime.fromisoformat(mark):
            return
        if moment - planned <= MOST_LATE:
            await self._publish(self._news(planned, is_late=moment - planned > LATE))
        # Only now: what dies before it publishes again, and the delivery is known.
        await self._marks.advance(self._topic, mark, rfc3339(planned))

    async def _keep_looking(self) -> None:
        while True:
            self._coming = None
            await self._troubles.tried(self._look_ahead)
            await self._wait_until(self._coming or self._clock() + LATE)

    async def _look_ahead(self) -> None:
        await self.look()
        self._coming = first_after(self._schedule, self._clock())

    async def _wait_until(self, moment: datetime) -> None:
        while (left := (moment - self._clock()).total_seconds()) > 0:
            await self._wait(min(left, MOST_WAIT_SECONDS))

    def _news(self, planned: datetime, *, is_late: bool) -> News:
        return News(
            self._topic,
            {**self._schedule.data, "planned": rfc3339(planned), "is_late": is_late},
            source="schedule",
            subject=f"{self._schedule.name} of {planned.astimezone(self._schedule.zone):%F %R}",
            delivery=f"{self._schedule.name}:{rfc3339(planned)}",
        )


def first_after(schedule: Schedule, moment: datetime) -> datetime | None:
    return _nearest(schedule, moment, is_ahead=True)


def last_before(schedule: Schedule, moment: datetime) -> datetime | None:
    return _nearest(schedule, moment, is_ahead=False)


def _nearest(schedule: Schedule, moment: datetime, *, is_ahead: bool) -> datetime | None:
    """None where there is none for years.

    A time that a clock skips in spring comes as soon as it has jumped. Where it repeats an hour
    in autumn, a time of certain hours comes once, in the first; one of every hour in both.
    """
    from croniter import CroniterBadDateError, croniter

    times = croniter(schedule.cron, moment.astimezone(schedule.zone))
    step = times.get_next if is_ahead else times.get_prev
    is_of_every_hour = schedule.cron.split()[1].startswith("*")
    try:
        while True:
            found: datetime = step(datetime).astimezone(UTC)
            if is_of_every_hour or not found.astimezone(schedule.zone).fold:
                return found
    except CroniterBadDateError:
        return None
