"""What a stream tells beside its text: tools that the gateway calls for the model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallBegun:
    """The gateway calls a tool of `server`; `arguments` is JSON text, as the model wrote it."""

    round: int
    id: str
    name: str
    server: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """`content` is what the model reads of it; `error` is None unless the call failed."""

    round: int
    id: str
    name: str
    server: str
    content: str
    error: str | None
    milliseconds: float | None


Event = str | CallBegun | CallEnded


def call_begun(told: Json) -> CallBegun:
    return CallBegun(**_call(told), arguments=told.get("arguments") or "")


def call_ended(told: Json) -> CallEnded:
    return CallEnded(
        **_call(told),
        content=told.get("content") or "",
        error=told.get("error"),
        milliseconds=told.get("milliseconds"),
    )


BY_NAME: Mapping[str, Callable[[Json], Event]] = {
    "function_call": call_begun,
    "function_result": call_ended,
}


def _call(told: Json) -> dict[str, Any]:
    return {
        "round": told["round"],
        "id": told["id"],
        "name": told["name"],
        "server": told.get("server") or "",
    }
