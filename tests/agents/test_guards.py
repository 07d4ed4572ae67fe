"""No agent runs away: each guard stops what it is there for, and its run says which."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from gateway.agents.event import News
from gateway.agents.run import Guard, Story
from gateway.clock import now
from gateway.errors import Refused
from tests.agents.house import House, agent, another, house, says, wants
from tests.stand_ins.llm.script import Answer, Refusal, Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

TASK = '{"title": "Rotate the key"}'
CREATE = wants("create_task", TASK)
HOUR = timedelta(hours=1)
OWN = {"agent": "echoing"}


def quiet_now() -> str:
    return f"{now() - HOUR:%H:%M}-{now() + HOUR:%H:%M} UTC"


AGENTS = (
    agent("looping", tools=["list_tasks"]),
    agent("turning", tools=["list_tasks"], max_rounds=3),
    agent("calling", tools=["list_tasks"], max_tool_calls=3),
    agent("spending", tools=["list_tasks"], budget_per_run_usd=0.02, output_tokens=1_000),
    agent("wasting", budget_per_day_usd=0.004, output_tokens=1_000),
    agent("hanging", max_step_seconds=0.3),
    agent("lasting", tools=["list_tasks"], max_minutes=0.01, max_rounds=100, max_tool_calls=1_000),
    agent("echoing", hears=["test:echoing", {"topic": "agent:finished", "where": OWN}]),
    agent("shallow", max_depth=1),
    agent("waiting"),
    agent("dry", tools=["*"], dry_run=True),
    agent("asleep", quiet_hours=[quiet_now()]),
    agent("sleepy"),
    agent("daring", tools=["nothing_like_it"]),
    agent("failing"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("house"), AGENTS) as opened:
        yield opened


def stopped_by(story: Story) -> tuple[str, Guard | None]:
    return story.run.status, story.run.guard


def other_call(number: int) -> Reply:
    return wants("list_tasks", json.dumps({"limit": number + 1}))


async def test_one_that_makes_the_same_call_over_and_over_is_stopped(at: House) -> None:
    # The same arguments, however they are written.
    at.says["looping"] = says(
        wants("list_tasks", '{"limit": 5, "label": "x"}'),
        wants("list_tasks", '{"label":"x","limit":5}'),
        wants("list_tasks", '{"limit":5,  "label":"x"}'),
    )
    story = await at.heard("test:looping")
    assert stopped_by(story) == ("stopped", "loop")
    assert "list_tasks" in (story.run.because or "")
    assert [one.kind for one in story.steps] == ["ask", "call", "ask", "call", "ask"]


async def test_one_that_never_comes_to_an_end_is_stopped_after_its_rounds(at: House) -> None:
    at.says["turning"] = says(*map(other_call, range(9)))
    story = await at.heard("test:turning")
    assert stopped_by(story) == ("stopped", "rounds")
    assert (story.run.rounds, story.run.calls) == (3, 3)


async def test_one_that_calls_and_calls_is_stopped_after_its_calls(at: House) -> None:
    at.says["calling"] = says(*map(other_call, range(9)))
    story = await at.heard("test:calling")
    assert stopped_by(story) == ("stopped", "calls")
    assert (story.run.rounds, story.run.calls) == (4, 3)


async def test_a_run_that_would_spend_more_than_it_may_is_stopped(at: House) -> None:
    # Each answer costs some 2,000 micro-dollars, and may cost 7,500.
    long_call = wants("list_tasks", text="")
    at.says["spending"] = says(
        *(
            Answer(tokens=1_000 - 10, tools=other.tools)
            for other in map(other_call, range(9))
            if isinstance(other, Answer)
        ),
        long_call,
    )
    story = await at.heard("test:spending")
    assert stopped_by(story) == ("stopped", "run budget")
    assert 0 < (story.run.cost_microusd or 0) <= 20_000
    assert story.steps[-1].outcome == "limit_exceeded"
    # Each run has the whole of it.
    assert (await at.heard("test:spending")).run.rounds >= 1


async def test_runs_of_a_day_that_would_spend_more_than_they_may_are_stopped(at: House) -> None:
    at.says["wasting"] = says(Answer(tokens=900))
    assert (await at.heard("test:wasting")).run.status == "done"
    story = await at.heard("test:wasting")
    assert stopped_by(story) == ("stopped", "day budget")
    assert (await at.agents.standing("wasting")).spent_today_microusd <= 4_000


async def test_one_whose_model_hangs_is_stopped_in_time(at: House) -> None:
    at.says["hanging"] = says(Answer(before_headers=asyncio.Event()))
    story = await at.heard("test:hanging")
    assert stopped_by(story) == ("stopped", "time")
    assert "0.3 s" in (story.run.because or "")
    await at.model.rests()


async def test_one_that_takes_too_long_in_all_is_stopped(at: House) -> None:
    at.says["lasting"] = says(*map(other_call, range(49)))
    story = await at.heard("test:lasting")
    assert stopped_by(story) == ("stopped", "time")
    assert "0.6" in (story.run.because or "")


async def test_one_that_hears_what_it_caused_itself_is_stopped_before_it_begins(
    at: House,
) -> None:
    at.says["echoing"] = says(Answer("I heard it."))
    first = await at.heard("test:echoing")
    assert first.run.status == "done"
    (echo,) = [one for one in await at.agents.events(limit=5) if one.news.cause == first.run.id]
    story = await at.story(echo.id)
    assert stopped_by(story) == ("stopped", "echo")
    assert "echoing" in (story.run.because or "")
    assert story.steps == []


async def test_an_event_that_too_many_agents_led_to_is_not_answered(at: House) -> None:
    at.says["shallow"] = says(Answer("I answer."))
    told = [
        await at.agents.publish(News("test:shallow", chain=tuple("ab")[:depth])) for depth in (1, 2)
    ]
    near, deep = [await at.story(one.event.id) for one in told]
    assert near.run.status == "done"
    assert stopped_by(deep) == ("stopped", "depth")
    assert "a → b" in (deep.run.because or "")


async def test_the_kill_switch_of_another_process_stops_what_runs_and_what_waits(
    at: House,
) -> None:
    never = asyncio.Event()
    at.says["waiting"] = says(Answer(before_headers=never))
    count = len(at.model.requests)
    running = await at.told("test:waiting")
    await at.model.has_received(count + 1)
    async with another(at.config) as elsewhere:
        await elsewhere.pause("*", by="alice")
        story = await at.story(running)
        assert stopped_by(story) == ("stopped", "kill switch")
        later = await at.told("test:waiting")
        waits = await at.is_now(later, "waiting")
        paused = (await at.agents.standing("waiting")).paused
        assert paused
        assert paused.by == "alice"
        never.set()
        await elsewhere.resume("*")
    # What waited is done now.
    assert (await at.story(later)).run.id == waits.id
    assert (await at.story(later)).run.status == "done"


async def test_the_kill_switch_of_one_agent_leaves_the_others(at: House) -> None:
    never, soon = asyncio.Event(), asyncio.Event()
    at.says["waiting"] = says(Answer(before_headers=never))
    at.says["sleepy"] = says(Answer("Awake.", before_headers=soon))
    count = len(at.model.requests)
    hanging, other = await at.told("test:waiting"), await at.told("test:sleepy")
    await at.model.has_received(count + 2)
    await at.agents.stop("waiting", by="alice")
    assert stopped_by(await at.story(hanging)) == ("stopped", "kill switch")
    soon.set()
    assert (await at.story(other)).run.status == "done"
    assert (await at.agents.standing("sleepy")).paused is None
    await at.agents.resume("waiting")


async def test_a_dry_run_only_proposes_what_writes(at: House) -> None:
    at.says["dry"] = says(wants("list_tasks"), CREATE, Answer("Proposed."))
    story = await at.heard("test:dry")
    assert story.run.status == "done"
    assert [one.outcome for one in story.steps] == ["ok", "ok", "ok", "proposed", "ok"]
    (suggestion,) = story.suggestions
    assert (suggestion.tool, suggestion.arguments) == ("create_task", json.loads(TASK))
    assert not [one for one in story.steps if one.outcome == "ok" and one.name == "create_task"]


async def test_in_quiet_hours_nothing_begins(at: House) -> None:
    at.says["asleep"] = at.says["sleepy"] = says(Answer("Awake."))
    asleep = await at.told("test:asleep")
    # Those that came later have begun, and ended.
    assert (await at.heard("test:sleepy")).run.status == "done"
    assert (await at.is_now(asleep, "waiting")).attempt == 0
    assert (await at.agents.standing("asleep")).is_quiet


async def test_a_tool_that_it_does_not_have_is_told_to_the_model(at: House) -> None:
    at.says["daring"] = says(CREATE, wants("no_such_tool"), wants("propose", "no"), Answer("Well."))
    story = await at.heard("test:daring")
    assert story.run.status == "done"
    calls = [one for one in story.steps if one.kind == "call"]
    assert [one.outcome for one in calls] == ["not_found", "not_found", "invalid_request"]
    assert "create_task" in str(calls[0].answer)


async def test_a_model_that_refuses_fails_the_run_and_it_can_go_on_later(at: House) -> None:
    at.says["failing"] = says(Refusal(400, "no such thing", "invalid_request_error"))
    story = await at.heard("test:failing")
    assert stopped_by(story) == ("failed", None)
    assert story.run.because
    at.says["failing"] = says(Answer("Now it goes."))
    await at.agents.resume_run(story.run.id)
    again = await at.become(story.event.id, lambda runs: runs[0].status == "done")
    assert (again[0].attempt, again[0].result) == (2, "Now it goes.")
    with pytest.raises(Refused, match="done"):
        await at.agents.resume_run(story.run.id)
