"""What a session gives a model to read again: the newest whole turns, as many as fit."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.llm.messages import ChatRequest, Message, Reasoning, Text, ToolCall
from gateway.llm.sessions import AUTOMATIC_TOKENS, Sessions
from tests.llm.routers import router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn

CALL = ToolCall("call_1", "look_up", '{"title": "law"}')
RESULT = Message("tool", (Text("It is long."),), tool_call_id="call_1", is_error=True)


@asynccontextmanager
async def sessions(folder: Path) -> AsyncIterator[Sessions]:
    url = f"sqlite:///{folder}/gateway.db"
    async with (
        LlmStandIn("openrouter", offers=[Offer("tiny", context_tokens=2_000)]) as stand_in,
        router(stand_in, database_url=url) as routed,
    ):
        yield routed.sessions


def said(role: str, text: str) -> Message:
    return Message(role, (Text(text),))  # type: ignore[arg-type]


def asks(text: str, model: str = "auto", **options: int) -> ChatRequest:
    return ChatRequest(model, (said("user", text),), max_output_tokens=options.get("most"))


async def test_calls_results_and_errors_are_remembered_as_they_were(tmp_path: Path) -> None:
    async with sessions(tmp_path) as kept:
        asked = Message("assistant", (Text("Let me see."),), tool_calls=(CALL,))
        answer = [asked, RESULT, said("assistant", "The law.")]
        await kept.keep("alice", "s", asks("What is the law?"), answer)
        request = await kept.continued("alice", "s", asks("And then?"))
        assert request.messages == (
            said("user", "What is the law?"), asked, replace(RESULT, name=None),
            said("assistant", "The law."), said("user", "And then?"),
        )  # fmt: skip


async def test_the_oldest_turns_go_first_and_no_turn_is_cut(tmp_path: Path) -> None:
    async with sessions(tmp_path) as kept:
        for number in range(4):
            long = said("assistant", f"{number}" + " word" * 500)
            await kept.keep("alice", "s", asks(f"Question {number}?"), [long])
        request = await kept.continued("alice", "s", asks("Now?", "openrouter/tiny"))
        texts = [message.text[:10] for message in request.messages]
        assert texts == ["Question 2", "2 word wor", "Question 3", "3 word wor", "Now?"]


async def test_room_for_the_answer_is_left(tmp_path: Path) -> None:
    async with sessions(tmp_path) as kept:
        await kept.keep("alice", "s", asks("Before?"), [said("assistant", "word " * 400)])
        for most, turns in ((100, 3), (1_400, 1)):
            request = await kept.continued("alice", "s", asks("Now?", "openrouter/tiny", most=most))
            assert len(request.messages) == turns


async def test_an_automatic_route_reads_no_more_than_it_says(tmp_path: Path) -> None:
    async with sessions(tmp_path) as kept:
        for _ in range(4):
            text = "word " * (AUTOMATIC_TOKENS // 3)
            await kept.keep("alice", "s", asks("Before?"), [said("assistant", text)])
        request = await kept.continued("alice", "s", asks("Now?"))
        assert len(request.messages) == 5


async def test_the_latest_system_message_goes_along_and_a_new_one_takes_its_place(
    tmp_path: Path,
) -> None:
    async with sessions(tmp_path) as kept:
        begun = replace(asks("Hello."), messages=(said("system", "Be brief."), said("user", "Hi.")))
        await kept.keep("alice", "s", begun, [said("assistant", "Hi.")])
        request = await kept.continued("alice", "s", asks("Now?"))
        assert [message.role for message in request.messages][:2] == ["system", "user"]
        other = replace(begun, messages=(said("system", "Be long."), said("user", "Now?")))
        request = await kept.continued("alice", "s", other)
        assert [one.text for one in request.messages if one.role == "system"] == ["Be long."]


async def test_another_caller_and_another_session_begin_anew(tmp_path: Path) -> None:
    async with sessions(tmp_path) as kept:
        await kept.keep("alice", "s", asks("Mine."), [said("assistant", "Yours.")])
        for caller, session in (("bob", "s"), ("alice", "t")):
            request = await kept.continued(caller, session, asks("Now?"))
            assert len(request.messages) == 1


async def test_a_result_always_comes_with_its_call_however_long_that_turn_was(
    tmp_path: Path,
) -> None:
    async with sessions(tmp_path) as kept:
        call = Message("assistant", tool_calls=(CALL,))
        await kept.keep("alice", "s", asks("word " * 1_900, "openrouter/tiny"), [call])
        result = replace(asks("", "openrouter/tiny"), messages=(RESULT,))
        request = await kept.continued("alice", "s", result)
        assert [one.role for one in request.messages] == ["user", "assistant", "tool"]


async def test_a_call_that_never_got_a_result_does_not_spoil_the_session(tmp_path: Path) -> None:
    async with sessions(tmp_path) as kept:
        other = replace(CALL, id="call_2")
        calls = Message("assistant", tool_calls=(CALL, other))
        await kept.keep("alice", "s", asks("What is the law?"), [calls, RESULT])
        request = await kept.continued("alice", "s", asks("Never mind."))
        assert [one.role for one in request.messages] == [
            "user", "assistant", "tool", "tool", "user",
        ]  # fmt: skip
        missing = request.messages[3]
        assert missing.tool_call_id == "call_2"
        assert missing.is_error
        # The next time too, though a later turn uses the same ID again.
        await kept.keep("alice", "s", asks("Never mind."), [said("assistant", "Fine.")])
        await kept.keep(
            "alice", "s", asks("Again."), [calls, RESULT, replace(RESULT, tool_call_id="call_2")]
        )
        request = await kept.continued("alice", "s", asks("So?"))
        assert [one.role for one in request.messages].count("tool") == 4


@pytest.mark.parametrize("text", ["nul \x00", "half \ud83d", "whole \U0001f600"])
async def test_whatever_was_said_is_kept_as_far_as_it_can_be(tmp_path: Path, text: str) -> None:
    async with sessions(tmp_path) as kept:
        call = ToolCall("call_1", "look_up", json.dumps({"title": text}), {"note": text})
        answer = Message("assistant", (Text(text),), (call,), (Reasoning(text, text),))
        await kept.keep("alice", "s", asks(text), [answer, replace(RESULT, parts=(Text(text),))])
        request = await kept.continued("alice", "s", asks("And?"))
        assert request.messages[1].tool_calls[0].arguments == call.arguments
        assert [one.role for one in request.messages] == ["user", "assistant", "tool", "user"]
