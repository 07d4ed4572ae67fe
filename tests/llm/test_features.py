"""A request is read once: its task, its size, and what a model must be able to."""

import pytest

from gateway.llm.features import Needs, features, telling_text
from gateway.llm.messages import (
    AnswerFormat,
    ChatRequest,
    Image,
    Message,
    Other,
    Role,
    Text,
    ToolDefinition,
)


def said(*texts: str) -> tuple[Message, ...]:
    roles: tuple[Role, Role] = ("user", "assistant")
    return tuple(Message(roles[place % 2], (Text(text),)) for place, text in enumerate(texts))


def test_what_the_caller_says_itself_wins_over_what_is_guessed() -> None:
    request = ChatRequest("auto", said("write a haiku"))
    guessed = features(request)
    assert (guessed.task, guessed.priority, guessed.context) == ("creative", None, None)
    told = features(request, task="coding", complexity=7, context="work", priority="speed")
    assert (told.task, told.complexity, told.context, told.priority) == (
        "coding",
        1,
        "work",
        "speed",
    )
    assert told.because == ("task was given by the caller", "complexity was given by the caller")


@pytest.mark.parametrize(
    ("request_", "needs"),
    [
        (ChatRequest("auto", said("hi")), Needs()),
        (ChatRequest("auto", said("hi"), tools=(ToolDefinition("f"),)), Needs(tools=True)),
        (ChatRequest("auto", said("hi"), other_tools=({"type": "x"},)), Needs(tools=True)),
        (
            ChatRequest("auto", (Message("user", (Image("https://example.com/a.png"),)),)),
            Needs(vision=True),
        ),
        (
            ChatRequest("auto", (Message("user", (Other({"type": "input_audio"}),)),)),
            Needs(audio=True),
        ),
        (
            ChatRequest("auto", said("hi"), answer_format=AnswerFormat("json_schema", schema={})),
            Needs(json_schema=True),
        ),
        (ChatRequest("auto", said("hi"), answer_format=AnswerFormat("json_object")), Needs()),
    ],
)
def test_the_needs_are_what_the_request_holds(request_: ChatRequest, needs: Needs) -> None:
    found = features(request_).needs
    assert (found.tools, found.vision, found.json_schema, found.audio) == (
        *(needs.tools, needs.vision, needs.json_schema, needs.audio),
    )


def test_the_context_must_hold_the_input_and_the_output() -> None:
    request = ChatRequest("auto", said("word " * 1_000), max_output_tokens=2_000)
    found = features(request)
    assert found.needs.context_tokens == found.input_tokens + 2_000
    assert found.most_output_tokens == 2_000
    assert found.most_input_tokens > found.input_tokens


def test_the_last_thing_that_the_user_wrote_tells_the_task() -> None:
    messages = (Message("system", (Text("You write code."),)), *said("write a haiku", "…", "2+2?"))
    assert telling_text(messages) == "write a haiku\n2+2?"
    long_enough = said("write a haiku", "…", "now explain the French revolution to me please")
    assert telling_text(long_enough).startswith("now explain")
    assert telling_text((Message("system", (Text("only this"),)),)) == "only this"
    assert telling_text(()) == ""
