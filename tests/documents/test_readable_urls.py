"""A citation can be read, and opens whatever is in the ID: asked of a real server."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.endpoints.pages import page_routes
from tests.stand_ins.http_server import serve
from tests.stand_ins.notes import Notes

PUBLIC_URL = "https://gateway.example.com"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("openai/gpt-6-sol", "note:openai/gpt-6-sol"),
        ("openrouter/qwen/qwen3-coder:free", "note:openrouter/qwen/qwen3-coder:free"),
        ("why?", "note:why%3F"),
        ("number #1", "note:number%20%231"),
        ("50% off/today", "note:50%25%20off/today"),
        ("a%2fb", "note:a%252fb"),
        ("über/größe", "note:%C3%BCber/gr%C3%B6%C3%9Fe"),
        # Browsers and proxies would make these shorter.
        ("http://host/x", "note:http:%2F%2Fhost%2Fx"),
        ("a/../b", "note:a%2F..%2Fb"),
        ("a/./b", "note:a%2F.%2Fb"),
        ("a/", "note:a%2F"),
    ],
)
async def test_an_id_opens_at_its_url_whatever_is_in_it(name: str, path: str) -> None:
    async with Freshness() as freshness, asyncio.timeout(5):
        registry = Registry([Notes(name)], freshness, public_url=PUBLIC_URL)
        document = await registry.fetch(f"note:{name}")
        url = registry.url(document.id)
        assert url == f"{PUBLIC_URL}/data/{path}"
        assert (await registry.fetch(url)).id.text == f"note:{name}"
        routes = page_routes(registry, public_url=PUBLIC_URL, connector_name="Notes")
        async with serve(Starlette(routes=routes)) as base_url, httpx.AsyncClient() as browser:
            here = url.replace(PUBLIC_URL, base_url)
            page = await browser.get(here)
            as_json = await browser.get(f"{here}.json")
    assert page.status_code == 200
    assert f'href="{url}"' in page.text
    assert as_json.json()["id"] == f"note:{name}"
    assert as_json.json()["url"] == url


async def test_a_url_with_every_slash_quoted_is_read_too() -> None:
    async with Freshness() as freshness, asyncio.timeout(5):
        registry = Registry([Notes("a/b")], freshness, public_url=PUBLIC_URL)
        assert (await registry.fetch(f"{PUBLIC_URL}/data/note%3Aa%2Fb")).id.text == "note:a/b"
