"""An exchange that repeats what Binance once answered; see `recorded/README.md` for the sources."""

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

API_KEY = "recorded-key"
API_SECRET = "recorded-secret"
SERVER_TIME = 1634944099000  # one second after the last recorded aggregate trade

_FOLDER = Path(__file__).parent / "recorded"
_USED = {"X-MBX-USED-WEIGHT-1M": "40"}


def recorded(name: str) -> Any:
    return json.loads((_FOLDER / f"{name}.json").read_bytes())


def recorded_exchange() -> Starlette:
    return Starlette(
        routes=[
            Route("/api/v3/time", _time),
            Route("/api/v3/exchangeInfo", _exchange_info),
            Route("/api/v3/depth", _depth),
            Route("/api/v3/klines", _klines),
            Route("/api/v3/aggTrades", _aggregate_trades),
            Route("/api/v3/trades", _trades),
            Route("/api/v3/ticker/24hr", _of_bitcoin("ticker_24hr")),
            Route("/api/v3/avgPrice", _of_bitcoin("avg_price")),
            Route("/api/v3/account", _signed("account")),
            Route("/api/v3/myTrades", _signed("my_trades")),
            Route("/api/v3/openOrders", _signed("open_orders")),
            Route("/api/v3/allOrders", _signed("all_orders")),
            Route("/api/v3/order", _signed("order"), methods=["GET"]),
            Route("/api/v3/order", _signed("order_placed"), methods=["POST"]),
            Route("/api/v3/order", _signed("order_cancelled"), methods=["DELETE"]),
        ]
    )


async def _time(_: Request) -> Response:
    return _answer({"serverTime": SERVER_TIME})


async def _exchange_info(request: Request) -> Response:
    answer = recorded("exchange_info")
    symbol = request.query_params.get("symbol")
    if symbol:
        answer["symbols"] = [row for row in answer["symbols"] if row["symbol"] == symbol]
    return _answer(answer) if answer["symbols"] else _bad_symbol()


async def _depth(request: Request) -> Response:
    if not _is_bitcoin(request):
        return _bad_symbol()
    limit = int(request.query_params.get("limit", "100"))
    book = recorded("depth")
    return _answer({**book, "bids": book["bids"][:limit], "asks": book["asks"][:limit]})


async def _klines(request: Request) -> Response:
    if not _is_bitcoin(request):
        return _bad_symbol()
    start = int(request.query_params.get("startTime", "0"))
    end = int(request.query_params.get("endTime", str(10**15)))
    limit = int(request.query_params.get("limit", "500"))
    return _answer([row for row in recorded("klines") if start <= row[0] <= end][:limit])


async def _aggregate_trades(request: Request) -> Response:
    if not _is_bitcoin(request):
        return _bad_symbol()
    limit = int(request.query_params.get("limit", "500"))
    first = request.query_params.get("fromId")
    trades = recorded("agg_trades")
    if first is None:
        return _answer(trades[-limit:])
    return _answer([trade for trade in trades if trade["a"] >= int(first)][:limit])


async def _trades(request: Request) -> Response:
    limit = int(request.query_params.get("limit", "500"))
    return _answer(recorded("trades")[-limit:]) if _is_bitcoin(request) else _bad_symbol()


def _of_bitcoin(name: str) -> Any:
    async def handle(request: Request) -> Response:
        return _answer(recorded(name)) if _is_bitcoin(request) else _bad_symbol()

    return handle


def _signed(name: str) -> Any:
    async def handle(request: Request) -> Response:
        query, _, signature = request.url.query.rpartition("&signature=")
        expected = hmac.new(API_SECRET.encode(), query.encode(), sha256).hexdigest()
        if request.headers.get("x-mbx-apikey") != API_KEY:
            return _refused(401, -2015, "Invalid API-key, IP, or permissions for action.")
        if signature != expected:
            return _refused(400, -1022, "Signature for this request is not valid.")
        stamp = int(request.query_params["timestamp"])
        if not SERVER_TIME - 5000 <= stamp < SERVER_TIME + 1000:
            message = "Timestamp for this request is outside of the recvWindow."
            return _refused(400, -1021, message)
        return _answer(recorded(name))

    return handle


def _is_bitcoin(request: Request) -> bool:
    return request.query_params.get("symbol") == "BTCUSDT"


def _answer(value: Any) -> Response:
    return JSONResponse(value, headers=_USED)


def _bad_symbol() -> Response:
    return _refused(400, -1121, "Invalid symbol.")


def _refused(status: int, code: int, message: str) -> Response:
    return JSONResponse({"code": code, "msg": message}, status_code=status, headers=_USED)
