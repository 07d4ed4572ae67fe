"""`POST /v1/feedback`: whoever got an answer says whether it was good; routing learns from it."""

from typing import Literal

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.caller import Caller
from gateway.clock import now
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.validated import StrictBody, answering_problems, problem_answer, read_body
from gateway.errors import InvalidRequest, NotFound
from gateway.evidence.evidence import Evidence
from gateway.evidence.observation import Observation
from gateway.text import shown
from gateway.usage.ledger import Ledger

LIMIT_BYTES = 64 * 1024
_QUALITY = {"up": 1.0, "down": 0.0}


class Feedback(StrictBody):
    """`route_id` is what the answer's header `x-gateway-route-id` said."""

    route_id: str
    rating: Literal["up", "down"]


def feedback_routes(ledger: Ledger, evidence: Evidence) -> list[BaseRoute]:
    async def tell(request: Request) -> Response:
        who = spender(request.state.caller)
        told = await read_body(request, Feedback)
        seen = await _observation(ledger, who, told)
        await evidence.replace(seen)
        return JSONResponse({"model": seen.model, "task": seen.task, "rating": told.rating})

    return [
        Route(
            "/v1/feedback",
            answering_problems(tell),
            methods=["POST"],
            middleware=[
                Middleware(SpendersOnly, refuse=problem_answer),
                Middleware(BodyLimit, limit_bytes=LIMIT_BYTES),
            ],
        )
    ]


async def _observation(ledger: Ledger, who: Caller, told: Feedback) -> Observation:
    """Raises:
    NotFound: nobody's request has this route, or another caller's has.
    InvalidRequest: no model answered it.
    """
    route = await ledger.route(told.route_id)
    if route is None or not (who.is_owner or route["caller"] == who.name):
        raise NotFound(
            f"no answer of yours has the route {shown(told.route_id)!r}; the header "
            "x-gateway-route-id of an answer says which it is"
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
        now(),
    )
