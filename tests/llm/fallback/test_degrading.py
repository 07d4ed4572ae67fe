"""A request with fewer demands is still the same question, and its warning says what it lacks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.fallback.degrading import (
    fewer_messages,
    plain_json,
    shorter_answers,
    without_tools,
)
from gateway.llm.messages import (
    AnswerFormat,
    ChatRequest,
    Message,
    Role,
    Text,
    ToolCall,
    ToolChoice,
    ToolDefinition,
)
from gateway.llm.tokens import request_tokens

ROLES: tuple[Role, ...] = ("system", "user", "assistant", "developer")
TOOL = ToolDefinition("look", "Looks.", {"type": "object"})


def said(role: Role, text: str) -> Message:
    return Message(role, (Text(text),))


HELLO = ChatRequest("auto", (said("system", "Be brief."), said("user", "Hello!")))


@st.composite
def conversations(draw: st.DrawFn) -> ChatRequest:
    roles = draw(st.lists(st.sampled_from(ROLES), max_size=20))
    texts = (f"{number} " * draw(st.integers(1, 200)) for number in range(len(roles)))
    return ChatRequest("auto", tuple(map(said, roles, texts)))


def test_a_schema_is_told_behind_the_other_instructions() -> None:
    schema = {"type": "object", "properties": {"größe": {"type": "integer"}}}
    lessened = plain_json(replace(HELLO, answer_format=AnswerFormat("json_schema", schema=schema)))
    assert lessened is not None
    assert lessened.request.answer_format is None
    roles = [one.role for one in lessened.request.messages]
    assert roles == ["system", "system", "user"]
    assert '"größe"' in lessened.request.messages[1].text
    assert "may not keep to it" in lessened.warnings[0]


@pytest.mark.parametrize("wanted", [None, AnswerFormat("json_object")])
def test_without_a_schema_there_is_none_to_tell(wanted: AnswerFormat | None) -> None:
    assert plain_json(replace(HELLO, answer_format=wanted)) is None


@pytest.mark.parametrize(
    ("choice", "is_optional"),
    [
        (None, True),
        (ToolChoice("auto"), True),
        (ToolChoice("none"), True),
        (ToolChoice("required"), False),
        (ToolChoice("named", "look"), False),
    ],
)
def test_only_optional_tools_are_left_out(choice: ToolChoice | None, is_optional: bool) -> None:
    lessened = without_tools(replace(HELLO, tools=(TOOL,), tool_choice=choice))
    assert (lessened is not None) == is_optional
    if lessened is not None:
        assert lessened.request == HELLO


def test_tools_that_were_called_stay() -> None:
    called = Message("assistant", tool_calls=(ToolCall("1", "look", "{}"),))
    request = replace(HELLO, messages=(*HELLO.messages, called), tools=(TOOL,))
    assert without_tools(request) is None
    assert without_tools(HELLO) is None


@given(conversations(), st.integers(0, 4_000))
def test_a_shorter_conversation_fits_keeps_its_instructions_and_ends_as_before(
    request: ChatRequest, room: int
) -> None:
    lessened = fewer_messages(request, room)
    if lessened is None:
        return
    kept, every = lessened.request.messages, request.messages
    assert request_tokens(lessened.request) <= room
    assert len(kept) < len(every)
    assert [one for one in kept if one.role in ("system", "developer")] == [
        one for one in every if one.role in ("system", "developer")
    ]
    last = max(place for place, one in enumerate(every) if one.role == "user")
    assert kept[-len(every[last:]) :] == every[last:]
    rest = [one for one in kept if one.role not in ("system", "developer")]
    assert rest[0].role == "user"
    # What is left is the end of the conversation, without a gap.
    spoken = [one for one in every if one.role not in ("system", "developer")]
    assert rest == spoken[-len(rest) :]
    assert str(len(every) - len(kept)) in lessened.warnings[0]


def test_calls_of_tools_are_left_out_together_with_their_results() -> None:
    call = Message("assistant", tool_calls=(ToolCall("1", "look", "{}"),))
    result = replace(said("tool", "seen " * 2_000), tool_call_id="1")
    messages = (said("user", "Look."), call, result, said("user", "And now?"), call, result)
    lessened = fewer_messages(ChatRequest("auto", messages), 4_000)
    assert lessened is not None
    assert lessened.request.messages == messages[3:]


def test_what_does_not_fit_alone_is_not_shortened() -> None:
    long = said("user", "word " * 5_000)
    request = ChatRequest("auto", (said("user", "Hello!"), said("assistant", "Hi."), long))
    assert fewer_messages(request, 1_000) is None
    assert fewer_messages(ChatRequest("auto", (long,)), 1_000) is None


@given(st.none() | st.integers(1, 200_000))
def test_answers_are_bounded_by_halves_and_never_to_less_than_is_useful(most: int | None) -> None:
    request = replace(HELLO, max_output_tokens=most)
    bounds = [
        one.request.max_output_tokens or 0 for one in shorter_answers(request, most_tokens=4_096)
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert all(256 <= bound <= (most or 4_096) / 2 for bound in bounds)
