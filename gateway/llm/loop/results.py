"""The calls in a conversation that wait for their results, and the messages that are these."""

from collections.abc import Sequence

from gateway.llm.loop.piece import CallEnded
from gateway.llm.messages import Message, Text, ToolCall


def allowed_calls(messages: Sequence[Message], approved: frozenset[str]) -> Sequence[ToolCall]:
    """The calls of the last message with calls that are approved, and not yet answered."""
    place = last_calls(messages)
    if place < 0 or not approved:
        return ()
    answered = {one.tool_call_id for one in messages[place:]}
    calls = {call.id: call for call in messages[place].tool_calls}
    return [call for one, call in calls.items() if one in approved and one not in answered]


def last_calls(messages: Sequence[Message]) -> int:
    """The place of the last message with tool calls; -1 if there is none."""
    places = (at for at in range(len(messages) - 1, -1, -1) if messages[at].tool_calls)
    return next(places, -1)


def result(ended: CallEnded) -> Message:
    return Message(
        "tool",
        (Text(ended.text),),
        tool_call_id=ended.call.id,
        name=ended.call.name,
        is_error=ended.error is not None,
    )


def made_before(call: ToolCall) -> Message:
    text = (
        f"Error: {call.name} was allowed and called before; what it answered then is not known "
        "here, and it is not called again. Look up what it did."
    )
    return Message("tool", (Text(text),), tool_call_id=call.id, name=call.name, is_error=True)
