"""The simulated exchange as an HTTP app that speaks Binance's spot REST wire format."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.clock import Clock, now
from gateway.market.simulated import private, public
from gateway.market.simulated.account import Account
from gateway.market.simulated.limits import WEIGHT_PER_MINUTE, RequestWeight
from gateway.market.simulated.parameters import Parameters
from gateway.market.simulated.signature import (
    check_key,
    check_signature,
    check_window,
    unsigned,
)
from gateway.market.simulated.wire import Refusal

_LARGEST_BODY_BYTES = 16_384
Weigh = Callable[[Parameters], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    path: str
    weigh: Weigh
    answer: public.Answer


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    method: str
    path: str
    weigh: Weigh
    answer: private.SignedAnswer


def _always(weight: int) -> Weigh:
    return lambda _: weight


def _by_depth(parameters: Parameters) -> int:
    limit = parameters.limit(100, most=5000)
    return next(weight for most, weight in _DEPTH_WEIGHTS if limit <= most)


def _by_symbols(parameters: Parameters) -> int:
    named = parameters.symbols_named
    return next(weight for most, weight in _TICKER_WEIGHTS if 0 < named <= most)


_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
_TICKER_WEIGHTS = ((20, 2), (100, 40), (float("inf"), 80))
_PUBLIC = (
    Endpoint("ping", _always(1), public.ping),
    Endpoint("time", _always(1), public.server_time),
    Endpoint("depth", _by_depth, public.depth),
    Endpoint("trades", _always(25), public.trades),
    Endpoint("historicalTrades", _always(25), public.historical_trades),
    Endpoint("aggTrades", _always(4), public.aggregate_trades),
    Endpoint("klines", _always(2), public.klines),
    Endpoint("uiKlines", _always(2), public.klines),
    Endpoint("avgPrice", _always(2), public.average_price),
    Endpoint("ticker/24hr", _by_symbols, public.ticker_24h),
    Endpoint("ticker/price", lambda sent: 2 if sent.has("symbol") else 4, public.ticker_price),
    Endpoint("ticker/bookTicker", lambda sent: 2 if sent.has("symbol") else 4, public.ticker_book),
)
_SIGNED = (
    SignedEndpoint("GET", "account", _always(20), private.account),
    SignedEndpoint(
        "GET", "myTrades", lambda sent: 5 if sent.has("orderId") else 20, private.my_trades
    ),
    SignedEndpoint("POST", "order", _always(1), private.place),
    SignedEndpoint(
        "POST",
        "order/test",
        lambda sent: 20 if sent.has("computeCommissionRates") else 1,
        private.try_out,
    ),
    SignedEndpoint("DELETE", "order", _always(1), private.cancel),
    SignedEndpoint("GET", "order", _always(4), private.order),
    SignedEndpoint(
        "GET", "openOrders", lambda sent: 6 if sent.has("symbol") else 80, private.open_orders
    ),
    SignedEndpoint("GET", "allOrders", _always(20), private.all_orders),
)


def simulated_exchange(
    clock: Clock = now,
    *,
    api_key: str | None = None,
    api_secret: str | None = None,
    weight_per_minute: int = WEIGHT_PER_MINUTE,
) -> Starlette:
    """The exchange; with a key and its secret it also has one account that trades.

    Public answers are a pure function of the clock: the same moment gives the same bytes.
    """
    weight = RequestWeight(weight_per_minute)
    exchange = _Exchange(clock, weight, api_key=api_key, api_secret=api_secret)
    information = partial(public.exchange_information, weight_limit=weight_per_minute)
    public_endpoints = (*_PUBLIC, Endpoint("exchangeInfo", _always(20), information))
    routes = [exchange.route(endpoint) for endpoint in public_endpoints]
    return Starlette(routes=routes + [exchange.signed_route(endpoint) for endpoint in _SIGNED])


class _Exchange:
    """What lives between requests: the weight used, and the account."""

    def __init__(
        self,
        clock: Clock,
        weight: RequestWeight,
        *,
        api_key: str | None,
        api_secret: str | None,
    ) -> None:
        self._clock = clock
        self._api_key = api_key
        self._api_secret = api_secret or ""
        self._weight = weight
        self._account = Account()

    def route(self, endpoint: Endpoint) -> Route:
        async def handle(request: Request) -> Response:
            return self._respond(lambda now_ms: self._answer(endpoint, request, now_ms))

        return Route(f"/api/v3/{endpoint.path}", handle, methods=["GET"])

    def signed_route(self, endpoint: SignedEndpoint) -> Route:
        async def handle(request: Request) -> Response:
            body = await _body(request)
            return self._respond(
                lambda now_ms: self._signed_answer(endpoint, request, now_ms, body=body)
            )

        return Route(f"/api/v3/{endpoint.path}", handle, methods=[endpoint.method])

    def _respond(self, answer: Callable[[int], public.Json]) -> Response:
        now_ms = int(self._clock().timestamp() * 1000)
        try:
            response = JSONResponse(answer(now_ms))
        except Refusal as refusal:
            response = _refused(refusal)
        response.headers["X-Simulated"] = "true"
        response.headers["X-MBX-USED-WEIGHT-1M"] = str(self._weight.used)
        return response

    def _answer(self, endpoint: Endpoint, request: Request, now_ms: int) -> public.Json:
        parameters = Parameters(_query(request))
        self._weight.spend(endpoint.weigh(parameters), now_ms=now_ms)
        answer = endpoint.answer(parameters, now_ms)
        parameters.refuse_unread()
        return answer

    def _signed_answer(
        self, endpoint: SignedEndpoint, request: Request, now_ms: int, *, body: str
    ) -> public.Json:
        query = _query(request)
        parameters = Parameters("&".join(part for part in (query, body) if part))
        self._weight.spend(endpoint.weigh(parameters), now_ms=now_ms)
        check_key(request.headers.get("X-MBX-APIKEY"), expected=self._api_key)
        check_window(parameters, now_ms=now_ms)
        # Query and body are signed one after the other, with nothing between them.
        check_signature(parameters, unsigned(query) + unsigned(body), secret=self._api_secret)
        self._account.catch_up(now_ms)
        answer = endpoint.answer(self._account, parameters, now_ms)
        parameters.refuse_unread()
        return answer


def _query(request: Request) -> str:
    """As it was sent, percent-encoded: that is what was signed."""
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


async def _body(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY_BYTES:
            return ""  # which no signature fits
    return body.decode("utf-8", "replace")


def _refused(refusal: Refusal) -> JSONResponse:
    headers = {}
    if refusal.retry_after_seconds is not None:
        headers["Retry-After"] = str(refusal.retry_after_seconds)
    return JSONResponse(
        {"code": refusal.code, "msg": refusal.message}, status_code=refusal.status, headers=headers
    )
