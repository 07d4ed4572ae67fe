"""The gateway's doors behind its own authentication, on a free port, as the app mounts them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from gateway.caller import LOCAL, Caller
from gateway.endpoints.authentication import Authentication
from gateway.endpoints.openai_problems import no_such_path
from gateway.endpoints.request_log import RequestLog
from gateway.keys import hashed
from tests.stand_ins.http_server import serve


def doors(
    routes: Sequence[BaseRoute],
    *,
    keys: Mapping[str, Caller] | None = None,
    keyless: Caller = LOCAL,
) -> ASGIApp:
    app = Starlette(routes=routes, exception_handlers={HTTPException: no_such_path})
    by_hash = {hashed(key): caller for key, caller in (keys or {}).items()}
    return RequestLog(Authentication(app, keys=by_hash, keyless=keyless))


@asynccontextmanager
async def open_doors(
    routes: Sequence[BaseRoute],
    *,
    keys: Mapping[str, Caller] | None = None,
    keyless: Caller = LOCAL,
    grace_seconds: int = 1,
) -> AsyncIterator[str]:
    app = doors(routes, keys=keys, keyless=keyless)
    async with serve(app, grace_seconds=grace_seconds) as url:
        yield url


def asking(
    routes: Sequence[BaseRoute],
    *,
    keys: Mapping[str, Caller] | None = None,
    keyless: Caller = LOCAL,
    key: str | None = None,
) -> httpx.AsyncClient:
    """A client without a server between, for what neither streams nor disconnects."""
    app = doors(routes, keys=keys, keyless=keyless)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)
