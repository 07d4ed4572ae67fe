"""Conversations that the gateway remembers for a caller, so that a request is only what is new.

Of what was said before, a model gets the newest whole turns that fit: into three quarters of the
window of the model that is named, or into 32,000 tokens on an automatic route, less what the
request itself needs. A turn is what a user says and all that follows it, so that no result of a
tool is without its call. The latest system message always goes along.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from gateway.conversations import MOST_MESSAGES, Conversations, Said, Saying
from gateway.llm.completion import Completion
from gateway.llm.dialects.openai_door_message import message_from_json
from gateway.llm.dialects.openai_message import message_to_json
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.tokens import request_tokens

AUTOMATIC_TOKENS = 32_000
_SYSTEM = ("system", "developer")


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
        room = self._room(request, [*system, *new])
        return replace(request, messages=(*system, *_newest(before, room), *new))

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


def _newest(messages: Sequence[Message], room: int) -> Sequence[Message]:
    kept: list[Message] = []
    for turn in reversed(_turns(messages)):
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
