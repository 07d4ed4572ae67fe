"""An answer for another program: one line of JSON for each thing that happens."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, TextIO

from gateway.client.answers import Reply
from gateway.client.events import CallBegun, CallEnded, Event
from gateway.errors import GatewayError
from gateway.terminal.chat import Chat

_TYPES: Mapping[type[Event], str] = {CallBegun: "function_call", CallEnded: "function_result"}


def answer_in_lines(chat: Chat, message: str, out: TextIO) -> None:
    """The last line has the type `reply`, or `error`.

    Raises:
        GatewayError: as the line says.
    """

    def write(line: Mapping[str, Any]) -> None:
        # Whatever steers a terminal is escaped.
        out.write(f"{json.dumps(line, ensure_ascii=True)}\n")
        out.flush()

    try:
        with chat.asking(message) as stream:
            for event in stream.events():
                write(_event(event))
        write({"type": "reply", "session_id": chat.session_id, **_reply(stream.reply)})
    except GatewayError as error:
        write({"type": "error", "code": error.code, "message": str(error)})
        raise


def _event(event: Event) -> Mapping[str, Any]:
    if isinstance(event, str):
        return {"type": "text", "text": event}
    return {"type": _TYPES[type(event)], **asdict(event)}


def _reply(reply: Reply) -> dict[str, Any]:
    written = asdict(replace(reply, raw={}))
    del written["raw"]
    return written
