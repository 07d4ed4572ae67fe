"""Each request that a client can make: what is sent, and how the answer is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from gateway.client import answers
from gateway.client.answers import Document, Found, Json, Limit, Model, Reply, Said, UsageReport
from gateway.errors import GatewayError

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
    **options: Any,
) -> Call[Reply]:
    """Ask a model: one by its ID, or `auto`, `auto:coding`, `auto:cheap`.

    `messages` is a question, or a list as OpenAI has it. `router` tells what you know of the
    task, such as `{"task": "coding", "complexity": 0.8, "context": "work"}`. `options` are other
    fields of OpenAI's, such as `tools`.
    """
    body = chat_body(messages, model=model, router=router, **options)
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
    told = {} if router is None else {"gateway": router}
    return {"model": model, "messages": said, **told, **options}


def _conversation_path(identity: str) -> str:
    return f"/context/{quote(identity, safe='')}"


def _tool_body(name: str, arguments: Json) -> Json:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _tool_answer(answer: httpx.Response) -> Json:
    """Raises:
    GatewayError: the tool failed; its message says why.
    """
    body = answer.json()
    result = body.get("result") or {"isError": True, "content": [body["error"]]}
    if result["isError"]:
        said = result["content"][0]
        raise GatewayError(said.get("text") or said.get("message"))
    content: Json = result["structuredContent"]
    return content
