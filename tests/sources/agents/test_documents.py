"""The pages of agents, runs and events, as a person reads them."""

import re
from pathlib import Path

import pytest

from gateway.agents.event import News
from gateway.endpoints.markdown import rendered
from gateway.errors import NotFound
from tests.sources.agents_world import AgentsWorld, asked, called, opened_agents, some_days

# What it would do in markdown, in HTML and at a terminal.
BAD = (
    "x | y\n# Ignore all\n```\n[click](https://evil.example) <b>\x1b[31m\u202e"
    "![i](http://evil.example/i.png)"
)


async def page(here: AgentsWorld, kind: str, name: str) -> str:
    return (await here.registry.fetch(f"{kind}:{here.by_name[name].id}")).text


async def test_a_run_tells_its_whole_story(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        run, event = here.by_name["key"], here.by_name["commit"]
        document = await here.registry.fetch(f"run:{run.id}")
        told = "Run of review, done: A key is hard-coded in payments.py; a task is open."
        assert document.title == told
        assert document.summary == (
            "2026-11-21T09:30:00Z, 8.0 s, 2 answers of its model, 1 tool call, $0.008."
        )
        order = (
            f"**{told}**",
            "| Agent | `agent:review` |",
            f"| Status | done |\n| For the event | `event:{event.id}` |",
            "| Ended | 2026-11-21T09:30:08Z, after 8.0 s |",
            "| Its model answered | 2 times, 2,400 in, 160 out tokens |",
            "## What it found\n\n```text\nA key is hard-coded",
            "### Rotate the payment key",
            "it waits for a person.",
            "It is in the history now.",
            "- payments.py:12",
            'create_task {"title": "Rotate the key"}',
            f"`gateway agents accept {here.by_name['rotate'].id}`",
            "## Its steps",
            "| 1 | asked openai/gpt-6-sol | ok | 1.0 s | 1,200 in, 80 out | $0.004 |",
            "| 2 | called create_task | ok | 1.0 s |",
            "### 1. It asked openai/gpt-6-sol\n\n```text\nThere is a key.\n```",
            "It wanted to call create_task.",
            "### 2. It called create_task\n\n```text\n" + '{"title": "Remove the key"}',
            "It answered:\n\n```text\ntask_1a2b3c4d",
            "## What happened",
            "Event git:commit: shop abc1234: Add payments.",
            '"message": "Add payments"',
        )
        places = [document.text.find(words) for words in order]
        assert -1 not in places, order[places.index(-1)]
        assert places == sorted(places)
        assert document.metadata["status"] == "done"


async def test_a_run_says_which_guard_stopped_it_and_that_a_cost_is_unknown(
    tmp_path: Path,
) -> None:
    async with some_days(tmp_path) as here:
        document = await here.registry.fetch(f"run:{here.by_name['loop'].id}")
        assert document.title.startswith("Run of documentation, stopped (loop): it wanted to call")
        assert "## Why it ended\n\nThe guard of loop stopped it: it wanted to call" in document.text
        assert f"`gateway agents replay {here.by_name['loop'].id} --from-step N`" in document.text
        assert "cost unknown" in document.summary
        assert "| Cost | unknown |" in document.text
        now = await here.registry.fetch(f"run:{here.by_name['now'].id}")
        assert now.title == "Run of review, running"
        assert "Ended" not in now.text


async def test_the_latest_run_and_event_list_those_before_them(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        for kind, names in (
            ("run", ("next", "now", "loop", "tests", "key", "overspent", "old-failure")),
            ("event", ("question", "commit", "evening", "old-push")),
        ):
            document = await here.registry.fetch(f"{kind}:last")
            assert document.id.text == f"{kind}:last"
            assert document.metadata[f"{kind}_id"] == here.by_name[names[0]].id
            _, _, listed = document.text.partition(f"## The latest {kind}s")
            places = [listed.index(f"`{kind}:{here.by_name[name].id}`") for name in names]
            assert places == sorted(places)


async def test_a_long_run_is_clipped_and_says_so(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        steps = [called("search", "{}", "long " * 2_000) for _ in range(70)]
        await here.ran("long", "test", here.by_name["commit"], steps, status="done", result="ok")
        text = await page(here, "run", "long")
        assert "### 60. It called search" in text
        assert "### 61." not in text
        assert "10 more steps: `gateway agents logs" in text
        assert "[cut here: 10,000 characters in all]" in text
        assert len(text) < 250_000


async def test_an_agent_tells_how_it_is_what_it_may_and_what_it_did(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        document = await here.registry.fetch("agent:review")
        assert document.title == (
            "The review agent is running, 1 running, 1 waiting, 1 run ended today, "
            "$0.012 of $0.50 spent"
        )
        for words in (
            "| Hears | `git:commit`, `code:change` |",
            "| Tools | `create_task`, `search` |",
            "| May ask | `agent:test` |",
            "| Model | `auto:coding` |",
            "| Budget of a run | $0.05 |",
            "Rotate the payment key",
            "| today | $0.008 |",
            "```text\nLook at every change.\nOpen a task for what is dangerous.\n```",
            f"`run:{here.by_name['key'].id}`",
        ):
            assert words in document.text, words
        await here.agents.pause("review", by="olga")
        paused = await here.registry.fetch("agent:review")
        assert "The review agent is paused by olga" in paused.title
        assert "| State | paused by olga since 2026-11-21T12:30:00Z |" in paused.text
        waits = await here.registry.fetch(f"run:{here.by_name['next'].id}")
        assert "| Status | waiting to begin: review is paused by olga |" in waits.text
        dry = await here.registry.fetch("agent:documentation")
        assert "| Only proposes | all that writes: it is a dry run |" in dry.text


async def test_all_agents_are_one_page(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        await here.agents.pause("*", by="olga")
        document = await here.registry.fetch("agent:all")
        assert document.title == (
            "4 agents are on: review, test, documentation, spend-watch; 4 paused; 1 run under way; "
            "1 suggestion waits for a decision"
        )
        assert "| `agent:review` | paused by olga | auto:coding | 1 / 1 | 1 done |" in document.text
        assert f"| `{here.by_name['rotate'].id}` | Rotate the payment key |" in document.text


async def test_an_event_tells_what_it_says_and_who_answered(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        document = await here.registry.fetch(f"event:{here.by_name['commit'].id}")
        assert document.title == "Event git:commit: shop abc1234: Add payments"
        assert "| Topic | `git:commit` |" in document.text
        assert '"commit": "abc1234"' in document.text
        for name in ("key", "tests", "next"):
            assert f"`run:{here.by_name[name].id}`" in document.text
        old = await here.happens("unheard", News("api:created", subject="refunds"))
        document = await here.registry.fetch(f"event:{old.id}")
        assert "No agent runs for it." in document.text
        question = await here.registry.fetch(f"event:{here.by_name['question'].id}")
        assert question.title == "Event question:asked: Is the refund safe?"


async def test_what_models_and_strangers_write_stays_plain_text(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        event = await here.happens(
            "bad-event", News("git:commit", {"m": BAD, BAD: 1}, "git", subject=BAD, by=BAD)
        )
        run = await here.ran(
            "bad",
            "test",
            event,
            [asked(BAD, (BAD, BAD)), called(BAD, BAD, BAD, outcome="tool_failed"), asked(BAD)],
            status="failed",
            because=BAD,
            result=BAD,
        )
        await here.suggests(
            "worse", run, BAD, reason=BAD, evidence=[BAD], tool=BAD, arguments={BAD: BAD}
        )
        pages = (f"run:{run.id}", f"event:{event.id}", "agent:all", "agent:test", "run:last")
        for wanted in pages:
            document = await here.registry.fetch(wanted)
            outside, *fenced = document.text.split("```text\n")
            rest = "".join(part.partition("\n```")[2] for part in fenced)
            for text in (outside, rest, document.title, document.summary):
                for mark in ("\n# Ignore", "](", "<b>", "x | y", "![i]"):
                    assert mark not in text, (wanted, mark)
            html = str(rendered(document.text))
            assert not re.search(r"<(b|a|img|script|h1)\b", html)
            assert document.text.count("```") == 2 * document.text.count("```text\n")
            for sign in ("\x1b", "\u202e"):
                assert sign not in document.text + document.title + document.summary


async def test_what_does_not_exist_is_not_found_and_suggests_what_does(tmp_path: Path) -> None:
    async with some_days(tmp_path) as here:
        for wanted, said, suggested in (
            ("agent:revew", "no agent is named 'revew'; there are: review", "agent:review"),
            ("agent:zzz", "no agent is named 'zzz'", "agent:all"),
            ("run:zzz", "no run is named 'zzz'", "run:last"),
            ("event:evt_00", "there is no event 'evt_00'", "event:last"),
        ):
            with pytest.raises(NotFound, match=said) as caught:
                await here.registry.fetch(wanted)
            assert suggested in caught.value.suggestions
    (tmp_path / "new").mkdir()
    async with opened_agents(tmp_path / "new", agents=()) as here:
        for wanted, said in (
            ("run:last", "no agent has run yet"),
            ("event:last", "no event has been stored yet"),
        ):
            with pytest.raises(NotFound, match=said) as caught:
                await here.registry.fetch(wanted)
            assert caught.value.suggestions == ()
        nobody = await here.registry.fetch("agent:all")
        assert nobody.title == "No agents are on"
        assert "No suggestion waits" in nobody.text


async def test_agents_are_told_to_owners_only(tmp_path: Path) -> None:
    async with some_days(tmp_path, is_owner=False) as here:
        for wanted in ("agent:all", "run:last", "event:last"):
            with pytest.raises(NotFound, match="no kind of document"):
                await here.registry.fetch(wanted)
