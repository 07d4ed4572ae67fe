"""Words the messages of a request as a prompting strategy says: pure, and never twice.

Only texts change. Tool calls, results of tools, images and what else a message holds go on as
they are; a conversation that holds calls of tools stays one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from gateway.llm.messages import ChatRequest, Message, Part, Role, Text
from gateway.llm.tokens import MESSAGE_TOKENS, estimated_tokens
from gateway.strategies import SYSTEM, Places, PromptingStrategy, read_template

_SYSTEM_ROLES: tuple[Role, ...] = ("system", "developer")
_SPEAKERS: Mapping[str, str] = {"user": "User: ", "assistant": "Assistant: "}
_GAP = "\n\n"
_MOST_SIGNS = max(map(len, _SPEAKERS.values())) + len(_GAP)
# A message of the system that was not there, and gaps around what is put into one that was.
_MOST_OF_A_MESSAGE = MESSAGE_TOKENS + 2 * len(_GAP)
_EXAMPLE = (
    Message("system", (Text("Answer in one sentence."),)),
    Message("user", (Text("What is the capital of Norway?"),)),
    Message("assistant", (Text("Oslo."),)),
    Message("user", (Text("And of Denmark?"),)),
)


def worded(request: ChatRequest, strategy: PromptingStrategy | None) -> ChatRequest:
    """The request as the strategy words it; worded again, it stays as it is."""
    if strategy is None or strategy.is_empty or not request.messages:
        return request
    user = _places("user_template", strategy.user_template)
    has_place = any(field == SYSTEM for _, field in user)
    is_flat = not strategy.use_chat_format and _is_plain(request.messages)
    messages = request.messages
    # What was made one message is only one.
    may_be_said = len(messages) == 1 if is_flat else has_place
    if not (may_be_said and _is_said(messages, strategy.system_prompt, user)):
        messages = _with_system(messages, strategy.system_prompt)
    messages = tuple(_of_assistant(messages, strategy))
    if is_flat:
        messages = _flat(messages, strategy, keep_system=has_place)
    if user:
        messages = tuple(_of_user(messages, user, has_place=has_place))
    return request if messages == request.messages else replace(request, messages=messages)


@dataclass(frozen=True, slots=True)
class Extra:
    """Input tokens that a strategy adds to a request: about so many, and so many at most."""

    input_tokens: int = 0
    most_input_tokens: int = 0


NO_EXTRA = Extra()


def extra(strategy: PromptingStrategy, *, said: int, answered: int) -> Extra:
    """Of a request with so many messages of the user, and of the model."""
    texts = (
        (strategy.system_prompt, 1),
        (strategy.user_template, said),
        (strategy.assistant_template, answered),
    )
    # Who speaks, and the gap behind it, where a conversation is sent as one message.
    signs = 0 if strategy.use_chat_format else _MOST_SIGNS * (said + answered)
    return Extra(
        sum(estimated_tokens(text) * count for text, count in texts),
        sum(len(text.encode()) * count for text, count in texts) + signs + _MOST_OF_A_MESSAGE,
    )


def strategy_to_json(model_id: str, strategy: PromptingStrategy | None) -> dict[str, Any]:
    """The whole strategy, and how a conversation will read with it."""
    example = worded(ChatRequest(model_id, _EXAMPLE), strategy)
    return {
        "model_id": model_id,
        "strategy": None if strategy is None or strategy.is_empty else asdict(strategy),
        "example": [{"role": one.role, "content": one.text} for one in example.messages],
    }


def _is_said(messages: Sequence[Message], prompt: str, places: Places) -> bool:
    """Whether a message of the user holds it already, where the template or none puts it."""
    if any(one.role in _SYSTEM_ROLES for one in messages):
        return False
    texts = [one.text for one in messages if one.role == "user" and one.text]
    first, *others = places or [("", None)]
    lead = next((literal for literal, field in others if field == SYSTEM), None)
    if lead is None:
        return bool(texts) and texts[0].startswith(first[0] + prompt)
    return any(lead + prompt in text for text in texts)


def _with_system(messages: tuple[Message, ...], prompt: str) -> tuple[Message, ...]:
    if not prompt:
        return messages
    first = messages[0]
    if first.role not in _SYSTEM_ROLES:
        return (Message("system", (Text(prompt),)), *messages)
    if first.text.startswith(prompt):
        return messages
    # One message of the system, not two: some models take no second one.
    return (replace(first, parts=_around(first.parts, prompt + _GAP, "")), *messages[1:])


def _of_assistant(messages: Sequence[Message], strategy: PromptingStrategy) -> Iterator[Message]:
    places = _places("assistant_template", strategy.assistant_template)
    for one in messages:
        is_meant = places and one.role == "assistant" and one.text
        yield _in_template(one, places) if is_meant else one


def _of_user(messages: Sequence[Message], places: Places, *, has_place: bool) -> Iterator[Message]:
    """With a place for it in the template, the text of the system is said to the first user."""
    of_system = [one for one in messages if one.role in _SYSTEM_ROLES]
    # What is more than text cannot stand in a template.
    is_text = all(isinstance(part, Text) for one in of_system for part in one.parts)
    moves_system = (
        has_place and is_text and any(one.role == "user" and one.text for one in messages)
    )
    system = _GAP.join(one.text for one in of_system) if moves_system else ""
    for one in messages:
        if one.role == "user" and one.text:
            yield _in_template(one, places, system=system)
            system = ""
        elif one.role not in _SYSTEM_ROLES or not moves_system:
            yield one


def _in_template(message: Message, places: Places, *, system: str = "") -> Message:
    """Its text between what the template says before and behind it."""
    before, behind = _sides(places, system=system)
    text = message.text
    is_there = text.startswith(before) and text.endswith(behind) if system else False
    if is_there or (not system and _is_in_template(text, places)):
        return message
    return replace(message, parts=_around(message.parts, before, behind))


def _sides(places: Places, *, system: str) -> tuple[str, str]:
    before, behind, is_behind = "", "", False
    for literal, field in places:
        said = literal + (system if field == SYSTEM else "")
        before, behind = (before, behind + said) if is_behind else (before + said, behind)
        is_behind = is_behind or field not in (None, SYSTEM)
    # Without a place for it, the text stands behind all that the template says.
    return before, behind


def _is_in_template(text: str, places: Places) -> bool:
    """Whether all that the template says stands there already, in order."""
    said = [literal for literal, _ in places]
    if places[-1][1] is not None:
        said.append("")
    if not any(said):
        return True
    start, *others = said
    if not text.startswith(start):
        return False
    at = len(start)
    for one, is_last in ((one, place == len(others)) for place, one in enumerate(others, 1)):
        found = text.rfind(one) if is_last else text.find(one, at)
        if found < at or (is_last and found + len(one) != len(text)):
            return False
        at = found + len(one)
    return True


def _around(parts: Sequence[Part], before: str, behind: str) -> tuple[Part, ...]:
    """Before the first text and behind the last; what lies between stays as it is."""
    texts = [place for place, part in enumerate(parts) if isinstance(part, Text)]
    if not texts:
        return (Text(before), *parts) if before else tuple(parts)
    changed = list(parts)
    for place, left, right in ((texts[0], before, ""), (texts[-1], "", behind)):
        part = changed[place]
        assert isinstance(part, Text)
        changed[place] = replace(part, text=f"{left}{part.text}{right}")
    return tuple(changed)


def _places(name: str, template: str) -> Places:
    return read_template(name, template, takes=_FIELDS) if template else []


_FIELDS = ("prompt", "system", "response")


def _is_plain(messages: Sequence[Message]) -> bool:
    return all(one.role != "tool" and not one.tool_calls and not one.reasoning for one in messages)


def _flat(
    messages: tuple[Message, ...], strategy: PromptingStrategy, *, keep_system: bool
) -> tuple[Message, ...]:
    """All that was said as one message of the user, with its pictures where they were."""
    kept = [one for one in messages if keep_system and one.role in _SYSTEM_ROLES]
    said = [one for one in messages if one not in kept]
    if not said or (len(said) == 1 and said[0].role == "user"):
        return messages
    is_talk = len([one for one in said if one.role not in _SYSTEM_ROLES]) > 1
    parts: list[Part] = []
    for one, following in pairwise((*said, None)):
        assert one is not None
        # A template says itself who speaks.
        is_named = is_talk and not (one.role == "assistant" and strategy.assistant_template)
        speaker = _SPEAKERS.get(one.role, "") if is_named else ""
        parts += _around(one.parts, speaker, _GAP if following else "")
    return (*kept, Message("user", tuple(_joined(parts))))


def _joined(parts: Sequence[Part]) -> Iterator[Part]:
    """Neighbouring texts as one, where neither carries more than its letters."""
    held: Text | None = None
    for part in parts:
        if held and isinstance(part, Text) and not (held.extra or part.extra):
            held = Text(held.text + part.text)
            continue
        if held:
            yield held
        held = part if isinstance(part, Text) else None
        if held is None:
            yield part
    if held:
        yield held
