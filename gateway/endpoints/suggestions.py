"""`/v1/suggestions`: read what agents suggest, and accept or dismiss it."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.agents.agents import Agents
from gateway.agents.as_json import suggestion_to_json
from gateway.agents.suggestion import SuggestionStatus
from gateway.agents.suggestion_store import MOST_NOTE_CHARACTERS
from gateway.endpoints.authentication import SpendersOnly
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.endpoints.owning import acting_owner, owner
from gateway.endpoints.strict_reading import Query, path_id, read_one
from gateway.endpoints.validated import StrictBody

PATH = "/v1/suggestions"
LIMIT_BYTES = 64 * 1024
STATUSES: tuple[SuggestionStatus, ...] = get_args(SuggestionStatus)
_QUIET = {"cache-control": "private, no-store"}


class Decision(StrictBody):
    """`note` is for whoever reads it later."""

    note: Annotated[str, Field(max_length=MOST_NOTE_CHARACTERS)] = ""


def suggestion_routes(agents: Agents) -> list[BaseRoute]:
    """What is accepted is done as whoever accepts it."""

    async def listed(request: Request) -> Response:
        owner(request.state.caller)
        query = Query(request.query_params, "status", "agent", "run_id", "limit")
        found = await agents.suggestions(
            status=query.one_of("status", STATUSES),
            agent=query.text("agent"),
            run_id=query.text("run_id"),
            limit=query.limit(),
        )
        return _json({"object": "list", "data": [suggestion_to_json(one) for one in found]})

    async def one(request: Request) -> Response:
        owner(request.state.caller)
        return _json(suggestion_to_json(await agents.suggestion(path_id(request))))

    async def accept(request: Request) -> Response:
        who = acting_owner(request.state.caller)
        said = read_one(Decision, await request.body())
        accepted = await agents.accept(path_id(request), who, note=said.note)
        return _json(suggestion_to_json(accepted))

    async def dismiss(request: Request) -> Response:
        who = acting_owner(request.state.caller)
        said = read_one(Decision, await request.body())
        dismissed = await agents.dismiss(path_id(request), who, note=said.note)
        return _json(suggestion_to_json(dismissed))

    deciding = [
        Middleware(SpendersOnly, refuse=openai_refusal),
        Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
    ]
    one_path = f"{PATH}/{{id}}"
    return [
        Route(PATH, answering_as_openai(listed), methods=["GET"]),
        Route(one_path, answering_as_openai(one), methods=["GET"]),
        *(
            Route(path, answering_as_openai(decide), methods=["POST"], middleware=deciding)
            for path, decide in ((f"{one_path}/accept", accept), (f"{one_path}/dismiss", dismiss))
        ),
    ]


def _json(content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, headers=_QUIET)
