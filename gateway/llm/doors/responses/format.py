"""What our own door of the Responses API speaks, the way OpenAI's clients ask and read it."""

from gateway.llm.doors.event import body
from gateway.llm.doors.event import typed_event as event
from gateway.llm.doors.responses.answer import (
    Envelope,
    response_of,
    usage_to_json,
)
from gateway.llm.doors.responses.kept import item_of, kept_items
from gateway.llm.doors.responses.open import Event
from gateway.llm.doors.responses.request import (
    REFERENCE,
    Asked,
    Conversation,
    asked_from_json,
    conversation,
)
from gateway.llm.doors.responses.stream import AnswerStream

__all__ = [
    "REFERENCE",
    "AnswerStream",
    "Asked",
    "Conversation",
    "Envelope",
    "Event",
    "asked_from_json",
    "body",
    "conversation",
    "event",
    "item_of",
    "kept_items",
    "response_of",
    "usage_to_json",
]
