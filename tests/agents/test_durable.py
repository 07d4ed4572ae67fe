"""Runs outlive the gateway that began them, and each step is tried again while it may go better."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.agents import durable
from gateway.agents.durable import Durable, is_transient
from gateway.errors import InvalidRequest, LimitExceeded, RateLimited, Unavailable
from gateway.storage.agent_tables import agent_executors
from tests.agents.house import agent, house, says, wants
from tests.stand_ins.llm.script import Answer

AWAY = Unavailable("away", retry_after_seconds=0)


async def test_a_gateway_that_closes_in_mid_thought_leaves_its_runs_to_the_next_one(
    tmp_path: Path,
) -> None:
    agents = [agent("worker", tools=["create_task"], concurrency=2)]
    create = wants("create_task", '{"title": "Rotate the key"}')
    hanging = says(create, Answer(before_headers=asyncio.Event()))
    async with house(tmp_path, agents, says={"worker": hanging}) as at:
        told = [await at.told("test:worker") for _ in range(2)]
        # Two of each run: one was answered, the other one never is.
        await at.model.has_received(4)
        # Here both gateways are one process, which lives on.
        died = update(agent_executors).values(process="1.0")
        await at.gateway.router.database.write(lambda connection: connection.execute(died))
    going_on = {"worker": says(create, Answer("Done."))}
    async with house(tmp_path, agents, says=going_on) as at:
        for one in told:
            story = await at.story(one)
            assert (story.run.result, story.run.attempt) == ("Done.", 1)
            assert [step.name for step in story.steps] == ["model", "create_task", "model"]
        assert len(at.model.requests) == 2


class Work:
    """A run of so many steps; what `fails` holds is raised first, by whatever is tried."""

    def __init__(self, steps: int, *fails: Exception) -> None:
        self.steps = steps
        self.fails = list(fails)
        self.done: list[int] = []
        self.given_up: list[BaseException] = []

    async def advance(self, run_id: str, number: int) -> bool:
        self._fail()
        self.done.append(number)
        return number < self.steps

    async def give_up(self, run_id: str, error: BaseException) -> None:
        self._fail()
        self.given_up.append(error)

    async def rest(self, run_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _fail(self) -> None:
        if self.fails:
            raise self.fails.pop(0)


async def carried_out(folder: Path, work: Work) -> list[str]:
    """Until nothing is done for the run any more; who was told that it goes on here."""
    over, adopted_runs = asyncio.Event(), []

    async def adopted(run_id: str) -> None:
        adopted_runs.append(run_id)

    url = f"sqlite:///{folder}/durable.db"
    async with Durable(url, "one", work, adopted=adopted, left=lambda _: over.set()) as opened:
        await opened.start("run", 1)
        # Whoever begins it twice, begins it once.
        await opened.start("run", 1)
        async with asyncio.timeout(10):
            await over.wait()
    return adopted_runs


async def test_a_step_is_tried_again_while_it_may_go_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "WAITS_SECONDS", (0.0, 0.0, 0.0))
    work = Work(3, AWAY, AWAY)
    assert await carried_out(tmp_path, work) == []
    assert (work.done, work.given_up) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    "fails",
    [
        [InvalidRequest("never")],
        [ValueError("a fault of ours")],
        [AWAY] * 4,
        # It cannot even be written that it failed: that is tried until it can.
        [InvalidRequest("never"), AWAY, ValueError("odd")],
    ],
)
async def test_what_cannot_be_done_is_given_up_for_sure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: list[Exception]
) -> None:
    monkeypatch.setattr(durable, "WAITS_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(durable, "MOST_WAIT_SECONDS", 0.0)
    work = Work(3, *fails)
    await carried_out(tmp_path, work)
    assert work.done == []
    assert [str(one) for one in work.given_up] == [str(fails[0])]


def test_what_is_over_for_today_is_not_tried_again() -> None:
    assert is_transient(RateLimited("soon", retry_after_seconds=1))
    assert not is_transient(InvalidRequest("never"))
    assert issubclass(LimitExceeded, RateLimited)
