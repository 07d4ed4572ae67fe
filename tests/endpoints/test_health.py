from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from gateway.downstream.status import State, Status
from gateway.endpoints.health import health_routes

SINCE = datetime(2026, 11, 21, 12, 3, 4, tzinfo=UTC)


def status(name: str, state: State, retry_seconds: float | None = None) -> Status:
    error = "10.0.0.7:50053 refused: token=secret" if state is State.DOWN else None
    return Status(
        name=name,
        address="10.0.0.7:50053",
        state=state,
        since=SINCE,
        version="1.2.3",
        error=error,
        retry_seconds=retry_seconds,
    )


async def ask(path: str, statuses: Sequence[Status], *, method: str = "GET") -> httpx.Response:
    clock = iter([100.0, 163.9])
    routes = health_routes(lambda: statuses, version="0.1.0", monotonic=lambda: next(clock))
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.request(method, path)


async def test_a_process_that_serves_is_live_whatever_is_behind_it() -> None:
    answer = await ask("/health/live", [status("market", State.DOWN)])
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_ready_names_each_service_behind() -> None:
    answer = await ask("/health/ready", [status("market", State.UP), status("notes", State.UP)])
    up = {"state": "up", "since": "2026-11-21T12:03:04Z"}
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "downstream": {"market": up, "notes": up}}


@pytest.mark.parametrize("state", [State.DOWN, State.STARTING])
async def test_a_service_that_is_not_up_degrades_but_keeps_the_gateway_in_service(
    state: State,
) -> None:
    answer = await ask("/health/ready", [status("market", state, 2.3), status("notes", State.UP)])
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["downstream"]["market"] == {
        "state": state.value,
        "since": "2026-11-21T12:03:04Z",
        "retry_seconds": 3,
    }


async def test_a_gateway_with_nothing_behind_it_is_ready() -> None:
    assert (await ask("/health/ready", [])).json() == {"status": "ready", "downstream": {}}


async def test_health_adds_version_and_uptime() -> None:
    health = (await ask("/health", [status("market", State.UP)])).json()
    assert health["status"] == "ready"
    assert (health["version"], health["uptime_seconds"]) == ("0.1.0", 63)


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
async def test_health_is_never_cached_and_leaks_nothing(path: str) -> None:
    answer = await ask(path, [status("market", State.DOWN, 1)])
    assert answer.headers["cache-control"] == "no-store"
    assert not any(word in answer.text for word in ("10.0.0.7", "refused", "secret", "50053"))
    assert (await ask(path, [], method="HEAD")).status_code == 200
