"""What our own door speaks: chat completions, the way OpenAI's clients ask and read them."""

from gateway.llm.doors.chat.answer import (
    DONE,
    Envelope,
    answer_to_json,
    chunk_to_json,
    error_chunk_to_json,
    usage_chunk_to_json,
    usage_to_json,
)
from gateway.llm.doors.chat.request import (
    Delivery,
    delivery_from_json,
    request_from_json,
)
from gateway.llm.doors.event import event

__all__ = [
    "DONE",
    "Delivery",
    "Envelope",
    "answer_to_json",
    "chunk_to_json",
    "delivery_from_json",
    "error_chunk_to_json",
    "event",
    "request_from_json",
    "usage_chunk_to_json",
    "usage_to_json",
]
