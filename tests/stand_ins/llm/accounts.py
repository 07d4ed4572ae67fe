"""What a stand-in says beside chatting: its models, the usage and credit of a key, embeddings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tests.stand_ins.llm import lists
from tests.stand_ins.llm.account import Bill
from tests.stand_ins.llm.frames import compact
from tests.stand_ins.llm.places import BASE_PATHS

if TYPE_CHECKING:
    from tests.stand_ins.llm.server import AsgiApp, LlmStandIn


def account_routes(
    stand_in: "LlmStandIn", chats: Sequence[tuple[str, "AsgiApp"]]
) -> list[BaseRoute]:
    desk = _Desk(stand_in)
    base = BASE_PATHS[stand_in.kind]
    routes: list[BaseRoute] = [Route(path, _Asgi(chat), methods=["POST"]) for path, chat in chats]
    for path, answer in lists.LISTS.get(stand_in.kind, {f"{base}/models": lists.openai}).items():
        routes.append(Route(path, desk.listing(answer), methods=["GET", "POST"]))
    embeddings = "/v1/embeddings" if stand_in.kind == "ollama" else f"{base}/embeddings"
    routes.append(Route(embeddings, desk.embeddings, methods=["POST"]))
    if stand_in.kind == "openrouter":
        routes += [
            Route(f"{base}/generation", desk.generation),
            Route(f"{base}/key", desk.key),
            Route(f"{base}/credits", desk.credits),
        ]
    if stand_in.kind == "nanogpt":
        routes.append(Route("/api/subscription/v1/usage", desk.subscription_usage))
        routes.append(Route("/api/check-balance", desk.balance, methods=["POST"]))
    if stand_in.kind == "vertex":
        routes.append(Route("/token", stand_in.tokens.answer, methods=["POST"]))
        routes.append(Route("/metadata/token", stand_in.tokens.metadata))
    return routes


class _Asgi:
    """Starlette takes an object for an ASGI app where a function would be an endpoint."""

    def __init__(self, app: "AsgiApp") -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


class _Desk:
    def __init__(self, stand_in: "LlmStandIn") -> None:
        self._stand_in = stand_in

    def listing(self, answer: "lists.List") -> Any:
        async def endpoint(request: Request) -> Response:
            asked = await request.json() if request.method == "POST" else {}
            name = asked.get("model") or asked.get("name")
            offers = [o for o in self._stand_in.offers.values() if name in (None, o.name)]
            return self._said(request, answer(offers))

        return endpoint

    async def embeddings(self, request: Request) -> Response:
        body = await request.json()
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        count = sum(max(len(str(text)) // 4, 1) for text in texts)
        vectors = [
            {"object": "embedding", "index": number, "embedding": [0.25, -0.5, float(number)]}
            for number in range(len(texts))
        ]
        usage = {"prompt_tokens": count, "total_tokens": count}
        answer = {"object": "list", "data": vectors, "model": body["model"], "usage": usage}
        return self._said(request, answer)

    async def generation(self, request: Request) -> Response:
        asked = request.query_params.get("id")
        bill = next((b for b in self._stand_in.bills if b.id == asked and b.is_final), None)
        if bill is None:
            error = {"code": 404, "message": f"Generation {asked} not found"}
            return self._said(request, {"error": error}, status=404)
        return self._said(request, {"data": _generation(bill)})

    async def key(self, request: Request) -> Response:
        used = self._stand_in.billed_microusd / 1e6
        return self._said(
            request,
            {
                "data": {
                    "label": "stand-in",
                    "limit": 10,
                    "limit_reset": "monthly",
                    "limit_remaining": 10 - used,
                    "usage": used,
                    "usage_daily": used,
                    "usage_weekly": used,
                    "usage_monthly": used,
                    "is_free_tier": False,
                    "expires_at": None,
                }
            },
        )

    async def credits(self, request: Request) -> Response:
        used = self._stand_in.billed_microusd / 1e6
        return self._said(request, {"data": {"total_credits": 20, "total_usage": used}})

    async def subscription_usage(self, request: Request) -> Response:
        used = sum(b.tokens.input for b in self._stand_in.bills if b.is_covered)
        return self._said(request, lists.weekly_usage(used))

    async def balance(self, request: Request) -> Response:
        left = 129.5 - self._stand_in.billed_microusd / 1e6
        body = {"usd_balance": f"{left:.8f}", "nano_balance": "26.71", "nanoDepositAddress": "n"}
        return self._said(request, body)

    def _said(self, request: Request, usual: Any, *, status: int = 200) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if refusal := self._stand_in.refusal(headers, request.url.path):
            body = self._stand_in.wire.error(refusal, refusal.message)
            return Response(body, refusal.status, media_type="application/json")
        said = self._stand_in.answers.get(request.url.path, usual)
        if isinstance(said, Response):
            return said
        return (
            JSONResponse(said, status)
            if status != 200
            else Response(compact(said), media_type="application/json")
        )


def _generation(bill: Bill) -> dict[str, Any]:
    tokens = bill.tokens
    return {
        "id": bill.id,
        "model": bill.offer.name,
        "total_cost": float(bill.usd),
        "native_tokens_prompt": tokens.input,
        "native_tokens_completion": tokens.output,
        "native_tokens_cached": tokens.cached,
        "native_tokens_reasoning": tokens.reasoning,
        "provider_name": "Stand-in",
        "is_byok": False,
        "latency": 12,
    }
