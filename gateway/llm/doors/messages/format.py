"""What our own door speaks: Messages, the way Anthropic's clients ask and read them."""

from gateway.llm.doors.event import typed_event as event
from gateway.llm.doors.messages.answer import (
    Envelope,
    GatheredMessage,
    usage_to_json,
)
from gateway.llm.doors.messages.request import (
    is_stream_from_json,
    other_names,
    request_from_json,
)
from gateway.llm.doors.messages.stream import MessageEvents
from gateway.llm.doors.messages.tokens import counted_tokens
from gateway.llm.doors.messages.tools import take_servers

__all__ = [
    "Envelope",
    "GatheredMessage",
    "MessageEvents",
    "counted_tokens",
    "event",
    "is_stream_from_json",
    "other_names",
    "request_from_json",
    "take_servers",
    "usage_to_json",
]
