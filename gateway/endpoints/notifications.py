"""`GET /v1/notifications`: what people are told, as server-sent events that can be resumed."""

import json
import logging
import re
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.agents.agents import Agents
from gateway.agents.notification import Notification
from gateway.endpoints.connected import WhileConnected
from gateway.endpoints.event_stream import EVENT_STREAM_HEADERS
from gateway.endpoints.live_stream import KEEPALIVE_SECONDS, LiveStream
from gateway.endpoints.openai_problems import answering_as_openai
from gateway.endpoints.owning import owner
from gateway.endpoints.strict_reading import Query
from gateway.errors import InvalidRequest
from gateway.text import shown

logger = logging.getLogger(__name__)

PATH = "/v1/notifications"
LAST_SEEN = "last-event-id"
_QUIET = {"cache-control": "private, no-store"}
# As many digits as the largest position has.
_POSITION = re.compile(r"\d{1,18}", re.ASCII)


def notification_routes(
    agents: Agents, *, keepalive_seconds: float = KEEPALIVE_SECONDS
) -> list[BaseRoute]:
    """Each event's ID is its notification's position; who comes back with it misses none.

    Without a place, a stream begins now, and a page with the oldest that is kept.
    """

    async def told(request: Request) -> Response:
        owner(request.state.caller)
        if _wants_page(request):
            query = Query(request.query_params, "after", "limit")
            return await _page(agents, _place(request, query) or 0, query.limit())
        after = _place(request, Query(request.query_params, "after"))
        if request.method == "HEAD":
            return Response(headers=EVENT_STREAM_HEADERS)
        # From the moment of the request on: what is told before the first read is not missed.
        after = await agents.told_so_far() if after is None else after
        return _Streamed(agents, after, keepalive_seconds)

    return [Route(PATH, answering_as_openai(told), methods=["GET"])]


class _Streamed(Response):
    """One event for each notification, until the client leaves or the gateway stops.

    It holds no more than what was read at once: the next are read when these are sent.
    """

    def __init__(self, agents: Agents, after: int, keepalive_seconds: float) -> None:
        self._agents = agents
        self._after = after
        self._keepalive_seconds = keepalive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = LiveStream(send, keepalive_seconds=self._keepalive_seconds)
        told = self._agents.told(after=self._after)
        # Closed at once, and not when nobody remembers it any more.
        try:
            async with WhileConnected(receive), aclosing(told), stream.open({}):
                async for one in told:
                    await stream.write(_event(one))
        except Exception:
            # The stream has ended as it should: its client comes back, and goes on where it was.
            logger.exception("a stream of notifications ended early")


async def _page(agents: Agents, after: int, limit: int) -> Response:
    """`last` is where the next page begins."""
    found = await agents.notifications(after=after, limit=limit)
    last = found[-1].position if found else after
    data = [one.as_json() for one in found]
    content = {"object": "list", "data": data, "last": last, "has_more": len(found) == limit}
    return JSONResponse(content, headers=_QUIET)


def _place(request: Request, query: Query) -> int | None:
    """A client that comes back by itself says the last one beside the address of its beginning."""
    for name, given in (
        (LAST_SEEN, request.headers.get(LAST_SEEN)),
        ("after", query.text("after")),
    ):
        if not given:
            continue
        if not _POSITION.fullmatch(given):
            raise InvalidRequest(
                f"{name} is {shown(given)!r}; it takes the position of a notification, such as 42"
            )
        return int(given)
    return None


def _wants_page(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/event-stream" not in accepted


def _event(one: Notification) -> bytes:
    # In ASCII: some readers take more than a line feed for the end of a line.
    return f"id: {one.position}\ndata: {json.dumps(one.as_json())}\n\n".encode()
