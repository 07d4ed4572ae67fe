"""The least that a proxy must do, as a peer in a benchmark: pass a chat and its answer on.

    python -m tests.load.pass_through BASE_URL PORT

Starlette and httpx, as most gateways in Python have them; no key, no routing, no ledger.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route


def pass_through(base_url: str) -> Starlette:
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=256), timeout=60)

    async def chat(request: Request) -> StreamingResponse:
        asked = client.build_request(
            "POST",
            f"{base_url}/chat/completions",
            content=await request.body(),
            headers={"content-type": "application/json", "authorization": "Bearer peer"},
        )
        answer = await client.send(asked, stream=True)
        return StreamingResponse(
            answer.aiter_raw(),
            status_code=answer.status_code,
            media_type=answer.headers["content-type"],
            background=BackgroundTask(answer.aclose),
        )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    route = Route("/v1/chat/completions", chat, methods=["POST"])
    return Starlette(routes=[route], lifespan=lifespan)


if __name__ == "__main__":
    app = pass_through(sys.argv[1])
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
