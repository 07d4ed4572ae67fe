"""A tool: something that a client or a model may call, whoever does the work behind it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Arguments = Mapping[str, Any]

OWN = "gateway"  # the origin of the gateway's own tools


class Effect(StrEnum):
    """What a call may change. A tool that writes may also destroy, such as one that trades."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says: one JSON object, and what only the client's program should see.

    `items` are content items as MCP writes them, of a tool that says more than JSON, such as an
    image; without them, the JSON is the one item.
    """

    content: Mapping[str, Any]
    meta: Mapping[str, Any] | None = None
    items: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool and how to call it.

    `name` is portable: `^[a-z][a-z0-9_]{0,59}$`. The schemas are JSON Schema objects.
    `call` takes arguments as they came and raises a `GatewayError` for whatever goes wrong.
    `origin` is whose it is: the gateway's own, or the name of a service or an MCP server.
    `deadline_seconds` is for a tool that knows better than its toolbox how long it may take. A
    tool that `spends` asks a model itself, at the caller's cost. One that `takes_key` may be called
    again under the same `idempotency` key: it does its work once for each, or twice is no harm.
    """

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    call: Callable[[Arguments], Awaitable[Answer]]
    effect: Effect = Effect.READ
    is_open_world: bool = False
    output_schema: Mapping[str, Any] | None = None
    origin: str = OWN
    deadline_seconds: float | None = None
    spends: bool = False
    takes_key: bool = False
