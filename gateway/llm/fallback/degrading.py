"""A request with fewer demands, and the warning that its answer then carries: pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gateway.llm.features import LEAST_OUTPUT_TOKENS
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.tokens import request_tokens

_SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Lessened:
    """What may be asked in place of a request; each warning says what its answer lacks."""

    request: ChatRequest
    warnings: tuple[str, ...] = ()

    def also(self, other: "Lessened | None") -> "Lessened":
        if other is None:
            return self
        return Lessened(other.request, (*self.warnings, *other.warnings))


def plain_json(request: ChatRequest) -> Lessened | None:
    """The schema of the answer told in words, to models that cannot be held to it."""
    wanted = request.answer_format
    if wanted is None or wanted.kind != "json_schema":
        return None
    schema = json.dumps(wanted.schema or {}, ensure_ascii=False)
    told = f"Answer with JSON alone, without any words around it, by this JSON Schema: {schema}"
    place = _leading(request.messages)
    messages = (
        *request.messages[:place],
        Message("system", (Text(told),)),
        *request.messages[place:],
    )
    return Lessened(
        replace(request, answer_format=None, messages=messages),
        ("the JSON schema was only told to the model, which may not keep to it",),
    )


def without_tools(request: ChatRequest) -> Lessened | None:
    """Only tools that the model need not call, and has not called yet."""
    if not (request.tools or request.other_tools):
        return None
    choice = request.tool_choice
    is_optional = choice is None or choice.mode in ("auto", "none")
    if not is_optional or any(one.tool_calls or one.role == "tool" for one in request.messages):
        return None
    return Lessened(
        replace(request, tools=(), other_tools=(), tool_choice=None, parallel_tool_calls=None),
        ("the model was not offered the tools",),
    )


def fewer_messages(request: ChatRequest, room_tokens: int) -> Lessened | None:
    """Without the oldest turns, so that the input fits; a turn begins with the user.

    The system messages stay, and the last message of the user with all behind it.
    """
    turns = _turns(request.messages)
    if turns is None:
        return None
    kept, older = _split(request.messages, turns)
    while older:
        older = older[1:]
        messages = _joined(request.messages, kept, older)
        shorter = replace(request, messages=messages)
        if request_tokens(shorter) <= room_tokens:
            left_out = len(request.messages) - len(messages)
            warning = (
                f"the oldest {left_out:,} of {len(request.messages):,} messages were left out, "
                "for no model that may be used holds all of them"
            )
            return Lessened(shorter, (warning,))
    return None


def shorter_answers(request: ChatRequest, *, most_tokens: int) -> Iterator[Lessened]:
    """Bounds for the answer, each half of the one before; `most_tokens` is the usual one."""
    tokens = (request.max_output_tokens or most_tokens) // 2
    while tokens >= LEAST_OUTPUT_TOKENS:
        yield Lessened(
            replace(request, max_output_tokens=tokens),
            (f"the answer was bounded to {tokens:,} tokens, for no more fits",),
        )
        tokens //= 2


def _turns(messages: Sequence[Message]) -> list[int] | None:
    """Where turns begin; None where there is nothing to leave out."""
    places = [place for place, one in enumerate(messages) if one.role == "user"]
    return places if len(places) > 1 else None


def _split(messages: Sequence[Message], turns: Sequence[int]) -> tuple[frozenset[int], list[range]]:
    """The places of what stays, and those of each older turn, oldest first."""
    system = {place for place, one in enumerate(messages) if one.role in _SYSTEM_ROLES}
    kept = frozenset(system | set(range(turns[-1], len(messages))))
    # What comes before the first user's message belongs to the oldest turn.
    starts = [0, *turns[1:]]
    older = [range(start, end) for start, end in pairwise(starts)]
    return kept, older


def _joined(
    messages: Sequence[Message], kept: frozenset[int], older: Sequence[range]
) -> tuple[Message, ...]:
    places = kept.union(*older)
    return tuple(one for place, one in enumerate(messages) if place in places)


def _leading(messages: Sequence[Message]) -> int:
    """How many system messages a conversation begins with."""
    for place, one in enumerate(messages):
        if one.role not in _SYSTEM_ROLES:
            return place
    return len(messages)
