"""Each request that a client can make: what is sent, and how the answer is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from gateway.client import answers
from gateway.client.answers import (
    Document,
    Found,
    Json,
    Limit,
    Model,
    Reply,
    Said,
    Tool,
    UsageReport,
)
from gateway.errors import BadAnswer, GatewayError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    read: Callable[[httpx.Response], T]
    path: str
    method: str = "GET"
    body: Json | None = None
    params: Mapping[str, str] | None = None


def chat(
    messages: str | Sequence[Json],
    *,
    model: str = "auto",
    router: Json | None = None,
    gateway_tools: Sequence[str] | bool | None = None,
    session_id: str | None = None,
    **options: Any,
) -> Call[Reply]:
    """Ask a model: one by its ID, or `auto`, `auto:coding`, `auto:cheap`.

    `messages` is a question, or a list as OpenAI has it. `router` tells what you know of the
    task, such as `{"task": "coding", "complexity": 0.8, "context": "work"}`.

    `gateway_tools` are those of the gateway's that the model may use, by name or by patterns
    such as `search*`, or True for all; one that destroys or spends must be named. A conversation
    that the gateway keeps goes on under its `session_id`. `options` are other fields of
    OpenAI's, such as `tools`, which the caller runs itself.
    """
    body = chat_body(
        messages,
        model=model,
        router=router,
        gateway_tools=gateway_tools,
        session_id=session_id,
        **options,
    )
    return Call(
        lambda answer: answers.chat_reply(answer.json(), answer.headers),
        "/v1/chat/completions",
        "POST",
        body,
    )


def ask(
    message: str,
    *,
    model: str = "auto",
    context: str | None = None,
    identity: str | None = None,
    memory: bool | None = None,
    docs: Sequence[str] = (),
) -> Call[Reply]:
    """Ask one question; under an `identity`, what was said before is remembered.

    `docs` are IDs of documents to be read first. `context` is `personal` or `work`.
    """
    given = {"context": context, "identity": identity, "memory": memory}
    body: Json = {
        "message": message,
        "model": model,
        "docs": list(docs),
        **{name: value for name, value in given.items() if value is not None},
    }
    return Call(lambda answer: answers.ask_reply(answer.json()), "/ask", "POST", body)


def models() -> Call[tuple[Model, ...]]:
    """Those that this key may call."""
    return Call(lambda answer: answers.models(answer.json()), "/v1/models")


def usage(
    start: str = "", end: str = "", *, group_by: Sequence[str] = (), **where: str
) -> Call[UsageReport]:
    """What was used from a day (`2026-11-20`) or moment to another; by default this month.

    `group_by` takes day, week, month, model, provider, task, caller, tier and others. By the same
    words, but for the first three, it can be narrowed: `tier="paid"`.
    """
    given = {"from": start, "to": end, "group_by": ",".join(group_by), **where}
    params = {name: value for name, value in given.items() if value}
    return Call(lambda answer: answers.usage_report(answer.json()), "/v1/usage", params=params)


def quota() -> Call[tuple[Limit, ...]]:
    """Limits that count requests or tokens."""
    return Call(lambda answer: answers.limits(answer.json()), "/v1/quota")


def limits() -> Call[tuple[Limit, ...]]:
    """Quotas and budgets, and what is left of each."""
    return Call(lambda answer: answers.limits(answer.json()), "/v1/limits")


def search(question: str) -> Call[tuple[Found, ...]]:
    """Find documents by a question in plain words."""
    return Call(
        lambda answer: answers.found(_tool_answer(answer)),
        "/mcp",
        "POST",
        _tool_body("search", {"query": question}),
    )


def fetch(document_id: str) -> Call[Document]:
    """Read a document, such as `ticker:BTCUSDT` or `usage:today`."""
    path = f"/data/{quote(document_id, safe=':/')}.json"
    return Call(lambda answer: answers.document(answer.json()), path)


def tools() -> Call[tuple[Tool, ...]]:
    """All that this key may call, and its models may use."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    return Call(lambda answer: answers.tools(_mcp_result(answer)), "/mcp", "POST", body)


def version() -> Call[str]:
    """Which version of the gateway answers.

    Raises:
        BadAnswer: what answers is no gateway.
    """
    return Call(_version, "/health")


def tool(name: str, /, **arguments: Any) -> Call[Json]:
    """Call any tool of the gateway's by its name."""
    return Call(_tool_answer, "/mcp", "POST", _tool_body(name, arguments))


def conversation(identity: str, *, most: int = 100) -> Call[tuple[Said, ...]]:
    """What is remembered under an identity, the oldest first."""
    return Call(
        lambda answer: answers.conversation(answer.json()),
        _conversation_path(identity),
        params={"most": str(most)},
    )


def remember(identity: str, *messages: Json) -> Call[int]:
    """Add messages, each with `role` and `content`; how many they were."""
    return Call(
        lambda answer: int(answer.json()["added"]),
        _conversation_path(identity),
        "POST",
        {"messages": messages},
    )


def forget(identity: str) -> Call[int]:
    """Remove what is remembered under an identity; how many messages it was."""
    return Call(
        lambda answer: int(answer.json()["removed"]), _conversation_path(identity), "DELETE"
    )


def chat_body(
    messages: str | Sequence[Json], *, model: str, router: Json | None, **options: Any
) -> Json:
    said = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    given = {**options, "gateway": router}
    for own in ("gateway", "gateway_tools", "session_id"):
        if given.get(own) is None:
            given.pop(own, None)
    return {"model": model, "messages": said, **given}


def _conversation_path(identity: str) -> str:
    return f"/context/{quote(identity, safe='')}"


def _tool_body(name: str, arguments: Json) -> Json:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _tool_answer(answer: httpx.Response) -> Json:
    """Raises:
    GatewayError: the tool failed; its message says why.
    """
    result = _mcp_result(answer)
    if result["isError"]:
        raise GatewayError(result["content"][0].get("text"))
    content: Json = result["structuredContent"]
    return content


def _mcp_result(answer: httpx.Response) -> Json:
    body = answer.json()
    if "error" in body:
        raise GatewayError(body["error"]["message"])
    result: Json = body["result"]
    return result


def _version(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["version"])
    except (ValueError, LookupError, TypeError):
        raise BadAnswer("what answers there is no gateway") from None
