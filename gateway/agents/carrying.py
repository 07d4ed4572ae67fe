"""Carries runs out, one recorded step at a time; whoever goes on does not repeat what is recorded.

A step is written when it begins and when it ends. What ended is never asked or called again. A
model whose answer was not recorded is asked again; a tool that may have written is called again
only if it does its work once for each idempotency key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from gateway.agents.agent import Agent
from gateway.agents.asking import Asking
from gateway.agents.calling import Acting, Calling
from gateway.agents.conversation import Occasion, conversation
from gateway.agents.event import Event
from gateway.agents.moves import (
    Ask,
    Call,
    End,
    latest_end,
    next_move,
    stopped_by_limit,
    stopped_in_time,
)
from gateway.agents.patience import Patience
from gateway.agents.run import Run, Step, Wanted
from gateway.agents.run_store import RunStore
from gateway.clock import Clock
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Refused,
)

_BEFORE_ANY_CALL = (Refused, NotFound, PermissionDenied)
ENDS: Mapping[Wanted, End] = {
    "cancel": End("cancelled", "a person cancelled it"),
    "kill": End("stopped", "a person stopped its agent", "kill switch"),
    "pause": End("paused", "a person paused it"),
}


class Elsewhere(Exception):
    """Another process carries the run by now: this one was taken for dead."""


class Carrying:
    """`end` writes how a run ended, with all that follows from it."""

    def __init__(
        self,
        runs: RunStore,
        agents: Mapping[str, Agent],
        executor: str,
        asking: Asking,
        calling: Calling,
        patience: Patience,
        *,
        event: Callable[[str], Awaitable[Event]],
        end: Callable[[Run], Awaitable[bool]],
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._agents = agents
        self._executor = executor
        self._asking = asking
        self._calling = calling
        self._patience = patience
        self._event = event
        self._end = end
        self._clock = clock
        self._steps: dict[str, asyncio.Task[Step]] = {}
        self._resting: dict[str, asyncio.Event] = {}

    async def advance(self, run_id: str, number: int) -> bool:
        """Do the step of this number, unless it is recorded; whether another one follows.

        Raises:
            GatewayError: its model could not be asked; it may be tried again.
        """
        run, steps = await self._runs.opened(run_id)
        if run.status != "running":
            return False
        if sum(one.ended is not None for one in steps) >= number:
            return True
        event = await self._event(run.event_id)
        try:
            end = await self._moved(run, event, steps)
        except Elsewhere:
            return False
        if end is None:
            return True
        await self.end(run, end)
        return False

    async def give_up(self, run_id: str, error: BaseException) -> None:
        """End a run whose step could not be done, however often it was tried."""
        run = await self._runs.run(run_id)
        if run.status == "running":
            because = str(error) if isinstance(error, GatewayError) else "see the gateway's log"
            with suppress(Elsewhere):
                await self._fail_step(run, error)
                await self.end(run, End("failed", because))

    async def end(self, run: Run, end: End) -> None:
        ended = replace(
            run,
            status=end.status,
            ended=None if end.status == "paused" else self._clock(),
            result=end.result,
            guard=end.guard,
            because=end.because,
        )
        await self._end(ended)

    def stop(self, run_ids: Sequence[str] | None) -> None:
        """Leave the steps of these runs, or of all, that are under way here."""
        for run_id in (*self._steps, *self._resting) if run_ids is None else run_ids:
            if (task := self._steps.get(run_id)) is not None:
                task.cancel()
            if (rest := self._resting.get(run_id)) is not None:
                rest.set()

    async def rest(self, run_id: str, seconds: float) -> None:
        """Until a step is tried again, or a person wants something of the run."""
        rest = self._resting[run_id] = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await rest.wait()
        except TimeoutError:
            return
        finally:
            self._resting.pop(run_id, None)

    async def _moved(self, run: Run, event: Event, steps: Sequence[Step]) -> End | None:
        """Make the next move; how the run ends, if it does."""
        if run.wanted is not None:
            return ENDS[run.wanted]
        agent = self._agents.get(run.agent)
        if agent is None:
            return End("failed", f"agents.yaml has no agent {run.agent!r} that is on")
        move = next_move(agent, run, steps, now=self._clock())
        if isinstance(move, End):
            return move
        return await self._step(agent, run, event, steps, move)

    async def _step(
        self, agent: Agent, run: Run, event: Event, steps: Sequence[Step], move: Ask | Call
    ) -> End | None:
        step = _begun(run, move, self._clock)
        await self._begin(step)
        working = self._work(agent, run, event, steps, move, step)
        task = self._steps[run.id] = asyncio.create_task(working, name=f"run {run.id}")
        try:
            done = await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                # The gateway closes: the run goes on where the next one opens.
                task.cancel()
                raise
            # A person wants something of the run.
            wanted = (await self._runs.run(run.id)).wanted
            return ENDS[wanted] if wanted else End("failed", "its step was cancelled from within")
        except TimeoutError:
            await self._leave_step(run, DeadlineExceeded.code)
            return stopped_in_time(agent)
        except LimitExceeded as error:
            # It was not asked, so that it cost nothing.
            await self._leave_step(run, error.code, cost_microusd=0)
            return stopped_by_limit(agent, error)
        finally:
            self._steps.pop(run.id, None)
        await self._record(done)
        # What follows from it alone need not wait for another step.
        ended = [one for one in steps if one.ended is not None]
        then = next_move(agent, run, [*ended, done], now=self._clock())
        return then if isinstance(then, End) else None

    async def _work(
        self,
        agent: Agent,
        run: Run,
        event: Event,
        steps: Sequence[Step],
        move: Ask | Call,
        step: Step,
    ) -> Step:
        if isinstance(move, Call):
            acting = Acting(agent, run, event, key=f"{run.id}:{move.number}")
            return await self._calling.call(acting, step, move)
        ended = [one for one in steps if one.ended is not None]
        return await self._patience.asked(
            partial(self._ask, agent, run, event, ended),
            step,
            until=latest_end(agent, run),
            waits=self._begin,
        )

    async def _ask(
        self, agent: Agent, run: Run, event: Event, ended: Sequence[Step], step: Step
    ) -> Step:
        async with asyncio.timeout(agent.bounds.step_seconds):
            return await self._asking.ask(
                agent,
                run,
                step,
                messages=conversation(agent, await self._occasion(agent, run, event), ended),
                tools=await self._calling.definitions(agent),
                prefer=next((one.model for one in reversed(ended) if one.model), None),
            )

    async def _occasion(self, agent: Agent, run: Run, event: Event) -> Occasion:
        earlier: Sequence[Run] = ()
        if agent.remembers:
            found = await self._runs.results(agent.name, before=run, limit=agent.remembers)
            earlier = tuple(reversed(found))
        team: Sequence[Run] = ()
        if run.team is not None:
            others = await self._runs.listed(team=run.team)
            team = [one for one in reversed(others) if one.has_ended and one.id != run.id]
        return Occasion(event, earlier, team)

    async def _fail_step(self, run: Run, error: BaseException) -> None:
        outcome = error.code if isinstance(error, GatewayError) else GatewayError.code
        cost_microusd = 0 if isinstance(error, _BEFORE_ANY_CALL) else None
        await self._leave_step(run, outcome, cost_microusd=cost_microusd)

    async def _leave_step(
        self, run: Run, outcome: str, *, cost_microusd: int | None = None
    ) -> None:
        """Nothing came of the last step; what it waited for is in the record of its beginning."""
        if steps := await self._runs.steps(run.id):
            left = replace(steps[-1], ended=self._clock(), outcome=outcome)
            await self._record(replace(left, cost_microusd=cost_microusd))

    async def _begin(self, step: Step) -> None:
        """Raises:
        Elsewhere: it is not to be done here.
        """
        if not await self._runs.begin_step(step, self._executor):
            raise Elsewhere

    async def _record(self, step: Step) -> None:
        """Raises:
        Elsewhere: what came of it is of no account.
        """
        if not await self._runs.end_step(step, self._executor):
            raise Elsewhere


def _begun(run: Run, move: Ask | Call, clock: Clock) -> Step:
    if isinstance(move, Ask):
        return Step(run.id, move.number, "ask", "model", clock())
    call = move.call
    asked = {"id": call.id, "name": call.name, "arguments": call.arguments}
    return Step(run.id, move.number, "call", call.name, clock(), asked=asked)
