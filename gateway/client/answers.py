"""What a gateway answers, as values; whatever else it says is in `raw`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tokens:
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A tool that the gateway called for the model; `error` is None unless the call failed."""

    name: str
    server: str
    error: str | None
    milliseconds: float | None


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of a model, and the tools that the gateway called for it then."""

    model: str
    tier: str
    route_id: str
    tokens: Tokens
    cost_usd: float | None
    called: tuple[CalledTool, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a model; a cost that is not known is None, and never 0.

    `tokens` and `cost_usd` are sums over all `rounds`, which an answer has where tools of the
    gateway were offered. `tool_calls` are those that nobody has run.
    """

    text: str
    model: str
    provider: str
    tier: str
    route_id: str
    cost_usd: float | None
    tokens: Tokens
    finish_reason: str | None
    tool_calls: tuple[ToolCall, ...]
    quota_remaining: int | None
    attempts: int
    raw: Json = field(repr=False)
    rounds: tuple[Round, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """What a client or a model may call; `input_schema` is a JSON schema."""

    name: str
    description: str
    is_read_only: bool
    is_destructive: bool
    input_schema: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Model:
    """Prices are US dollars for a million tokens; None is unknown."""

    id: str
    name: str
    tiers: tuple[str, ...]
    context_tokens: int | None
    max_output_tokens: int | None
    input_usd: float | None
    output_usd: float | None
    abilities: frozenset[str]
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class UsageLine:
    """The sums of one group, such as `{"model": "openrouter/…"}`; empty for all."""

    group: Mapping[str, str | None]
    calls: int
    failed: int
    tokens: Tokens
    cost_usd: float | None
    calls_with_unknown_cost: int
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Of the calls that began from `start` up to `end`."""

    start: datetime
    end: datetime
    lines: tuple[UsageLine, ...]
    total: UsageLine


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota counts requests or tokens; a budget has the unit `microusd`."""

    name: str
    kind: str
    unit: str
    key: str
    most: int
    used: int
    remaining: int
    window: str
    resets_at: datetime
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search lists; its `id` is what fetch reads."""

    id: str
    title: str
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    title: str
    text: str
    url: str
    as_of: datetime
    is_stale: bool
    is_simulated: bool
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a conversation that is kept."""

    role: str
    content: str
    created: datetime


def chat_reply(body: Json, headers: Mapping[str, str]) -> Reply:
    """Of a chat completion of OpenAI's; the headers say who gave it and why."""
    choice = body["choices"][0]
    message = choice["message"]
    usage = body.get("usage") or {}
    return Reply(
        text=message.get("content") or "",
        model=body["model"],
        provider=headers.get("x-gateway-provider", ""),
        tier=headers.get("x-gateway-tier", ""),
        route_id=headers.get("x-gateway-route-id", ""),
        cost_usd=usage.get("cost"),
        tokens=_chat_tokens(usage),
        finish_reason=choice.get("finish_reason"),
        tool_calls=tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls") or ()
            if "function" in call
        ),
        quota_remaining=body.get("x_quota_remaining"),
        attempts=int(headers.get("x-gateway-attempts", 1)),
        raw=body,
        rounds=tuple(map(_round, (body.get("gateway") or {}).get("rounds") or ())),
    )


def ask_reply(body: Json) -> Reply:
    return Reply(
        text=body["answer"],
        model=body["model"],
        provider=body["provider"],
        tier=body["tier"],
        route_id=body["route_id"],
        cost_usd=body["cost_usd"],
        tokens=_tokens(body["usage"]),
        finish_reason=body["finish_reason"],
        tool_calls=tuple(
            ToolCall(call["id"], call["name"], _text(call["arguments"]))
            for call in body["tool_calls"]
        ),
        quota_remaining=body["quota_remaining"],
        attempts=body["attempts"],
        raw=body,
    )


def tools(answer: Json) -> tuple[Tool, ...]:
    return tuple(_tool(one) for one in answer["tools"])


def models(body: Json) -> tuple[Model, ...]:
    """All but `auto`, which is a name for the router's choice and no model."""
    return tuple(_model(one) for one in body["data"] if "tiers" in one)


def usage_report(body: Json) -> UsageReport:
    by = body["group_by"]
    return UsageReport(
        datetime.fromisoformat(body["from"]),
        datetime.fromisoformat(body["to"]),
        tuple(_line(line, by) for line in body["lines"]),
        _line(body["total"], ()),
    )


def limits(body: Json) -> tuple[Limit, ...]:
    return tuple(
        Limit(
            name=one["name"],
            kind=one["kind"],
            unit=one["unit"],
            key=one["key"],
            most=one["limit"],
            used=one["used"],
            remaining=one["remaining"],
            window=one["window"],
            resets_at=datetime.fromisoformat(one["resets_at"]),
            raw=one,
        )
        for one in body["data"]
    )


def found(answer: Json) -> tuple[Found, ...]:
    return tuple(
        Found(one["id"], one["title"], one["url"], one.get("text", "")) for one in answer["results"]
    )


def document(body: Json) -> Document:
    metadata = body["metadata"]
    return Document(
        id=body["id"],
        title=body["title"],
        text=body["text"],
        url=body["url"],
        as_of=datetime.fromisoformat(metadata["as_of"]),
        is_stale=metadata["stale"] == "true",
        is_simulated=metadata["simulated"] == "true",
        metadata=metadata,
    )


def conversation(body: Json) -> tuple[Said, ...]:
    return tuple(
        Said(one["role"], one["content"], datetime.fromisoformat(one["created"]))
        for one in body["messages"]
    )


def _round(one: Json) -> Round:
    return Round(
        model=one["model"],
        tier=one["tier"],
        route_id=one["route_id"],
        tokens=_chat_tokens(one.get("usage") or {}),
        cost_usd=one.get("cost_usd"),
        called=tuple(
            CalledTool(call["name"], call["server"], call.get("error"), call.get("milliseconds"))
            for call in one.get("tool_calls") or ()
        ),
    )


def _tool(one: Json) -> Tool:
    hints = one.get("annotations") or {}
    is_read_only = bool(hints.get("readOnlyHint"))
    return Tool(
        name=one["name"],
        description=one.get("description") or "",
        is_read_only=is_read_only,
        is_destructive=not is_read_only and hints.get("destructiveHint", True),
        input_schema=one["inputSchema"],
    )


def _model(one: Json) -> Model:
    price = one.get("pricing") or {}
    return Model(
        id=one["id"],
        name=one["name"],
        tiers=tuple(one["tiers"]),
        context_tokens=one["context_length"],
        max_output_tokens=one["max_output_tokens"],
        input_usd=price.get("prompt"),
        output_usd=price.get("completion"),
        abilities=frozenset(name for name, can in one["capabilities"].items() if can),
        raw=one,
    )


def _line(line: Json, by: Sequence[str]) -> UsageLine:
    return UsageLine(
        group={name: line[name] for name in by},
        calls=line["calls"],
        failed=line["failed"],
        tokens=_tokens(line),
        cost_usd=line["charged_usd"],
        calls_with_unknown_cost=line["calls_with_unknown_cost"],
        raw=line,
    )


def _chat_tokens(usage: Json) -> Tokens:
    return Tokens(
        usage.get("prompt_tokens", 0),
        usage.get("completion_tokens", 0),
        (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
        (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0),
    )


def _tokens(counts: Json) -> Tokens:
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    return Tokens(*(counts[name] for name in names))


def _text(arguments: Any) -> str:
    """The simple door reads the JSON that a model wrote, where it is JSON."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
