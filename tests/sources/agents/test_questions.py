"""People ask about agents; the right document comes first, and other questions stay theirs."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.documents.query import Query, split
from gateway.sources.agents.reader import TOPIC, AgentReader
from gateway.sources.router_reader import RouterReader
from tests.sources.agents_world import AGENTS, some_days
from tests.sources.router_world import CONFIGURED, World

GOLDEN = Path(__file__).parents[2] / "golden"
OTHERS = (
    "questions.toml",
    "paraphrases.toml",
    "held_out.toml",
    "router_questions.toml",
    "router_held_out.toml",
    "router_held_out_2.toml",
    "cost_questions.toml",
    "routing_questions.toml",
)


def questions(name: str) -> list[dict[str, Any]]:
    text = (GOLDEN / name).read_text("utf-8")
    asked: list[dict[str, Any]] = tomllib.loads(text)["question"]
    return asked


async def test_the_right_document_comes_first(tmp_path: Path) -> None:
    asked = questions("agents_questions.toml")
    async with some_days(tmp_path) as here:
        found = [(one, await here.found(one["ask"])) for one in asked if "first" in one]
    wrong = [(one["ask"], ids[:3]) for one, ids in found if ids[:1] != one["first"]]
    assert wrong == []


async def test_questions_of_others_find_nothing_of_agents(tmp_path: Path) -> None:
    asked = [one for one in questions("agents_questions.toml") if "not" in one]
    async with some_days(tmp_path) as here:
        for one in asked:
            read = Query.read(one["ask"], here.registry.lexicons)
            assert (one["ask"], read.values(TOPIC)) == (one["ask"], ())


def test_no_other_golden_question_is_about_agents() -> None:
    world = World(*CONFIGURED)
    names = [one.name for one in AGENTS]
    reader = AgentReader(RouterReader(world.catalog, clock=world.clock), lambda: names)
    asked = [one["ask"] for name in OTHERS for one in questions(name)]
    assert [ask for ask in asked if reader.read(split(ask)).topics] == []


IDS = (
    ("run", "key", "run:key"),
    ("run", "old-failure", "run:old-failure"),
    ("event", "commit", "event:commit"),
    ("suggestion", "rotate", "run:key"),
    ("suggestion", "cover", "run:tests"),
)


@pytest.mark.parametrize("words", ["{id}", "what became of {id}?", "show me {id} please"])
async def test_an_id_finds_what_it_names(tmp_path: Path, words: str) -> None:
    async with some_days(tmp_path) as here:
        for _, name, first in IDS:
            found = await here.found(words.format(id=here.by_name[name].id))
            assert (name, found) == (name, [first])
        for absent in (
            "20261121-083000-abcdefabcd",
            "evt_0123456789abcdef0123",
            "sug_0123456789ab",
        ):
            assert await here.found(words.format(id=absent)) == []


async def test_titles_in_search_tell_the_answer(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        for question, title in (
            (
                "what did the review agent find today",
                "Run of review, done: A key is hard-coded in payments.py; a task is open.",
            ),
            (
                "what did the spend-watch agent spend yesterday",
                "The spend-watch agent spent $0.09 yesterday; it may spend $0.10 a day",
            ),
            ("what did agents spend this week", "Agents spent $0.098 in the week of 16 November"),
            ("open suggestions", "Suggestion of review (open): Rotate the payment key"),
            ("cancelled runs today", "No cancelled run today; the latest run of an agent"),
            ("which agents are on", "4 agents are on: review, test, documentation, spend-watch; 1"),
            ("is the review agent busy", "The review agent is running, 1 running, 1 waiting, "),
            ("events about commits", "Event git:commit: shop abc1234: Add payments"),
        ):
            answer = await here.registry.search(question)
            assert (question, answer.results[0].title[: len(title)]) == (question, title)
            # An agent's page was read just now: what a question asks is told all the same.
            again = await here.registry.search(question)
            assert again == answer


async def test_an_agent_that_there_is_not_is_said_to_be_none(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        answer = await here.registry.search("what did the security agent find today")
        assert "No agent that is on is named 'security'; there are: review, test" in answer.message


async def test_runs_of_agents_that_are_off_by_now_are_found(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        event = here.by_name["commit"]
        await here.begins("of-old", "auditor", event)
        assert await here.found("runs of the auditor agent today") == [
            "run:of-old",
            "run:last",
            "agent:all",
        ]


async def test_others_than_owners_are_told_only_whose_it_is(tmp_path: Path) -> None:
    async with some_days(tmp_path, is_owner=False) as here:
        answer = await here.registry.search("what did the review agent find today")
        assert answer.results == ()
        assert answer.message == "What agents do and did is told to the owner's keys only."
