"""Pages of other origins call the MCP door from a real browser; only allowed ones get answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.endpoints.origin import OriginGuard
from tests.stand_ins.browser import see
from tests.stand_ins.gadgets import Gadgets, doors_app
from tests.stand_ins.http_server import serve

# The browser waits for the image before it calls the page loaded, and the image for the answer.
CALLING = """\
<body><p></p><img src="/finished"><script>
  const words = document.querySelector("p");
  const list = {
    jsonrpc: "2.0", id: 1, method: "tools/list",
    params: {_meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    }},
  };
  fetch(location.search.slice(1) + "/mcp", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "accept": "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/list",
    },
    body: JSON.stringify(list),
  })
    .then(answer => answer.json())
    .then(message => words.append("tools: " + message.result.tools.map(tool => tool.name)))
    .catch(error => words.append("failed: " + error))
    .finally(() => fetch("/finish", {method: "POST"}));
</script>
"""


def calling_page() -> Starlette:
    """A site with one page, which calls the gateway that its query names, and then ends loading."""
    is_finished = asyncio.Event()

    async def page(_: Request) -> HTMLResponse:
        return HTMLResponse(CALLING)

    async def finish(_: Request) -> Response:
        is_finished.set()
        return Response(status_code=204)

    async def finished(_: Request) -> Response:
        await is_finished.wait()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/finish", finish, methods=["POST"]),
            Route("/finished", finished),
        ]
    )


@asynccontextmanager
async def serve_guarded(*, allowed_origin: str) -> AsyncIterator[str]:
    guarded = OriginGuard(doors_app(Gadgets()), allowed_hosts=[], allowed_origins=[allowed_origin])
    async with serve(guarded) as url:
        yield url


# A browser finds every name under .localhost on this machine. For the guard they are foreign.
def named(url: str, name: str) -> str:
    return url.replace("127.0.0.1", f"{name}.localhost")


async def test_a_page_of_an_allowed_origin_lists_the_tools(tmp_path: Path) -> None:
    async with serve(calling_page()) as site:
        friend = named(site, "friend")
        async with serve_guarded(allowed_origin=friend) as gateway:
            seen = await see(f"{friend}/?{gateway}", tmp_path)
    assert "<p>tools: search,fetch,break,count," in seen.dom
    assert seen.console == ""


async def test_a_page_of_this_machine_lists_the_tools(tmp_path: Path) -> None:
    async with (
        serve(calling_page()) as site,
        serve_guarded(allowed_origin="https://chatgpt.com") as gateway,
    ):
        seen = await see(f"{site}/?{gateway}", tmp_path)
    assert "<p>tools: search,fetch,break,count," in seen.dom


async def test_a_page_of_another_origin_gets_nothing(tmp_path: Path) -> None:
    async with (
        serve(calling_page()) as site,
        serve_guarded(allowed_origin=named(site, "friend")) as gateway,
    ):
        seen = await see(f"{named(site, 'foreign')}/?{gateway}", tmp_path)
    assert "<p>failed: TypeError: Failed to fetch</p>" in seen.dom
    assert "blocked by CORS policy" in seen.console
