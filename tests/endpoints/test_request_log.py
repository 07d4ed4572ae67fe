import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway import request_id
from gateway.endpoints.request_log import RequestLog


async def document(_: Request) -> Response:
    return PlainTextResponse(request_id.current())


@pytest.fixture
def client() -> httpx.AsyncClient:
    routes = [Route("/data/{id:path}", document), Route("/health", document)]
    app = RequestLog(Starlette(routes=routes))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


async def test_a_request_is_one_line_that_does_not_say_what_was_asked(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"user-agent": "openai-mcp/1.0.0 (ChatGPT)", "x-request-id": "abc-1"}
    with caplog.at_level(logging.INFO, "gateway"):
        answer = await client.get("/data/ticker:SECRET?q=secret", headers=headers)
    [line] = [record.message for record in caplog.records]
    assert answer.text == "abc-1"
    assert line.startswith("method=GET door=/data status=200 milliseconds=")
    assert line.endswith("bytes=5 client=openai-mcp request_id=abc-1")


@pytest.mark.parametrize("given", ["a\tforged=1", "x" * 65, "", "ü"])
async def test_an_id_that_is_not_well_formed_is_replaced(
    client: httpx.AsyncClient, given: str
) -> None:
    answer = await client.get("/data/x", headers={b"x-request-id": given.encode()})
    assert len(answer.text) == 32


async def test_paths_and_agents_cannot_forge_a_line(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "gateway"):
        await client.get("/a%0Astatus=200/b", headers={"user-agent": "evil status=200"})
        await client.get("/", headers={"user-agent": ""})
    one, other = (record.message for record in caplog.records)
    assert "door=/- status=404" in one
    assert "client=evil request_id" in one
    assert "door=/ status=404" in other
    assert "client=- request_id" in other


async def test_probes_of_health_are_quiet(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "gateway"):
        await client.get("/health")
    assert caplog.records == []
