"""What MCP servers say: their tools, their answers, and what can go wrong on the way."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import idempotency
from gateway.downstream.translation import plain

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_TOOLS = 500
MAX_PAGES = 50
MAX_DEFINITION_BYTES = 32 * 1024
MAX_NAME_CHARACTERS = 128

Json = Mapping[str, Any]


class Trouble(Exception):
    """Why a request has no answer; `reason` completes a sentence that begins with a name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(Trouble):
    """The server has certainly not worked on it."""


class Unreachable(NotSent):
    """There is no connection, and none can be made."""


class SessionForgotten(NotSent):
    """The server does not know our session any more, such as after a restart."""


class Refusal(NotSent):
    """The server does not take the gateway's credentials."""


class Busy(NotSent):
    """The server limits the rate."""

    def __init__(self, reason: str, *, retry_after_seconds: float) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Lost(Trouble):
    """The connection went under it: the server may have worked on it."""


class Silent(Trouble):
    """It was sent, and not answered in time."""


class Garbled(Trouble):
    """There is an answer, and it cannot be read."""


class RpcError(Trouble):
    """The server answers with an error of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(plain(message) or f"error {code}")
        self.code = code

    @classmethod
    def read(cls, error: Any) -> "RpcError":
        fields = error if isinstance(error, Mapping) else {}
        code = fields.get("code")
        return cls(code if isinstance(code, int) else 0, _text(fields.get("message")))


METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
UNSUPPORTED_VERSION = -32022

# In `_meta`: of a call, the key that it is made under; of a tool, whether it heeds that key.
IDEMPOTENCY_KEY = f"gateway/{idempotency.HEADER}"
TAKES_KEY = "gateway/takes-key"


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool as a server lists it, and as little to be trusted; `name` goes back as it is.

    One that `takes_key` does its work once for each `idempotency` key, or twice is no harm.
    """

    name: str
    title: str
    description: str
    input_schema: Json
    is_read_only: bool | None
    is_destructive: bool | None
    takes_key: bool = False


@dataclass(frozen=True, slots=True)
class McpAnswer:
    """What a call answered; `items` are content items as MCP writes them, not yet cleaned."""

    items: Sequence[Json]
    structured: Json | None
    is_error: bool


def read_tools(listed: Iterable[Any]) -> tuple[Sequence[ListedTool], Sequence[str]]:
    """The tools, and what is said of those that make no sense; the second of one name is none."""
    tools: dict[str, ListedTool] = {}
    left_out: list[str] = []
    for one in listed:
        try:
            tool = _tool(one)
        except (ValueError, RecursionError) as error:
            left_out.append(f"{_name(one)!r}: {error}")
            continue
        tools.setdefault(tool.name, tool)
    return tuple(tools.values()), left_out


def read_answer(result: Json) -> McpAnswer:
    """
    Raises:
        Garbled: it is not the result of a tool.
    """
    if result.get("resultType") == "input_required":
        raise Garbled("asked for input in the middle of a call, which nobody here can give")
    items, structured = result.get("content", ()), result.get("structuredContent")
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise Garbled("sent an answer without content items")
    return McpAnswer(
        items=tuple(items),
        structured=structured if isinstance(structured, Mapping) else None,
        is_error=result.get("isError") is True,
    )


def _name(listed: Any) -> str:
    name = listed.get("name") if isinstance(listed, Mapping) else None
    return plain(name[:MAX_NAME_CHARACTERS], limit=60) if isinstance(name, str) else ""


def _tool(listed: Any) -> ListedTool:
    if not isinstance(listed, Mapping):
        raise ValueError("it is not an object")
    name = listed.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise ValueError("it has no name that could be called")
    if len(json.dumps(listed)) > MAX_DEFINITION_BYTES:
        raise ValueError(f"its definition is larger than {MAX_DEFINITION_BYTES} bytes")
    schema = listed.get("inputSchema", {"type": "object"})
    if not isinstance(schema, Mapping):
        raise ValueError("its input schema is not an object")
    hints, meta = _object(listed.get("annotations")), _object(listed.get("_meta"))
    return ListedTool(
        name=name,
        title=_text(listed.get("title")) or _text(hints.get("title")),
        description=_text(listed.get("description")),
        input_schema=schema,
        is_read_only=_yes_or_no(hints.get("readOnlyHint")),
        is_destructive=_yes_or_no(hints.get("destructiveHint")),
        takes_key=hints.get("idempotentHint") is True or meta.get(TAKES_KEY) is True,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _object(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _yes_or_no(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
