"""Whether the gateway lives, and how each service behind it is doing; open to everybody."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from gateway.clock import rfc3339
from gateway.downstream.status import State, Status


def health_routes(
    statuses: Callable[[], Sequence[Status]],
    *,
    version: str,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[BaseRoute]:
    """`/health/live`, `/health/ready` and `/health`, all answering 200 while the process serves.

    A service that is not up makes the gateway `degraded`, not unready: search, pages and every
    other service still answer, and a proxy that took this replica out would lose those too.
    Addresses and errors of services are never shown: nobody has to log in to read this.
    """
    started_at = monotonic()

    async def live(_: Request) -> JSONResponse:
        return _answer({"status": "live"})

    async def ready(_: Request) -> JSONResponse:
        return _answer(_readiness(statuses()))

    async def health(_: Request) -> JSONResponse:
        uptime_seconds = int(monotonic() - started_at)
        process = {"version": version, "uptime_seconds": uptime_seconds}
        return _answer({**_readiness(statuses()), **process})

    return [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/health", health),
    ]


def _readiness(statuses: Sequence[Status]) -> Mapping[str, Any]:
    all_up = all(status.state is State.UP for status in statuses)
    return {
        "status": "ready" if all_up else "degraded",
        "downstream": {status.name: _shown(status) for status in statuses},
    }


def _shown(status: Status) -> Mapping[str, Any]:
    shown = {"state": status.state.value, "since": rfc3339(status.since)}
    if status.retry_seconds is None:
        return shown
    return {**shown, "retry_seconds": math.ceil(status.retry_seconds)}


def _answer(content: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(content, headers={"cache-control": "no-store"})
