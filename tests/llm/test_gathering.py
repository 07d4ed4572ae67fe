from gateway.llm.gathering import Gathering
from gateway.llm.messages import Chunk, Message, Reasoning, Text, ToolCall, ToolCallDelta, Usage


def gathered(*chunks: Chunk) -> Gathering:
    gathering = Gathering()
    for chunk in chunks:
        gathering.add(chunk)
    return gathering


def message(*chunks: Chunk) -> Message:
    (answer,) = gathered(*chunks).answers
    return answer.message


def test_text_is_joined_and_the_last_reason_and_usage_count() -> None:
    found = gathered(
        Chunk("Hel", model="m-1", usage=Usage(5, 1)),
        Chunk("lo", finish_reason="stop"),
        Chunk(usage=Usage(5, 2), frame={"service_tier": "flex"}),
    )
    (answer,) = found.answers
    assert answer.message == Message("assistant", (Text("Hello"),))
    assert (answer.finish_reason, found.usage, found.model) == ("stop", Usage(5, 2), "m-1")
    assert found.frame == {"service_tier": "flex"}


def test_nothing_is_no_answer() -> None:
    assert gathered().answers == ()
    assert gathered(Chunk(usage=Usage(1, 1))).answers == ()


def test_an_answer_that_broke_off_has_no_reason() -> None:
    (answer,) = gathered(Chunk("Half")).answers
    assert (answer.message.text, answer.finish_reason) == ("Half", None)


def test_what_is_gathered_can_be_read_in_between() -> None:
    found = gathered(Chunk("a"))
    assert found.answers[0].message.text == "a"
    found.add(Chunk("b"))
    assert found.answers[0].message.text == "ab"


def test_choices_are_in_order_of_their_numbers() -> None:
    found = gathered(Chunk("b", choice=1), Chunk("a"), Chunk("B", choice=1))
    assert [(one.choice, one.message.text) for one in found.answers] == [(0, "a"), (1, "bB")]


def test_calls_are_joined_by_their_numbers() -> None:
    found = message(
        Chunk(tool_calls=(ToolCallDelta(1, "b", "now"), ToolCallDelta(0, "a", "find", '{"x"'))),
        Chunk(tool_calls=(ToolCallDelta(0, arguments=":1}"), ToolCallDelta(1, arguments="{}"))),
        Chunk(tool_calls=(ToolCallDelta(0, extra={"seal": "s"}),)),
    )
    assert found.tool_calls == (
        ToolCall("a", "find", '{"x":1}', {"seal": "s"}),
        ToolCall("b", "now", "{}"),
    )
    assert found.parts == ()


def test_plain_thoughts_are_one_block_and_a_sealed_one_ends_there() -> None:
    assert message(
        Chunk(reasoning=(Reasoning("a"), Reasoning("b"))),
        Chunk(reasoning=(Reasoning(signature="S"),)),
        Chunk(reasoning=(Reasoning("c"),)),
        Chunk(reasoning=(Reasoning(redacted="R"),)),
        Chunk(reasoning=(Reasoning("d"),)),
    ).reasoning == (
        Reasoning("ab", "S"),
        Reasoning("c"),
        Reasoning(redacted="R"),
        Reasoning("d"),
    )


def test_thoughts_of_different_numbers_are_different_blocks() -> None:
    first, second = {"index": 0, "id": "x"}, {"index": 1}
    assert message(
        Chunk(reasoning=(Reasoning("a", extra={"index": 0}), Reasoning("b", extra=first))),
        Chunk(reasoning=(Reasoning("c", extra=second),)),
    ).reasoning == (Reasoning("ab", extra=first), Reasoning("c", extra=second))


def test_lists_come_in_pieces_and_of_other_fields_the_last_counts() -> None:
    found = gathered(
        Chunk(extra={"annotations": [1], "mood": "a"}, logprobs={"content": [1]}),
        Chunk("x", extra={"annotations": [2], "mood": "b"}, logprobs={"content": [2]}),
        Chunk(refusal="No"),
        Chunk(refusal=".", finish_reason="stop"),
    )
    (answer,) = found.answers
    assert answer.message.extra == {"annotations": [1, 2], "mood": "b", "refusal": "No."}
    assert answer.logprobs == {"content": [1, 2]}
