"""`/v1/events`: tell agents what happened, and read what was told."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import idempotency
from gateway.agents.agents import Agents
from gateway.agents.as_json import run_to_json
from gateway.agents.event import Event, News, Stored
from gateway.agents.own_tools import PUBLISH
from gateway.agents.topic import OF_THE_GATEWAY
from gateway.caller import Caller
from gateway.clock import rfc3339
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.endpoints.owning import owner
from gateway.endpoints.strict_reading import Query, path_id, read_one, read_several
from gateway.endpoints.validated import StrictBody
from gateway.errors import InvalidRequest, PermissionDenied, Refused

PATH = "/v1/events"
LIMIT_BYTES = 1024 * 1024
MOST_AT_ONCE = 100
MOST_KEY = 120
SOURCE = "api"
_MOST_RUNS = 50
_QUIET = {"cache-control": "private, no-store"}

Delivery = Annotated[str, Field(min_length=1, max_length=MOST_KEY)]


class EventBody(StrictBody):
    """As the tool `publish_event` takes it."""

    topic: str
    data: dict[str, Any] = Field(default_factory=dict)
    subject: str = ""
    delivery_id: Delivery | None = None


def event_routes(agents: Agents, *, is_on: bool) -> list[BaseRoute]:
    """Whoever may publish does; only owners read. Unless it `is_on`, nobody would ever hear.

    Of several events of one caller with the same delivery ID, the first is one.
    """

    async def publish(request: Request) -> Response:
        who = _publisher(request.state.caller)
        body = (await request.body()).strip()
        if not is_on:
            raise Refused(
                "no agent is on, and nobody would hear this event: switch agents on in agents.yaml"
            )
        key = _key(request)
        if not body.startswith(b"["):
            return stored_answer(await agents.publish(_news(read_one(EventBody, body), who, key)))
        stored = await agents.publish_all(
            [
                _news(one, who, None if key is None else f"{key}/{number}")
                for number, one in enumerate(_several(body))
            ]
        )
        told = {"object": "list", "data": [told_of(one) for one in stored]}
        return _json(told, status=_status(stored))

    async def listed(request: Request) -> Response:
        owner(request.state.caller)
        query = Query(request.query_params, "topic", "since", "limit")
        found = await agents.events(
            pattern=query.text("topic"), since=query.moment("since"), limit=query.limit()
        )
        return _json({"object": "list", "data": [_in_list(one) for one in found]})

    async def one(request: Request) -> Response:
        owner(request.state.caller)
        event = await agents.event(path_id(request))
        runs = await agents.runs(event_id=event.id, limit=_MOST_RUNS)
        return _json({**event.as_json(), "runs": [run_to_json(run) for run in runs]})

    return [
        Route(PATH, answering_as_openai(listed), methods=["GET"]),
        Route(
            PATH,
            answering_as_openai(publish),
            methods=["POST"],
            middleware=[
                Middleware(SpendersOnly, refuse=openai_refusal),
                Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
            ],
        ),
        Route(f"{PATH}/{{id}}", answering_as_openai(one), methods=["GET"]),
    ]


def stored_answer(stored: Stored, **more: Any) -> Response:
    """202 for what will be heard; 200 for what was known before."""
    return _json({**told_of(stored), **more}, status=_status([stored]))


def told_of(stored: Stored) -> Mapping[str, Any]:
    event = stored.event
    return {
        "id": event.id,
        "topic": event.topic,
        "time": rfc3339(event.time),
        "is_new": stored.is_new,
    }


def _publisher(who: Caller) -> Caller:
    """Like a tool that destroys, it must be named: a pattern such as `*` does not grant it.

    Raises:
        Unauthenticated: it came without a key.
        PermissionDenied: its key is not for that.
    """
    if not (spender(who).is_owner or PUBLISH in who.tools):
        raise PermissionDenied(
            f"the key of {who.name!r} may not publish events: it takes an owner's key, or one "
            f"whose tools name {PUBLISH} itself"
        )
    return who


def _several(body: bytes) -> Sequence[EventBody]:
    bodies = read_several(EventBody, body)
    if not 0 < len(bodies) <= MOST_AT_ONCE:
        raise InvalidRequest(f"body: has {len(bodies):,} events; it takes 1 to {MOST_AT_ONCE}")
    return bodies


def _key(request: Request) -> str | None:
    """The delivery ID of what has none of its own."""
    given = request.headers.get(idempotency.HEADER)
    if given is not None and not 0 < len(given) <= MOST_KEY:
        raise InvalidRequest(
            f"{idempotency.HEADER} has {len(given):,} characters; it takes 1 to {MOST_KEY}"
        )
    return given


def _news(body: EventBody, who: Caller, key: str | None) -> News:
    """Callers cannot know each other's deliveries.

    Raises:
        PermissionDenied: the gateway alone may say that.
    """
    if not who.is_owner and body.topic.partition(":")[0] in OF_THE_GATEWAY:
        raise PermissionDenied(
            f"topic: what begins with {', '.join(OF_THE_GATEWAY)} the gateway says of itself; "
            "only its owners may say it, too"
        )
    own = body.delivery_id or key
    return News(
        body.topic,
        body.data,
        SOURCE,
        subject=body.subject,
        delivery=None if own is None else f"{who.name}:{own}",
        by=who.name,
    )


def _in_list(event: Event) -> Mapping[str, Any]:
    """Of a hundred events the data would be megabytes; each has its own."""
    return {name: value for name, value in event.as_json().items() if name != "data"}


def _status(stored: Sequence[Stored]) -> int:
    return 202 if any(one.is_new for one in stored) else 200


def _json(content: Mapping[str, Any], *, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=_QUIET)
