"""What a client reads of the gateway's own tools: named events, and the rounds of an answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.endpoints.answer_facts import usd
from gateway.errors import InvalidRequest
from gateway.llm.doors.chat.format import event, usage_to_json
from gateway.llm.loop.piece import CallBegun, CallEnded, Round
from gateway.text import shown

HEADER = "x-gateway-events"
_OPTION = "include_tool_events"


def wants_tool_events(headers: Mapping[str, str], body: Mapping[str, Any]) -> bool:
    """Only whoever asks gets them: clients choke on events that they do not know.

    Raises:
        InvalidRequest: it asks for other events.
    """
    said = headers.get(HEADER, "")
    if said not in ("", "tools"):
        raise InvalidRequest(f"{HEADER} is {shown(said)!r}; it takes tools")
    options = body.get("stream_options")
    return bool(said) or (isinstance(options, Mapping) and options.get(_OPTION) is True)


def call_event(piece: CallBegun | CallEnded) -> bytes:
    """`function_call` when a call begins, and `function_result` when it has ended."""
    about = {
        "round": piece.round,
        "id": piece.call.id,
        "name": piece.call.name,
        "server": piece.label,
    }
    if isinstance(piece, CallBegun):
        return event({**about, "arguments": piece.call.arguments}, name="function_call")
    result = {"content": piece.output, "error": piece.error, "milliseconds": _rounded(piece)}
    return event({**about, **result}, name="function_result")


def rounds_to_json(rounds: Sequence[Round]) -> dict[str, Any]:
    return {"rounds": [_round(one) for one in rounds]}


def _round(one: Round) -> dict[str, Any]:
    return {
        "model": one.model.id,
        "tier": one.model.tier,
        "route_id": one.route_id,
        "attempts": one.attempts,
        "usage": usage_to_json(one.usage),
        "cost_usd": usd(one.cost_microusd),
        "tool_calls": [
            {
                "name": call.call.name,
                "server": call.label,
                "error": call.error,
                "milliseconds": _rounded(call),
            }
            for call in one.calls
        ],
    }


def _rounded(call: CallEnded) -> float:
    return round(call.milliseconds, 1)
