"""Items of a conversation, as a client of the Responses API sends them, read into our messages."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.json_fields import Fields, as_flag, as_name, as_text, said, wrong
from gateway.llm.doors.responses.dialogue import Dialogue
from gateway.llm.doors.responses.names import offered_name
from gateway.llm.doors.responses.parts import content_of, output_of
from gateway.llm.doors.seal import Sealed, opened
from gateway.llm.loop.piece import labelled
from gateway.llm.messages import Json, Message, Reasoning, Role, Text, ToolCall
from gateway.tools.tool import OWN

_ROLES: Mapping[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}
# What a client ran itself though another server defined it: a call with what it was to do.
_RAN_BY_CLIENT = {
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
}
_CALLS = ("function_call", "custom_tool_call", *_RAN_BY_CLIENT)
_OUTPUTS = frozenset(f"{kind}_output" for kind in _CALLS)
# Of tools that another server ran: what came of them stands in the text that followed.
_PASSED_OVER = frozenset(
    "web_search_call file_search_call code_interpreter_call image_generation_call computer_call "
    "computer_call_output tool_search_call tool_search_output additional_tools program "
    "program_output configuration_update ghost_snapshot".split()
)
_NOT_ALLOWED = "Error: the user did not allow this call."


class Reading:
    """Items in their order, read one by one; what they are together is `messages`.

    `approved` are the calls that may run now, and `listed` the labels whose tools the client has
    been told of.
    """

    def __init__(self, items: Sequence[Json]) -> None:
        self.approved: set[str] = set()
        self.listed: set[str] = set()
        self._seals = {at: seal for at, item in enumerate(items) if (seal := _seal(item))}
        self._signs: dict[str, Json] = {}
        for seal in self._seals.values():
            self._signs.update(seal.calls)
        self._answered = {
            str(one.get("call_id")) for one in items if str(one.get("type")) in _OUTPUTS
        }
        self._requests: set[str] = set()
        self._dialogue = Dialogue()

    def messages(self) -> tuple[Message, ...]:
        return self._dialogue.end(self._requests, approved=self.approved)

    def read(self, at: int, item: Json, where: str) -> None:
        """Raises:
        InvalidRequest: naming the field, or the item that is not known.
        """
        fields = Fields(item, where)
        kind = fields.read("type", as_name) or "message"
        if kind in _PASSED_OVER:
            return
        if kind in _OUTPUTS:
            self._answer(fields, kind)
        elif kind in _RAN_BY_CLIENT:
            self._ran_by_client(fields, kind)
        else:
            self._read(at, fields, kind)

    def _read(self, at: int, fields: Fields, kind: str) -> None:
        match kind:
            case "message":
                self._message(fields)
            case "reasoning":
                self._think(fields, self._seals.get(at))
            case "function_call" | "custom_tool_call":
                self._call(fields, kind)
            case "mcp_list_tools":
                self.listed.add(_need(fields, "server_label"))
            case "mcp_call":
                self._mcp_call(fields)
            case "mcp_approval_request":
                self._requests.add(call_id := _need(fields, "id"))
                self._dialogue.call(self._mcp(fields, call_id))
            case "mcp_approval_response":
                self._approve(fields)
            case _:
                raise InvalidRequest(
                    f"{fields.path('type')}: {said(kind)} is no item that this gateway can read; "
                    "it takes message, function_call, function_call_output, reasoning, mcp_call "
                    "and the like"
                )

    def _message(self, fields: Fields) -> None:
        name = fields.need("role", as_name, is_what="user, assistant, system or developer")
        role = _ROLES.get(name)
        if role is None:
            raise wrong(name, fields.path("role"), "user, assistant, system or developer")
        parts = content_of(fields.take("content"), fields.path("content"))
        if role == "assistant":
            phase = fields.take("phase")
            self._dialogue.say(parts, {"phase": phase} if isinstance(phase, str) else {})
        else:
            self._dialogue.hear(Message(role, parts))

    def _think(self, fields: Fields, seal: Sealed | None) -> None:
        thoughts = seal.thoughts if seal else _readable(fields)
        if thoughts:
            self._dialogue.think(thoughts)

    def _call(self, fields: Fields, kind: str) -> None:
        call_id, name = _need(fields, "call_id"), _need(fields, "name")
        if fields.take("status") == "incomplete" and call_id not in self._answered:
            # Its answer was cut off in the middle of it: nobody could make it.
            return
        name = offered_name(name, fields.read("namespace", as_name))
        if kind == "function_call":
            arguments = fields.need("arguments", as_text, is_what="a string that holds JSON")
        else:
            arguments = json.dumps({"input": fields.need("input", as_text, is_what="a string")})
        self._dialogue.call(ToolCall(call_id, name, arguments, self._signs.get(call_id, {})))

    def _ran_by_client(self, fields: Fields, kind: str) -> None:
        name = kind.removesuffix("_call")
        done = fields.take(_RAN_BY_CLIENT[kind])
        call_id = fields.read("call_id", as_name) or _need(fields, "id")
        self._dialogue.call(ToolCall(call_id, name, json.dumps(done or {}, ensure_ascii=False)))

    def _answer(self, fields: Fields, kind: str) -> None:
        # The shell of the older kind names its call by the ID of the item.
        call_id = fields.read("call_id", as_name) or _need(fields, "id")
        if not self._dialogue.has_call(call_id):
            raise InvalidRequest(
                f"{fields.path('call_id')}: no call before it has the ID {said(call_id)}; send the "
                "call as well, or the previous_response_id of the response that made it"
            )
        parts = output_of(fields.take("output"), fields.path("output"))
        self._dialogue.hear(Message("tool", parts, tool_call_id=call_id))

    def _mcp_call(self, fields: Fields) -> None:
        """It holds its result; one that was allowed answers the request to be allowed."""
        request = fields.read("approval_request_id", as_name)
        output, error = fields.take("output"), fields.take("error")
        is_error = not isinstance(output, str)
        text = self._labelled(fields, output) if not is_error else self._failed(fields, error)
        if request is not None and self._dialogue.has_call(request):
            self.approved.discard(request)
            self._requests.discard(request)
            self._dialogue.hear(_result(request, text, is_error=is_error))
            return
        call_id = _need(fields, "id")
        call = self._mcp(fields, call_id)
        self._dialogue.call(call, _result(call_id, text, is_error=is_error))

    def _labelled(self, fields: Fields, output: str, *, what: str = "Result") -> str:
        """As the model read it when the tool was called."""
        name, label = fields.rest.get("name"), fields.rest.get("server_label")
        return labelled(str(name), str(label or OWN), output, what=what)

    def _failed(self, fields: Fields, error: Any) -> str:
        """Whose words they were, an item does not tell: they may be those of a tool."""
        return self._labelled(fields, _told(error), what="Error")

    def _mcp(self, fields: Fields, call_id: str) -> ToolCall:
        arguments = fields.read("arguments", as_text) or "{}"
        return ToolCall(call_id, _need(fields, "name"), arguments, self._signs.get(call_id, {}))

    def _approve(self, fields: Fields) -> None:
        request = _need(fields, "approval_request_id")
        if not self._dialogue.has_call(request):
            raise InvalidRequest(
                f"{fields.path('approval_request_id')}: no mcp_approval_request before it has the "
                f"ID {said(request)}"
            )
        if fields.need("approve", as_flag, is_what="true or false"):
            self.approved.add(request)
            return
        self._requests.discard(request)
        reason = fields.read("reason", as_text)
        text = f"{_NOT_ALLOWED} It said: {reason}" if reason else _NOT_ALLOWED
        self._dialogue.hear(_result(request, text, is_error=True))


def messages_of(items: Iterable[tuple[Json, str]]) -> tuple[tuple[Message, ...], Reading]:
    """All items, each with the way to it; and what was read beside the messages.

    Raises:
        InvalidRequest: as `Reading.read`.
    """
    placed = list(items)
    reading = Reading([item for item, _ in placed])
    for at, (item, where) in enumerate(placed):
        reading.read(at, item, where)
    return reading.messages(), reading


def _seal(item: Json) -> Sealed | None:
    return opened(item.get("encrypted_content")) if item.get("type") == "reasoning" else None


def _readable(fields: Fields) -> tuple[Reasoning, ...]:
    """What another server sealed is read as far as it can be."""
    lists = [
        value for name in ("summary", "content") if isinstance(value := fields.take(name), list)
    ]
    texts = [part.get("text") for parts in lists for part in parts if isinstance(part, Mapping)]
    text = "\n\n".join(text for text in texts if isinstance(text, str) and text)
    return (Reasoning(text),) if text else ()


def _need(fields: Fields, name: str) -> str:
    return fields.need(name, as_name, is_what="a string that is not empty")


def _result(call_id: str, text: str, *, is_error: bool) -> Message:
    return Message("tool", (Text(text),), tool_call_id=call_id, is_error=is_error)


def _told(error: Any) -> str:
    """The text of an error, in whichever of its forms it came."""
    if isinstance(error, Mapping):
        content = error.get("content")
        if isinstance(content, list):
            texts = [part.get("text") for part in content if isinstance(part, Mapping)]
            return " ".join(text for text in texts if isinstance(text, str))
        error = error.get("message")
    return str(error or "the call did not end")
