"""Money that calls under way only hold makes a run wait; money that is spent ends it at once."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from sqlalchemy import update

from gateway.agents.event import News
from gateway.agents.run import Guard, Run, Status, Step, Story
from gateway.app.opening import Gateway, opened
from gateway.clock import now
from gateway.config.settings import load
from gateway.storage.agent_tables import agent_executors
from gateway.usage.limit import LimitState
from tests.acceptance.router_processes import provider, until
from tests.agents.house import House, agent, house, says, wants
from tests.stand_ins.agents_process import kill, nursery
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

Ends = tuple[Status, Guard | None]
DAY = timedelta(days=1)
# More than a whole day's budget, only to be asked.
LONG = " ".join(f"word{number}" for number in range(3_000))
PLACES = 4


def one_at_a_time(name: str, **more: Any) -> dict[str, Any]:
    """Each answer holds some 3,000 micro-dollars until it has ended, of 4,000 for a day."""
    held = {"output_tokens": 1_000, "budget_per_day_usd": 0.004, "concurrency": PLACES}
    return agent(name, **{**held, **more})


STOPPED = ("cancelled", "halted", "killed")
AGENTS = (
    *map(one_at_a_time, ("four", "lending", "large", "wasting", *STOPPED)),
    one_at_a_time("late", max_minutes=0.02),
    agent("other"),
    one_at_a_time("asking", delegates_to=["other"]),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    async with house(folder, AGENTS, places=PLACES) as opened:
        yield opened


async def one_asks_and_others_wait(at: House, name: str, *, others: int) -> Sequence[str]:
    """The events; the first one is answered when `says` lets it be."""
    count = len(at.model.requests)
    told = [await at.told(f"test:{name}")]
    await at.model.has_received(count + 1)
    told += [await at.told(f"test:{name}") for _ in range(others)]
    for one in told[1:]:
        await waits(at, one)
    assert len(at.model.requests) == count + 1
    return told


async def waits(at: House, told: str) -> None:
    """Until the run that answers an event waits for money, as its story says."""
    run = await at.is_now(told, "running")
    async with asyncio.timeout(10):
        while not (step := await last_step(at, run)) or not step.asked:  # noqa: ASYNC110 - as in house
            await asyncio.sleep(0.02)
    assert step.ended is None
    assert step.asked["waited_for"] == f"agent-{run.agent}-day"


async def last_step(at: House, run: Run) -> Step | None:
    steps = (await at.agents.story(run.id)).steps
    return steps[-1] if steps else None


async def day_of(gateway: Gateway, name: str) -> LimitState:
    states = await gateway.router.ledger.states()
    return next(one for one in states if one.limit.name == f"agent-{name}-day")


def ended_as(story: Story) -> Ends:
    return story.run.status, story.run.guard


async def test_four_at_once_share_a_budget_that_holds_one_of_them_at_a_time(at: House) -> None:
    may_answer, billed, count = asyncio.Event(), at.model.billed_microusd, len(at.model.requests)
    at.says["four"] = says(Answer("Done.", before_headers=may_answer))
    told = await one_asks_and_others_wait(at, "four", others=3)
    assert (await at.agents.standing("four")).running == 4
    may_answer.set()
    stories = [await at.story(one) for one in told]
    assert [ended_as(one) for one in stories] == [("done", None)] * 4
    assert len(at.model.requests) == count + 4
    first, *others = [one.steps[0] for one in stories]
    assert first.asked == {}
    assert all(one.asked["waited_seconds"] > 0 for one in others)
    document = await at.gateway.owners.registry.fetch(f"run:{stories[1].run.id}")
    assert re.search(r"It waited \d+\.\d s for .* the limit agent-four-day", document.text)
    day = await day_of(at.gateway, "four")
    assert (day.settled, day.reserved) == (at.model.billed_microusd - billed, 0)
    assert sum(one.run.cost_microusd or 0 for one in stories) == day.settled


async def test_those_who_wait_for_money_lend_their_places_to_other_agents(at: House) -> None:
    may_answer = asyncio.Event()
    at.says["lending"] = says(Answer("Done.", before_headers=may_answer))
    at.says["other"] = says(Answer("At once."))
    told = await one_asks_and_others_wait(at, "lending", others=PLACES - 1)
    assert (await at.heard("test:other")).run.result == "At once."
    may_answer.set()
    assert {(await at.story(one)).run.status for one in told} == {"done"}


async def test_who_waits_for_another_agent_holds_no_money(at: House) -> None:
    may_answer = asyncio.Event()
    question = wants("delegate", json.dumps({"agent": "other", "question": "Well?"}))
    at.says["asking"] = says(question, Answer("Done."))
    at.says["other"] = says(Answer("Well.", before_headers=may_answer))
    count = len(at.model.requests)
    told = await at.told("test:asking")
    await at.model.has_received(count + 2)
    assert (await day_of(at.gateway, "asking")).reserved == 0
    may_answer.set()
    assert (await at.story(told)).run.status == "done"


async def test_what_does_not_fit_whoever_ends_stops_a_run_at_once(at: House) -> None:
    may_answer = asyncio.Event()
    at.says["large"] = says(Answer("Done.", before_headers=may_answer))
    (told,) = await one_asks_and_others_wait(at, "large", others=0)
    story = await at.heard("test:large", text=LONG)
    assert ended_as(story) == ("stopped", "day budget")
    assert "more than all of it" in (story.run.because or "")
    assert story.steps[0].asked == {}
    may_answer.set()
    assert (await at.story(told)).run.status == "done"


async def test_who_waits_is_stopped_once_what_was_held_is_spent(at: House) -> None:
    may_answer, billed = asyncio.Event(), at.model.billed_microusd
    at.says["wasting"] = says(Answer(tokens=999, before_headers=may_answer))
    first, second = await one_asks_and_others_wait(at, "wasting", others=1)
    may_answer.set()
    assert ended_as(await at.story(first)) == ("done", None)
    story = await at.story(second)
    assert ended_as(story) == ("stopped", "day budget")
    assert "is used; this call may need" in (story.run.because or "")
    assert story.steps[0].asked["waited_for"] == "agent-wasting-day"
    assert (await day_of(at.gateway, "wasting")).settled == at.model.billed_microusd - billed


@pytest.mark.parametrize(
    ("name", "stop", "ends"),
    [
        ("cancelled", lambda at, run: at.agents.cancel_run(run.id), ("cancelled", None)),
        ("halted", lambda at, run: at.agents.pause_run(run.id), ("paused", None)),
        (
            "killed",
            lambda at, run: at.agents.stop("killed", by="alice"),
            ("stopped", "kill switch"),
        ),
    ],
)
async def test_a_person_stops_it_while_it_waits_and_it_can_go_on(
    at: House, name: str, stop: Callable[[House, Run], Awaitable[None]], ends: Ends
) -> None:
    may_answer = asyncio.Event()
    at.says[name] = says(Answer("Done.", before_headers=may_answer))
    _, waiting = await one_asks_and_others_wait(at, name, others=1)
    (run,) = await at.agents.runs(event_id=waiting)
    await stop(at, run)
    # The other one is still asked, or was stopped with it.
    assert (await at.is_now(waiting, ends[0])).guard == ends[1]
    may_answer.set()
    await at.agents.resume(name)
    await at.agents.resume_run(run.id)
    assert (await at.is_now(waiting, "done")).result == "Done."


async def test_it_waits_no_longer_than_a_run_may_take(at: House) -> None:
    never = asyncio.Event()
    at.says["late"] = says(Answer(before_headers=never))
    asking, waiting = await one_asks_and_others_wait(at, "late", others=1)
    story = await at.story(waiting)
    assert ended_as(story) == ("stopped", "time")
    assert "is held by calls under way" in (story.run.because or "")
    assert story.steps[0].outcome == "limit_exceeded"
    assert story.steps[0].asked["waited_seconds"] > 0
    never.set()
    await at.ended(asking)


async def test_a_gateway_that_closes_waits_for_nobody_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    hangs = {"four": says(Answer(before_headers=asyncio.Event()))}
    async with house(tmp_path, AGENTS, says=hangs) as at:
        told = await one_asks_and_others_wait(at, "four", others=1)
        # Here both gateways are one process, which lives on.
        died = update(agent_executors).values(process="1.0")
        await at.gateway.router.database.write(lambda connection: connection.execute(died))
    async with house(tmp_path, AGENTS, says={"four": says(Answer("Done."))}) as at:
        assert [(await at.story(one)).run.result for one in told] == ["Done.", "Done."]
        assert (await day_of(at.gateway, "four")).reserved == 0


async def test_what_a_killed_process_held_is_charged_in_full_at_once(tmp_path: Path) -> None:
    """Its runs go on with what is left then, or are stopped; none waits for a lease to end."""
    agents = [one_at_a_time("rich", budget_per_day_usd=0.01), one_at_a_time("poor")]
    env = {"MCP_DATABASE_DIR": str(tmp_path / "kept")}
    file, log = tmp_path / "gateway.yaml", tmp_path / "log"
    async with LlmStandIn("openrouter") as model:
        settings = {"providers": [provider(model)], "agents_file": "agents.yaml"}
        file.write_text(yaml.safe_dump(settings), "utf-8")
        (tmp_path / "agents.yaml").write_text(yaml.safe_dump({"agents": agents}), "utf-8")
        model.always("small", Answer(before_headers=asyncio.Event()))
        async with (
            opened(load(file, environment=env)) as gateway,
            nursery(file, env=env, log=log) as born,
        ):
            first = await born.open()
            for name in ("rich", "poor"):
                await gateway.agents.publish(News(f"test:{name}"))
            await model.has_received(2)
            held = {name: (await day_of(gateway, name)).reserved for name in ("rich", "poor")}
            kill(first)
            model.always("small", Answer("Done."))
            await born.open()
            await until(lambda: have_ended(gateway))
            runs = await gateway.agents.runs()
            assert {one.agent: (one.status, one.guard) for one in runs} == {
                "rich": ("done", None),
                "poor": ("stopped", "day budget"),
            }
            assert await lost(gateway) == {f"agent:{name}": held[name] for name in held}
            rich, poor = await day_of(gateway, "rich"), await day_of(gateway, "poor")
            assert (rich.settled, rich.reserved) == (held["rich"] + model.billed_microusd, 0)
            assert (poor.settled, poor.reserved) == (held["poor"], 0)


async def have_ended(gateway: Gateway) -> bool:
    return all(one.has_ended for one in await gateway.agents.runs())


async def lost(gateway: Gateway) -> Counter[str]:
    """What each caller was charged for calls of which nobody knows what they cost."""
    found = await gateway.router.ledger.report(
        now() - DAY, now() + DAY, group_by=("caller",), where={"outcome": "lost"}
    )
    return Counter({str(one.group["caller"]): one.charged_microusd or 0 for one in found})
