"""`/v1/agents`: see what agents do, ask them, read their runs, and stop or resume them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, get_args

from pydantic import Field
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.agents.agents import Agents
from gateway.agents.as_json import run_to_json, standing_to_json, story_to_json
from gateway.agents.pauses import ALL
from gateway.agents.run import Run, Status
from gateway.endpoints.authentication import SpendersOnly
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.openai_problems import (
    Handler,
    answering_as_openai,
    openai_refusal,
    refused_body,
)
from gateway.endpoints.owning import acting_owner, owner
from gateway.endpoints.strict_reading import NoBody, Query, path_id, read_one
from gateway.endpoints.validated import StrictBody

PATH = "/v1/agents"
RUNS = f"{PATH}/runs"
# A question has at most 20,000 characters, each of which JSON may write in 12 bytes.
LIMIT_BYTES = 512 * 1024
MOST_IN_A_TEAM = 10
STATUSES: tuple[Status, ...] = get_args(Status)
HINT = "no agent is on: switch some on in agents.yaml"
_QUIET = {"cache-control": "private, no-store"}
_LATER = 202


class Asked(StrictBody):
    """Several agents answer one after the other, and read what those before them said."""

    agents: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_IN_A_TEAM)]
    question: str


class Replayed(StrictBody):
    """The steps before `from_step` are taken from the record."""

    from_step: Annotated[int, Field(ge=1)] = 1


class _Doors:
    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def all(self, request: Request) -> Response:
        owner(request.state.caller)
        Query(request.query_params)
        return _json(await self._standings())

    async def one(self, request: Request) -> Response:
        owner(request.state.caller)
        return _json(standing_to_json(await self._agents.standing(path_id(request, "name"))))

    async def pause_all(self, request: Request) -> Response:
        who = acting_owner(request.state.caller)
        read_one(NoBody, await request.body())
        await self._agents.pause(ALL, by=who.name)
        return _json(await self._standings())

    async def resume_all(self, request: Request) -> Response:
        who = acting_owner(request.state.caller)
        read_one(NoBody, await request.body())
        await self._agents.resume(ALL, by=who.name)
        return _json(await self._standings())

    async def pause(self, request: Request) -> Response:
        who, name = acting_owner(request.state.caller), path_id(request, "name")
        read_one(NoBody, await request.body())
        agent = self._agents.agent(name)
        await self._agents.pause(agent.name, by=who.name)
        return _json(standing_to_json(await self._agents.standing(name)))

    async def stop(self, request: Request) -> Response:
        who, name = acting_owner(request.state.caller), path_id(request, "name")
        read_one(NoBody, await request.body())
        agent = self._agents.agent(name)
        await self._agents.stop(agent.name, by=who.name)
        return _json(standing_to_json(await self._agents.standing(name)))

    async def resume(self, request: Request) -> Response:
        who, name = acting_owner(request.state.caller), path_id(request, "name")
        read_one(NoBody, await request.body())
        agent = self._agents.agent(name)
        await self._agents.resume(agent.name, by=who.name)
        return _json(standing_to_json(await self._agents.standing(name)))

    async def runs(self, request: Request) -> Response:
        owner(request.state.caller)
        query = Query(request.query_params, "agent", "status", "since", "event_id", "limit")
        found = await self._agents.runs(
            agent=query.text("agent"),
            status=query.one_of("status", STATUSES),
            since=query.moment("since"),
            event_id=query.text("event_id"),
            limit=query.limit(),
        )
        return _json(_listed(found))

    async def story(self, request: Request) -> Response:
        owner(request.state.caller)
        return _json(story_to_json(await self._agents.story(path_id(request))))

    async def ask(self, request: Request) -> Response:
        who = acting_owner(request.state.caller)
        asked = read_one(Asked, await request.body())
        runs = await self._agents.ask_team(asked.agents, asked.question, by=who.name)
        return _json(_listed(runs), status=_LATER)

    async def cancel(self, request: Request) -> Response:
        return await self._steered(request, self._agents.cancel_run)

    async def pause_run(self, request: Request) -> Response:
        return await self._steered(request, self._agents.pause_run)

    async def resume_run(self, request: Request) -> Response:
        return await self._steered(request, self._agents.resume_run)

    async def replay(self, request: Request) -> Response:
        acting_owner(request.state.caller)
        asked = read_one(Replayed, await request.body())
        run = await self._agents.replay(path_id(request), from_step=asked.from_step)
        return _json(run_to_json(run), status=_LATER)

    async def _steered(self, request: Request, steer: Callable[[str], Awaitable[None]]) -> Response:
        """What is under way elsewhere hears of it within a second; so the answer is 202."""
        acting_owner(request.state.caller)
        read_one(NoBody, await request.body())
        run_id = path_id(request)
        await steer(run_id)
        return _json(run_to_json(await self._agents.run(run_id)), status=_LATER)

    async def _standings(self) -> Mapping[str, Any]:
        standings = [standing_to_json(one) for one in await self._agents.standings()]
        hint = {} if standings else {"hint": HINT}
        return {"object": "list", "data": standings, **hint}


def agent_routes(agents: Agents) -> list[BaseRoute]:
    """For owners. What is paused, asked or steered is stored, whichever process carries it out."""
    doors = _Doors(agents)
    run, agent = f"{RUNS}/{{id}}", f"{PATH}/{{name}}"
    return [
        _reading(PATH, doors.all),
        _acting(f"{PATH}/pause", doors.pause_all),
        _acting(f"{PATH}/resume", doors.resume_all),
        # Before the agents, which take whatever is below their path for a name.
        _reading(RUNS, doors.runs),
        _acting(RUNS, doors.ask),
        _reading(run, doors.story),
        _acting(f"{run}/cancel", doors.cancel),
        _acting(f"{run}/pause", doors.pause_run),
        _acting(f"{run}/resume", doors.resume_run),
        _acting(f"{run}/replay", doors.replay),
        _reading(agent, doors.one),
        _acting(f"{agent}/pause", doors.pause),
        _acting(f"{agent}/stop", doors.stop),
        _acting(f"{agent}/resume", doors.resume),
    ]


def _reading(path: str, handler: Handler) -> BaseRoute:
    return Route(path, answering_as_openai(handler), methods=["GET"])


def _acting(path: str, handler: Handler) -> BaseRoute:
    middleware = [
        Middleware(SpendersOnly, refuse=openai_refusal),
        Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
    ]
    return Route(path, answering_as_openai(handler), methods=["POST"], middleware=middleware)


def _listed(runs: Sequence[Run]) -> Mapping[str, Any]:
    return {"object": "list", "data": [run_to_json(one) for one in runs]}


def _json(content: Mapping[str, Any], *, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=_QUIET)
