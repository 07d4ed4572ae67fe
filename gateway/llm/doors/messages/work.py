"""What our tools did unseen before a call went back to the caller, for it to send along.

Clients carry a redacted_thinking block unread. Ours holds the messages for which the answer
stands: without them the model would do it all again.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.doors.chat.message import message_from_json
from gateway.llm.doors.chat.tools import work_to_json
from gateway.llm.messages import Json, Message

_MARK = "gateway-work-1:"
_dumped = json.JSONEncoder(separators=(",", ":")).encode


def work_block(messages: Sequence[Message]) -> dict[str, Any]:
    written = base64.b64encode(_dumped(work_to_json(messages)).encode()).decode()
    return {"type": "redacted_thinking", "data": _MARK + written}


def is_work(raw: Json) -> bool:
    return raw.get("type") == "redacted_thinking" and str(raw.get("data")).startswith(_MARK)


def work_of(blocks: Iterable[Json]) -> tuple[Message, ...]:
    """Nothing for a block that was changed on its way: it is not worth an error."""
    for raw in filter(is_work, blocks):
        try:
            read = json.loads(base64.b64decode(raw["data"].removeprefix(_MARK), validate=True))
            return tuple(message_from_json(one, "work") for one in read)
        except (binascii.Error, ValueError, TypeError, RecursionError, InvalidRequest):
            return ()
    return ()
