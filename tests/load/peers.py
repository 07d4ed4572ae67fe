"""What the benchmark measures the gateway against: a bare FastMCP server, and a bare endpoint.

python tests/load/peers.py fastmcp PORT
python tests/load/peers.py starlette PORT
"""

import sys

import uvicorn
from fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ANSWER: dict[str, object] = {
    "results": [{"id": "a:1", "title": "one", "url": "http://127.0.0.1/data/a:1"}]
}


def fastmcp_app() -> Starlette:
    mcp = FastMCP("bare")

    @mcp.tool
    async def search(query: str) -> dict[str, object]:
        """One trivial tool."""
        return ANSWER

    return mcp.http_app(transport="sse", path="/sse/")


def starlette_app() -> Starlette:
    async def search(request: Request) -> JSONResponse:
        await request.json()
        return JSONResponse(ANSWER)

    return Starlette(routes=[Route("/search", search, methods=["POST"])])


if __name__ == "__main__":
    apps = {"fastmcp": fastmcp_app, "starlette": starlette_app}
    uvicorn.run(apps[sys.argv[1]](), port=int(sys.argv[2]), log_level="warning", access_log=False)
