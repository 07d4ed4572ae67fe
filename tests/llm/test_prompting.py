"""What a prompting strategy makes of a request, and what it leaves alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.llm.messages import ChatRequest, Image, Message, Other, Text, ToolCall
from gateway.llm.prompting import extra, strategy_to_json, worded
from gateway.llm.tokens import most_tokens
from gateway.strategies import PromptingStrategy

ALL = PromptingStrategy(
    system_prompt="Be brief.",
    user_template="Q: {prompt}\nA:",
    assistant_template="Said: {response}.",
)
LLAMA = PromptingStrategy(
    system_prompt="Be brief.", user_template="[INST] <<{system}>> {prompt} [/INST]"
)


def message(role: str, *parts: object) -> Message:
    texts = [Text(one) if isinstance(one, str) else one for one in parts]
    return Message(role, tuple(texts))  # type: ignore[arg-type]


def read(request: ChatRequest) -> list[tuple[str, str]]:
    return [(one.role, one.text) for one in request.messages]


def asked(*messages: Message) -> ChatRequest:
    return ChatRequest("p/m", messages)


TALK = asked(
    message("system", "You know history."),
    message("user", "Who was Ada?"),
    message("assistant", "A mathematician"),
    message("user", "And Grace?"),
)
PLAIN = asked(message("user", "Who was Ada?"))
FLAT = PromptingStrategy(use_chat_format=False)


@pytest.mark.parametrize(
    ("strategy", "request_", "said"),
    [
        (
            PromptingStrategy(system_prompt="Be brief."),
            PLAIN,
            [("system", "Be brief."), ("user", "Who was Ada?")],
        ),
        (
            ALL,
            TALK,
            [
                ("system", "Be brief.\n\nYou know history."),
                ("user", "Q: Who was Ada?\nA:"),
                ("assistant", "Said: A mathematician."),
                ("user", "Q: And Grace?\nA:"),
            ],
        ),
        (
            PromptingStrategy(assistant_template="[AI] "),
            TALK,
            [*read(TALK)[:2], ("assistant", "[AI] A mathematician"), read(TALK)[3]],
        ),
        (LLAMA, PLAIN, [("user", "[INST] <<Be brief.>> Who was Ada? [/INST]")]),
        (
            LLAMA,
            TALK,
            [
                ("user", "[INST] <<Be brief.\n\nYou know history.>> Who was Ada? [/INST]"),
                ("assistant", "A mathematician"),
                ("user", "[INST] <<>> And Grace? [/INST]"),
            ],
        ),
        (
            PromptingStrategy(user_template='{{"q": "{prompt}"}}'),
            PLAIN,
            [("user", '{"q": "Who was Ada?"}')],
        ),
        (FLAT, PLAIN, read(PLAIN)),
        (
            FLAT,
            TALK,
            [
                (
                    "user",
                    "You know history.\n\nUser: Who was Ada?\n\n"
                    "Assistant: A mathematician\n\nUser: And Grace?",
                )
            ],
        ),
        (
            PromptingStrategy("Be brief.", "<{prompt}>", "AI {response}", False),
            TALK,
            [
                (
                    "user",
                    "<Be brief.\n\nYou know history.\n\nUser: Who was Ada?\n\n"
                    "AI A mathematician\n\nUser: And Grace?>",
                )
            ],
        ),
        (
            PromptingStrategy("Be brief.", "<{system}|{prompt}>", use_chat_format=False),
            TALK,
            [
                (
                    "user",
                    "<Be brief.\n\nYou know history.|User: Who was Ada?\n\n"
                    "Assistant: A mathematician\n\nUser: And Grace?>",
                )
            ],
        ),
        (
            PromptingStrategy("Be brief.", use_chat_format=False),
            PLAIN,
            [("user", "Be brief.\n\nWho was Ada?")],
        ),
    ],
)
def test_messages_are_worded_as_the_strategy_says_and_never_twice(
    strategy: PromptingStrategy, request_: ChatRequest, said: list[tuple[str, str]]
) -> None:
    once = worded(request_, strategy)
    assert read(once) == said
    assert worded(once, strategy) == once


TEXTS = st.sampled_from(("a", "Who was Ada?", "line one\nline two", "Q: x", "User: y", "[|]", " "))
ROLES = st.sampled_from(("system", "user", "assistant"))
MESSAGES = st.builds(message, ROLES, TEXTS, st.one_of(TEXTS, st.just(Image("u"))))
STRATEGIES = st.builds(
    PromptingStrategy,
    st.sampled_from(("", "Be brief.")),
    st.sampled_from(
        ("", "Q: {prompt}", "{system}\n{prompt}", "[{system}|{prompt}]", "{prompt}\nA:")
    ),
    st.sampled_from(("", "AI: ", "({response})")),
    st.booleans(),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(STRATEGIES, st.lists(MESSAGES, min_size=1, max_size=6))
def test_whatever_is_said_nothing_is_lost_and_nothing_worded_twice(
    strategy: PromptingStrategy, said: list[Message]
) -> None:
    request = asked(*said)
    once = worded(request, strategy)
    assert worded(once, strategy) == once
    whole = "".join(one.text for one in once.messages)
    parts = [part for one in said for part in one.parts]
    assert all(part.text in whole for part in parts if isinstance(part, Text))
    assert strategy.system_prompt in whole
    pictures = [part for one in once.messages for part in one.parts if isinstance(part, Image)]
    assert pictures == [part for part in parts if isinstance(part, Image)]


def test_words_of_the_user_are_not_taken_for_those_of_the_strategy() -> None:
    asked_briefly = asked(message("user", "Say it.\nBe brief."))
    for strategy, said in (
        (PromptingStrategy("Be brief.", "{system}\n{prompt}"), "Be brief.\nSay it.\nBe brief."),
        (
            PromptingStrategy("Be brief.", use_chat_format=False),
            "Be brief.\n\nSay it.\nBe brief.",
        ),
    ):
        once = worded(asked_briefly, strategy)
        assert read(once) == [("user", said)]
        assert worded(once, strategy) == once


def test_without_a_strategy_a_request_is_the_same_object() -> None:
    assert worded(TALK, None) is TALK
    assert worded(TALK, PromptingStrategy()) is TALK


def test_pictures_calls_and_other_parts_stay_where_they_are() -> None:
    picture, sound = Image("data:image/png;base64,AA"), Other({"type": "input_audio"})
    call = ToolCall("c1", "look_up", '{"q": "Ada"}')
    request = asked(
        message("user", "What is this? ", picture, "And this?", sound),
        Message("assistant", tool_calls=(call,)),
        Message("tool", (Text("a result"),), tool_call_id="c1"),
        message("user", picture),
    )
    for strategy in (ALL, PromptingStrategy("Be brief.", "Q: {prompt}\nA:", "", False)):
        system, first, called, result, last = worded(request, strategy).messages
        assert system.role == "system"
        assert first.parts == (Text("Q: What is this? "), picture, Text("And this?\nA:"), sound)
        assert (called, result, last) == request.messages[1:]


def test_a_flat_conversation_keeps_its_pictures_in_their_places() -> None:
    picture = Image("https://example.com/cat.png")
    request = asked(
        message("user", "What is this?", picture),
        message("assistant", "A cat."),
        message("user", "Sure?"),
    )
    [one] = worded(request, FLAT).messages
    assert one.parts == (
        Text("User: What is this?\n\n"),
        picture,
        Text("Assistant: A cat.\n\nUser: Sure?"),
    )


def test_a_text_keeps_what_came_with_it() -> None:
    marked = Text("Who was Ada?", {"cache_control": {"type": "ephemeral"}})
    [one] = worded(asked(message("user", marked)), PromptingStrategy("", "Q: {prompt}")).messages
    assert one.parts == (Text("Q: Who was Ada?", marked.extra),)


def test_a_strategy_is_shown_whole_with_an_example_of_how_messages_read() -> None:
    shown = strategy_to_json("p/m", ALL)
    assert shown["model_id"] == "p/m"
    assert shown["strategy"]["user_template"] == "Q: {prompt}\nA:"
    assert shown["strategy"]["use_chat_format"] is True
    assert shown["example"][0]["content"].startswith("Be brief.\n\n")
    assert shown["example"][1]["content"] == "Q: What is the capital of Norway?\nA:"
    assert strategy_to_json("p/m", None)["strategy"] is None


@given(STRATEGIES, st.lists(MESSAGES, min_size=1, max_size=6))
def test_a_strategy_adds_no_more_than_is_reckoned_with(
    strategy: PromptingStrategy, messages: list[Message]
) -> None:
    request = asked(*messages)
    roles = [message.role for message in messages]
    most = extra(strategy, said=roles.count("user"), answered=roles.count("assistant"))
    added = most_tokens(worded(request, strategy)) - most_tokens(request)
    assert added <= most.most_input_tokens
