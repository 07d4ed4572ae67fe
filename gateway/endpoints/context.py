"""What is kept of each user's conversation: read it, add to it, forget it."""

import re
from typing import Annotated, Literal

from pydantic import Field
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.clock import rfc3339
from gateway.conversations import Conversations
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.validated import (
    Handler,
    StrictBody,
    answering_problems,
    problem_answer,
    read_body,
    user_id_of,
)
from gateway.errors import InvalidRequest

MOST_LISTED = 1_000
_USUALLY_LISTED = 100
_NUMBER = re.compile(r"[0-9]{1,9}")


class KeptMessage(StrictBody):
    """One message to be kept."""

    role: Literal["system", "user", "assistant"] = "user"
    content: Annotated[str, Field(min_length=1, max_length=200_000)]


class KeptMessages(StrictBody):
    """Messages to be kept together, the oldest first."""

    messages: Annotated[list[KeptMessage], Field(min_length=1, max_length=100)]


def context_routes(conversations: Conversations) -> list[BaseRoute]:
    """`/context/{user_id}`: GET, POST and DELETE; a user ID belongs to the caller that made it."""

    async def read(request: Request) -> Response:
        name, user_id, most = _whose(request), user_id_of(request), _most(request)
        said = await conversations.last(name, user_id, most=most)
        messages = [
            {"role": one.role, "content": one.content, "created": rfc3339(one.created)}
            for one in said
        ]
        return _answer({"user_id": user_id, "messages": messages})

    async def add(request: Request) -> Response:
        name, user_id = _whose(request), user_id_of(request)
        body = await read_body(request, KeptMessages)
        messages = [(one.role, one.content) for one in body.messages]
        await conversations.add(name, user_id, messages=messages)
        return _answer({"user_id": user_id, "added": len(messages)}, status=201)

    async def forget(request: Request) -> Response:
        name, user_id = _whose(request), user_id_of(request)
        removed = await conversations.forget(name, user_id)
        return _answer({"user_id": user_id, "removed": removed})

    by_method: dict[str, Handler] = {"GET": read, "HEAD": read, "POST": add, "DELETE": forget}

    @answering_problems
    async def answer(request: Request) -> Response:
        return await by_method[request.method](request)

    return [
        Route(
            "/context/{user_id}",
            answer,
            methods=list(by_method),
            middleware=[Middleware(SpendersOnly, refuse=problem_answer), Middleware(BodyLimit)],
        )
    ]


def _whose(request: Request) -> str:
    # Whoever has no key shares a name with all others who have none.
    return spender(request.state.caller).name


def _most(request: Request) -> int:
    text = request.query_params.get("most", str(_USUALLY_LISTED))
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST_LISTED:
        raise InvalidRequest(f"most is {text[:20]!r}; it takes a number from 1 to {MOST_LISTED}")
    return int(text)


def _answer(content: dict[str, object], *, status: int = 200) -> Response:
    return JSONResponse(content, status, headers={"cache-control": "no-store"})
