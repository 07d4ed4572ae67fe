"""What our own door of the Responses API speaks, the way OpenAI's clients ask and read it."""

from gateway.llm.dialects.responses_door_answer import (
    Envelope,
    body,
    event,
    response_of,
    usage_to_json,
)
from gateway.llm.dialects.responses_door_kept import item_of, kept_items
from gateway.llm.dialects.responses_door_open import Event
from gateway.llm.dialects.responses_door_request import (
    REFERENCE,
    Asked,
    Conversation,
    asked_from_json,
    conversation,
)
from gateway.llm.dialects.responses_door_stream import AnswerStream

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
