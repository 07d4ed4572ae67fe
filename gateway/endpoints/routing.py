"""The routing tools over HTTP: choices, costs, free models, and how models are asked."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.caller import Caller
from gateway.endpoints.authentication import SpendersOnly, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.json_body import json_object
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.errors import InvalidRequest, NotFound
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.prompting import strategy_to_json
from gateway.strategies import Strategies
from gateway.text import shown
from gateway.tools.toolbox import Toolbox

_SET = "set_model_prompting_strategy"
_COSTS = "get_cost_estimate"
_FREE = "get_free_models"
_WORDS_OF_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}

ToolboxOf = Callable[[Caller], Toolbox]
Handler = Callable[[Request], Any]


def routing_routes(
    toolbox_of: ToolboxOf, strategies: Strategies, catalog: Catalog
) -> list[BaseRoute]:
    """Each path calls the tool of MCP, so that both take, answer and refuse alike.

    Mount them before `/v1/models/{id}`, which takes whatever stands behind it for an ID.
    """
    door = _Door(toolbox_of, strategies, catalog)
    return [
        _route("/v1/routing/route", POST=door.tool("route_task")),
        _route("/v1/routing/preemptive", POST=door.tool("preemptive_route_task")),
        _route("/v1/routing/cost-estimate", POST=door.tool(_COSTS), GET=door.costs),
        _route("/v1/routing/free-models", GET=door.free_models),
        _route(
            "/v1/routing/clear-openrouter-tracking", POST=door.tool("clear_openrouter_tracking")
        ),
        _route(
            "/v1/models/{id:path}/prompting-strategy",
            GET=door.strategy,
            PUT=door.set_strategy,
            DELETE=door.remove_strategy,
        ),
    ]


class _Door:
    def __init__(self, toolbox_of: ToolboxOf, strategies: Strategies, catalog: Catalog) -> None:
        self._toolbox_of = toolbox_of
        self._strategies = strategies
        self._catalog = catalog

    def tool(self, name: str) -> Handler:
        async def call(request: Request) -> Response:
            return await self._call(request, name, await _body(request))

        return call

    async def costs(self, request: Request) -> Response:
        given = _parameters(request, "context_length", "expected_output_length", "model")
        numbers = {
            name: _number(name, text) for name, text in given.items() if name.endswith("_length")
        }
        return await self._call(request, _COSTS, {**given, **numbers})

    async def free_models(self, request: Request) -> Response:
        given = _parameters(request, "refresh")
        truths = {name: _truth(name, text) for name, text in given.items()}
        return await self._call(request, _FREE, truths)

    async def strategy(self, request: Request) -> Response:
        who = spender(request.state.caller)
        model_id = request.path_params["id"]
        strategy = self._strategies.get(who.name, model_id)
        if strategy is None and not self._is_open(who, model_id):
            near = [one for one in self._catalog.near(model_id) if who.may_use_model(one)]
            raise NotFound(
                f"there is no model {shown(model_id)!r} that this key may use; "
                "GET /v1/models lists them",
                what="model",
                suggestions=near,
            )
        return _answer(strategy_to_json(model_id, strategy))

    async def set_strategy(self, request: Request) -> Response:
        body = await _body(request)
        model_id = request.path_params["id"]
        if body.setdefault("model_id", model_id) != model_id:
            raise InvalidRequest("model_id: the path names another model; leave it out")
        return await self._call(request, _SET, body)

    async def remove_strategy(self, request: Request) -> Response:
        return await self._call(request, _SET, {"model_id": request.path_params["id"]})

    async def _call(self, request: Request, name: str, arguments: Mapping[str, Any]) -> Response:
        toolbox = self._toolbox_of(spender(request.state.caller))
        return _answer((await toolbox.call(name, arguments)).content)

    def _is_open(self, who: Caller, model_id: str) -> bool:
        return self._catalog.get(model_id) is not None and who.may_use_model(model_id)


def _route(path: str, **by_method: Handler) -> Route:
    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        answered: Response = await by_method[method](request)
        return answered

    return Route(
        path,
        answering_as_openai(answer),
        methods=list(by_method),
        middleware=[
            Middleware(SpendersOnly, refuse=openai_refusal),
            Middleware(BodyLimit, refuse=refused_body),
        ],
    )


async def _body(request: Request) -> dict[str, Any]:
    """What is null is left out, as clients write it; no body says nothing."""
    if not (await request.body()).strip():
        return {}
    read = await json_object(request)
    return {name: value for name, value in read.items() if value is not None}


def _parameters(request: Request, *names: str) -> dict[str, str]:
    given = request.query_params
    if unknown := given.keys() - set(names):
        raise InvalidRequest(
            f"there is no parameter {min(unknown)[:40]!r}; there are {', '.join(names)}"
        )
    return dict(given)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise InvalidRequest(f"{name} is {shown(text)!r}; it takes a whole number")
    return int(text)


def _truth(name: str, text: str) -> bool:
    if text.lower() not in _WORDS_OF_TRUTH:
        raise InvalidRequest(f"{name} is {shown(text)!r}; it takes true or false")
    return _WORDS_OF_TRUTH[text.lower()]


def _answer(content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, headers={"cache-control": "no-store"})
