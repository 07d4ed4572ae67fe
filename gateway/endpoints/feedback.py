"""`POST /v1/feedback`: whoever got an answer says whether it was good; routing learns from it."""

import math
from collections import defaultdict, deque
from datetime import datetime, timedelta
from typing import Literal

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.endpoints.strict_reading import read_one
from gateway.endpoints.validated import StrictBody
from gateway.errors import InvalidRequest, NotFound, RateLimited
from gateway.evidence.evidence import Evidence
from gateway.evidence.observation import Observation
from gateway.text import shown
from gateway.usage.ledger import Ledger

LIMIT_BYTES = 64 * 1024
_QUALITY = {"up": 1.0, "down": 0.0}
# All thumbs of one caller on one model at one task count as so many at the most: routing is
# everybody's, and nobody's own to steer. Owners are believed more.
MOST_THUMBS, MOST_THUMBS_OF_AN_OWNER = 4.0, 20.0
MOST_A_MINUTE = 60


class Feedback(StrictBody):
    """`route_id` is what the answer's header `x-gateway-route-id` said."""

    route_id: str
    rating: Literal["up", "down"]


class Pace:
    """How often each caller tells something; it may `MOST_A_MINUTE` times a minute."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._told: defaultdict[str, deque[datetime]] = defaultdict(
            lambda: deque(maxlen=MOST_A_MINUTE)
        )

    def count(self, caller: str) -> None:
        """Raises:
        RateLimited: it was told too often of late.
        """
        told, moment = self._told[caller], self._clock()
        wait = (
            told[0] + timedelta(minutes=1) - moment if len(told) == MOST_A_MINUTE else timedelta()
        )
        if wait > timedelta():
            raise RateLimited(
                f"feedback is taken {MOST_A_MINUTE} times a minute; {caller!r} may tell more in "
                f"{math.ceil(wait.total_seconds())} s",
                retry_after_seconds=wait.total_seconds(),
            )
        told.append(moment)


def feedback_routes(ledger: Ledger, evidence: Evidence, *, clock: Clock = now) -> list[BaseRoute]:
    pace = Pace(clock=clock)

    async def tell(request: Request) -> Response:
        who = spender(request.state.caller)
        pace.count(who.name)
        told = read_one(Feedback, await request.body())
        seen = await _observation(ledger, who, told, at=clock())
        await evidence.replace(seen)
        return JSONResponse({"model": seen.model, "task": seen.task, "rating": told.rating})

    return [
        Route(
            "/v1/feedback",
            answering_as_openai(tell),
            methods=["POST"],
            middleware=[
                Middleware(SpendersOnly, refuse=openai_refusal),
                Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
            ],
        )
    ]


async def _observation(ledger: Ledger, who: Caller, told: Feedback, *, at: datetime) -> Observation:
    """Raises:
    NotFound: nobody's request has this route, or another caller's has.
    InvalidRequest: no model answered it.
    """
    route = await ledger.route(told.route_id)
    if route is None or not (who.is_owner or route["caller"] == who.name):
        raise NotFound(
            f"no answer of yours has the route {shown(told.route_id)!r}; the header "
            "x-gateway-route-id of an answer says which it is",
            what="route",
        )
    if not route.get("answered_by"):
        raise InvalidRequest("no model answered that request, so there is nothing to rate")
    return Observation(
        str(route["answered_by"]),
        str(route.get("task") or "general"),
        "thumb",
        _QUALITY[told.rating],
        1.0,
        f"route:{told.route_id}",
        at,
        who.name,
        MOST_THUMBS_OF_AN_OWNER if who.is_owner else MOST_THUMBS,
    )
