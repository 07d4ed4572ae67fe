"""Durable workflows by DBOS: what began goes on after a crash, in this process or in another.

DBOS keeps them in a SQLite file of its own, or in a schema of its own in the same PostgreSQL. It
knows which step of which run is done; what was said in it is in our own tables. There is one DBOS
in a process.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from datetime import datetime
from typing import Any, Protocol, Self

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import (
    BadAnswer,
    ConfigurationError,
    DeadlineExceeded,
    GatewayError,
    LimitExceeded,
    RateLimited,
    Unavailable,
)

logger = logging.getLogger(__name__)

SCHEMA = "gateway_agents"
# Runs are carried out alike by all versions so far: a newer gateway goes on with an older one's.
WORKFLOWS_VERSION = "1"
# Between the tries of one step.
WAITS_SECONDS = (1.0, 4.0, 15.0)
MOST_WAIT_SECONDS = 60.0
_MOST_RECOVERIES = 1_000
_CONNECTIONS = 5
# By itself DBOS would have SQLite wait for the disk at each commit, several times for each step. As
# with our own tables, nothing is lost when a process is killed, and at most the last moments when
# the machine loses power.
_SQLITE_SETTINGS = (
    "PRAGMA busy_timeout = 30000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
)
_FORGOTTEN_AT_ONCE = 1_000
_OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_GOES_ON = ("PENDING", "ENQUEUED", "DELAYED")
_TRANSIENT = (Unavailable, DeadlineExceeded, BadAnswer, RateLimited)


class _Left(BaseException):
    """The gateway closes in the middle of a step; DBOS would record an `Exception` as its end."""


class Work(Protocol):
    """What is to be carried out."""

    async def advance(self, run_id: str, number: int) -> bool: ...

    async def give_up(self, run_id: str, error: BaseException) -> None: ...

    async def rest(self, run_id: str, seconds: float) -> None: ...


class Durable:
    """Open while runs are carried out; `executor` names this process among all.

    `adopted` hears of each run before it goes on here, and `left` once nothing is done for it
    here any more.
    """

    def __init__(
        self,
        url: str,
        executor: str,
        work: Work,
        *,
        adopted: Callable[[str], Awaitable[None]],
        left: Callable[[str], None],
    ) -> None:
        self._url = url
        self._executor = executor
        self._work = work
        self._adopted = adopted
        self._left = left
        self._tasks: set[asyncio.Task[Any]] = set()
        self._carried: set[str] = set()
        self._is_closing = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        # In a thread: where it finds a loop, it puts its own threads into it.
        try:
            await asyncio.to_thread(self._launch)
        except Exception as error:
            reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise ConfigurationError(f"runs of agents cannot be kept by DBOS: {reason}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        # What runs is left as it is, and goes on wherever the next process opens.
        self._is_closing = True
        for task in (running := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.to_thread(self._close)

    async def start(self, run_id: str, attempt: int) -> None:
        """Carry a run out; the same attempt is begun only once, in whichever process."""

        def start() -> None:
            with self._under_id(workflow_id(run_id, attempt)):
                self._dbos.start_workflow(self._workflow, run_id)

        # Whoever begins a run has claimed it, and need not adopt it.
        self._carried.add(run_id)
        await asyncio.to_thread(start)

    async def recover(self, executor: str) -> None:
        """Go on with what a process that is gone has left."""
        await asyncio.to_thread(self._dbos._recover_pending_workflows, [executor])

    async def goes_on(self, run_id: str, attempt: int) -> bool:
        """Whether some process carries it out, or will."""
        which = workflow_id(run_id, attempt)
        status = await asyncio.to_thread(self._dbos.get_workflow_status, which)
        return status is not None and status.status in _GOES_ON

    async def forget(self, *, before: datetime) -> None:
        """Remove what DBOS keeps of runs that it has carried out so long ago."""

        def forget() -> None:
            while over := self._dbos.list_workflows(
                status=list(_OVER),
                completed_before=before.isoformat(),
                limit=_FORGOTTEN_AT_ONCE,
                load_input=False,
                load_output=False,
            ):
                self._dbos.delete_workflows([one.workflow_id for one in over])

        await asyncio.to_thread(forget)

    def drop(self, run_id: str) -> None:
        """Whatever became of its workflow: nothing is done for it here any more."""
        self._carried.discard(run_id)
        self._left(run_id)

    def _launch(self) -> None:
        # It is large, and a gateway without agents does without.
        from dbos import DBOS, SetWorkflowID

        self._engine = _sqlite(self._url) if self._url.startswith("sqlite") else None
        self._dbos, self._under_id = DBOS, SetWorkflowID
        DBOS(
            config={
                "name": "gateway-agents",
                "system_database_url": self._url,
                "system_database_engine": self._engine,
                "dbos_system_schema": SCHEMA,
                "application_version": WORKFLOWS_VERSION,
                "executor_id": self._executor,
                "enable_otlp": False,
                "log_level": "WARNING",
                "sys_db_pool_size": _CONNECTIONS,
            }
        )

        def carry_out(run_id: str) -> None:
            number = 1
            while DBOS.run_step({"name": "step"}, self._step_in_our_loop, run_id, number):
                number += 1

        workflow = DBOS.workflow(name="agent_run", max_recovery_attempts=_MOST_RECOVERIES)
        self._workflow = workflow(carry_out)
        DBOS.launch()

    def _close(self) -> None:
        self._dbos.destroy(destroy_registry=True)
        if self._engine is not None:
            self._engine.dispose()

    def _step_in_our_loop(self, run_id: str, number: int) -> bool:
        """All that a step uses lives there, and each run of DBOS in a thread."""
        if self._is_closing:
            raise _Left
        step = asyncio.run_coroutine_threadsafe(self._one_step(run_id, number), self._loop)
        try:
            return step.result()
        except CancelledError:
            raise _Left from None

    async def _one_step(self, run_id: str, number: int) -> bool:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        goes_on = False
        try:
            goes_on = await self._step(run_id, number)
            return goes_on
        finally:
            self._tasks.discard(task)
            if not goes_on:
                self._carried.discard(run_id)
                self._left(run_id)

    async def _step(self, run_id: str, number: int) -> bool:
        """Try a step again while it may go better; it never fails, so that DBOS keeps no errors."""
        for seconds in (*WAITS_SECONDS, None):
            try:
                if run_id not in self._carried:
                    await self._adopted(run_id)
                    self._carried.add(run_id)
                return await self._work.advance(run_id, number)
            except GatewayError as error:
                if seconds is None or not is_transient(error):
                    await self._give_up(run_id, error)
                    break
                await self._work.rest(run_id, _wait(error, seconds))
            except Exception as error:
                logger.exception("run=%s failed in step=%d", run_id, number)
                await self._give_up(run_id, error)
                break
        return False

    async def _give_up(self, run_id: str, error: BaseException) -> None:
        """Until it is written: what nobody carries out any more would seem to run for ever."""
        while True:
            try:
                return await self._work.give_up(run_id, error)
            except Exception:
                logger.exception("run=%s could not be ended; it is tried again", run_id)
                await asyncio.sleep(MOST_WAIT_SECONDS)


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, pool_size=_CONNECTIONS)

    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Writers take turns from the beginning of their transactions.
        connection.isolation_level = "IMMEDIATE"
        cursor = connection.cursor()
        for setting in _SQLITE_SETTINGS:
            cursor.execute(setting)
        cursor.close()

    return engine


def workflow_id(run_id: str, attempt: int) -> str:
    return f"{run_id}.{attempt}"


def is_transient(error: BaseException) -> bool:
    """Whether it may go better in some seconds."""
    return isinstance(error, _TRANSIENT) and not isinstance(error, LimitExceeded)


def _wait(error: GatewayError, seconds: float) -> float:
    """As long as it says itself, within reason."""
    said = float(getattr(error, "retry_after_seconds", 0.0))
    return min(max(seconds, said), MOST_WAIT_SECONDS)
