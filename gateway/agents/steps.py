"""Messages of models and results of tools as the answers of steps, and read again."""

from collections.abc import Mapping
from typing import Any

from gateway.agents.run import Step
from gateway.llm.dialects.openai.message import message_to_json
from gateway.llm.doors.chat.message import message_from_json
from gateway.llm.messages import Message, Text


def message_of(step: Step) -> Message:
    """What a model said, or the result of a call, as the next request holds it."""
    answer = step.answer or {}
    if step.kind == "ask":
        return message_from_json(answer["message"], "step")
    return Message(
        "tool",
        (Text(str(answer.get("text", ""))),),
        tool_call_id=str(step.asked.get("id", "")),
        name=step.name,
        is_error=bool(answer.get("is_error")),
    )


def answer_of(message: Message, *, finish: str | None) -> Mapping[str, Any]:
    """The answer of a step `ask`."""
    return {"message": message_to_json(message), "finish": finish}


def result_of(text: str, *, is_error: bool) -> Mapping[str, Any]:
    """The answer of a step `call`."""
    return {"text": text, "is_error": is_error}
