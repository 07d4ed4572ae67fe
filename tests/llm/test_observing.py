"""What becomes of answers: who asks the same again was not served, and an agent goes on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.evidence.evidence import Evidence
from gateway.evidence.sums import Sum
from gateway.llm.messages import Image, Message, Other, Role, Text, ToolCall
from gateway.llm.observing import REPEATED_WITHIN, Observer, conversation
from gateway.storage.database import Database
from gateway.usage.call import Call

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ASKED = "Please fix the failing test in my repository and explain it."


def said(role: Role, text: str) -> Message:
    return Message(role, (Text(text),))


def call() -> Call:
    return Call(
        request_id="q1",
        caller="anna",
        provider="a",
        model="a/model",
        tier="free",
        request_type="chat",
        task="coding",
        route_id="r1",
    )


async def repeats(
    folder: Path, conversations: Sequence[Sequence[Message]], *, every: timedelta = timedelta()
) -> int:
    """How many of these, asked one after another by one caller, count as asked again."""
    at = NOW
    async with (
        Database(f"sqlite:///{folder}/gateway.db") as database,
        Evidence(database, clock=lambda: NOW) as evidence,
    ):
        observer = Observer(evidence, clock=lambda: at)
        for messages in conversations:
            observer.answering("anna", conversation(messages), call())
            at += every
        await evidence.refresh()
        used: Sum | None = evidence.seen("a/model", "coding").of_kind.get("use")
        return used.looks if used else 0


async def test_what_is_asked_again_soon_counts_once(tmp_path: Path) -> None:
    asked = [said("system", "You are terse."), said("user", ASKED)]
    assert await repeats(tmp_path, [asked] * 2) == 1


async def test_a_batch_and_a_monitor_that_ask_the_same_count_once(tmp_path: Path) -> None:
    asked = [said("user", ASKED)]
    assert await repeats(tmp_path, [asked] * 50, every=timedelta(minutes=5)) == 1


async def test_the_same_much_later_is_no_repeat(tmp_path: Path) -> None:
    assert await repeats(tmp_path, [[said("user", ASKED)]] * 3, every=REPEATED_WITHIN) == 0


async def test_an_agent_that_goes_on_with_its_tools_repeats_nothing(tmp_path: Path) -> None:
    messages = [said("user", ASKED)]
    steps = [list(messages)]
    for number in range(6):
        calls = (ToolCall(f"c{number}", "ls", "{}"),)
        result = Message("tool", (Text("file.py"),), tool_call_id=f"c{number}")
        messages += [Message("assistant", tool_calls=calls), result]
        steps.append(list(messages))
    assert await repeats(tmp_path, [*steps, *steps[1:]]) == 0


async def test_conversations_that_end_alike_are_not_the_same(tmp_path: Path) -> None:
    last = said("user", "Now answer with the label only please.")
    talks = [
        [
            said("system", f"Ticket {number}"),
            said("user", "Read it."),
            said("assistant", "ok"),
            last,
        ]
        for number in range(10)
    ]
    assert await repeats(tmp_path, talks) == 0


def test_roles_pictures_and_long_texts_tell_conversations_apart() -> None:
    long = "word " * 100_000
    picture = Image("data:image/png;base64,aaaa")
    different = [
        [said("user", "a"), said("user", "b")],
        [said("assistant", "a"), said("user", "b")],
        [said("user", "ab")],
        [said("user", f"{long}a")],
        [said("user", f"{long}b")],
        [said("user", f"a{long}")],
        [Message("user", (Text("ab"), picture))],
        [Message("user", (Text("ab"), Image("data:image/png;base64,bbbb")))],
        [*[said("user", "a")] * 1_000, said("user", "b")],
        [*[said("user", "a")] * 1_001, said("user", "b")],
    ]
    told = [conversation(one) for one in different]
    assert len(set(told)) == len(different)
    assert all(told)
    assert told == [conversation(list(one)) for one in different]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [said("user", ASKED), said("assistant", "Well,")],
        [said("user", ASKED), Message("tool", (Text("file.py"),), tool_call_id="c1")],
        [Message("user", (Text("What is said?"), Other({"type": "input_audio"})))],
    ],
)
def test_where_nobody_can_say_that_it_is_the_same_nothing_is_observed(
    messages: list[Message],
) -> None:
    assert conversation(messages) == ""


def test_half_a_character_can_be_told_too() -> None:
    assert conversation([said("user", "a\ud83d")])
