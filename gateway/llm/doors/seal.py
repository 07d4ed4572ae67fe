"""What a client carries back unread, so that a model's thoughts survive a stateless round trip."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.llm.messages import Json, Reasoning

# Tells ours from what another server sealed, which we could not open.
_MARK = "gateway-1:"
_dumped = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Sealed:
    """Thoughts, and what a provider wants back with its calls, by the ID of each call."""

    thoughts: tuple[Reasoning, ...] = ()
    calls: Mapping[str, Json] = field(default_factory=dict)


def sealed(thoughts: Iterable[Reasoning], calls: Mapping[str, Json] | None = None) -> str:
    written = {"thoughts": [_thought_to_json(one) for one in thoughts], "calls": calls or {}}
    return _MARK + base64.b64encode(_dumped(written).encode()).decode()


def opened(text: object) -> Sealed | None:
    """None for what is not ours, or was changed on its way: it is not worth an error."""
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    try:
        read = json.loads(base64.b64decode(text.removeprefix(_MARK), validate=True))
        calls = {str(name): _object(extra) for name, extra in _object(read["calls"]).items()}
        return Sealed(tuple(map(_thought_from_json, read["thoughts"])), calls)
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        return None


def _thought_to_json(thought: Reasoning) -> Sequence[Any]:
    return [thought.text, thought.signature, thought.redacted, thought.extra]


def _thought_from_json(value: Any) -> Reasoning:
    text, signature, redacted, extra = value
    if not isinstance(text, str):
        raise TypeError
    return Reasoning(text, _text(signature), _text(redacted), _object(extra))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError


def _object(value: Any) -> Json:
    if isinstance(value, dict):
        return value
    raise TypeError
