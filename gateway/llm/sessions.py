"""Conversations that the gateway remembers for a caller, so that a request is only what is new.

Of what was said before, a model gets the newest whole turns that fit: into three quarters of the
window of the model that is named, or into 32,000 tokens on an automatic route, less what the
request itself needs. A turn is what a user says and all that follows it, so that no result of a
tool is without its call; the one that a request goes on with, such as by a result, always fits. A
call that never got a result is said to have none. The latest system message always goes along.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from gateway.conversations import MOST_MESSAGES, Conversations, Said, Saying
from gateway.llm.completion import Completion
from gateway.llm.dialects.openai.message import message_to_json
from gateway.llm.doors.chat.message import message_from_json
from gateway.llm.messages import ChatRequest, Message, Text, ToolCall
from gateway.llm.tokens import request_tokens

AUTOMATIC_TOKENS = 32_000
_SYSTEM = ("system", "developer")
_NO_RESULT = "Error: the user went on without a result of this call."


class Sessions:
    """Each caller has its own: the same ID of another caller is another session."""

    def __init__(self, conversations: Conversations, completion: Completion) -> None:
        self._conversations = conversations
        self._completion = completion

    async def continued(self, caller: str, session_id: str, request: ChatRequest) -> ChatRequest:
        """The request, behind what was said before."""
        kept = await self._conversations.last(caller, session_id, most=MOST_MESSAGES)
        said = [_message(one) for one in kept]
        before = [one for one in said if one.role not in _SYSTEM]
        system = [one for one in request.messages if one.role in _SYSTEM]
        if not system:
            system = [one for one in said if one.role in _SYSTEM][-1:]
        new = [one for one in request.messages if one.role not in _SYSTEM]
        turns = _turns(before)
        going_on = turns.pop() if turns and new and new[0].role != "user" else []
        room = self._room(request, [*system, *going_on, *new])
        messages = _answered([*_newest(turns, room), *going_on, *new])
        return replace(request, messages=(*system, *messages))

    async def keep(
        self, caller: str, session_id: str, request: ChatRequest, answer: Sequence[Message]
    ) -> None:
        """Add what a request brought and what was answered, together."""
        saying = [_saying(one) for one in (*request.messages, *answer)]
        await self._conversations.add(caller, session_id, messages=saying)

    def _room(self, request: ChatRequest, messages: Sequence[Message]) -> int:
        window = self._completion.window_tokens(request.model)
        most = AUTOMATIC_TOKENS if window is None else window * 3 // 4
        needed = request_tokens(replace(request, messages=tuple(messages)))
        return most - needed - (request.max_output_tokens or 0)


def _newest(turns: Sequence[Sequence[Message]], room: int) -> Sequence[Message]:
    kept: list[Message] = []
    for turn in reversed(turns):
        room -= request_tokens(ChatRequest("", tuple(turn)))
        if room < 0:
            break
        kept[:0] = turn
    return kept


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    """What comes before the first user's message has lost its beginning, and is left out."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == "user":
            turns.append([])
        if turns:
            turns[-1].append(message)
    return turns


def _answered(messages: Sequence[Message]) -> Sequence[Message]:
    """With a result for each call: providers take none without, and the session would be lost."""
    whole: list[Message] = []
    due: dict[str, ToolCall] = {}
    for message in messages:
        if message.role == "tool":
            due.pop(message.tool_call_id or "", None)
        else:
            whole += map(_unanswered, due.values())
            due = {call.id: call for call in message.tool_calls}
        whole.append(message)
    return (*whole, *map(_unanswered, due.values()))


def _unanswered(call: ToolCall) -> Message:
    return Message("tool", (Text(_NO_RESULT),), tool_call_id=call.id, is_error=True)


def _message(said: Said) -> Message:
    if said.message is None:
        return Message(said.role, (Text(said.content),))
    return message_from_json(json.loads(said.message), "session")


def _saying(message: Message) -> Saying:
    is_plain = message == Message(message.role, (Text(message.text),))
    if is_plain:
        return Saying(message.role, message.text)
    written = message_to_json(message)
    if message.is_error:
        written["is_error"] = True
    # Half characters stay escaped: no database holds them.
    return Saying(message.role, message.text, json.dumps(written))
