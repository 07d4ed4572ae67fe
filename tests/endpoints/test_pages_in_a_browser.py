"""What a person sees: the pages in a real browser, from a real server."""

import json
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from gateway.endpoints.pages import page_routes
from tests.stand_ins.browser import see
from tests.stand_ins.http_server import serve
from tests.stand_ins.quotes import Quotes, registry_of

PHONES = """\
<body><script>
  for (const [path, page] of Object.entries(PAGES)) {
    const phone = document.createElement("iframe");
    phone.style = "border: 0; width: 360px; height: 800px";
    phone.onload = () => {
      const width = phone.contentDocument.documentElement.scrollWidth;
      document.body.append(`${path} is ${width} wide;`);
    };
    phone.srcdoc = page;
    document.body.append(phone);
  }
</script>
"""


def app_of(quotes: Quotes, *more: Route) -> Starlette:
    public_url = "https://gateway.example"
    pages = page_routes(
        registry_of(quotes, public_url=public_url), public_url=public_url, connector_name="Quotes"
    )
    return Starlette(routes=[*pages, *more])


async def test_a_document_opens_with_its_value_and_its_label(tmp_path: Path) -> None:
    async with serve(app_of(Quotes(is_simulated=True))) as url:
        seen = await see(f"{url}/data/ticker:BTCUSDT", tmp_path)
    assert "<h1>BTCUSDT 67,890.12 USDT (+1.24 % in 24 h), 12:03Z</h1>" in seen.dom
    assert "Simulated data" in seen.dom
    assert "<td>68,400.00 USDT</td>" in seen.dom
    assert seen.console == ""


async def test_home_opens_with_the_address_to_paste(tmp_path: Path) -> None:
    async with serve(app_of(Quotes())) as url:
        seen = await see(f"{url}/", tmp_path)
    assert "<code>https://gateway.example/mcp</code>" in seen.dom
    assert "BTCUSDT 67,890.12 USDT" in seen.dom
    assert seen.console == ""


async def test_the_browser_refuses_what_the_policy_forbids(tmp_path: Path) -> None:
    # It shows that the silence of the console in the tests above means something.
    async def poisoned(request: Request) -> HTMLResponse:
        async with httpx.AsyncClient(base_url=str(request.base_url)) as client:
            page = await client.get("/data/ticker:BTCUSDT")
        attack = '<p style="color:red">x</p><script>document.title = "taken"</script></main>'
        policy = {"content-security-policy": page.headers["content-security-policy"]}
        return HTMLResponse(page.text.replace("</main>", attack), headers=policy)

    async with serve(app_of(Quotes(), Route("/poisoned", poisoned))) as url:
        seen = await see(f"{url}/poisoned", tmp_path)
    assert "inline style" in seen.console
    assert "inline script" in seen.console
    assert "<title>taken</title>" not in seen.dom


async def test_pages_fit_a_narrow_phone(tmp_path: Path) -> None:
    paths = ["/", "/data/klines:BTCUSDT:4h", "/data/ticker:NOPE", "/search?q=bitcoin"]

    async def phones(request: Request) -> HTMLResponse:
        # Each frame shows a copy of a page: the real ones refuse to be framed.
        async with httpx.AsyncClient(base_url=str(request.base_url)) as client:
            pages = {path: (await client.get(path)).text for path in paths}
        return HTMLResponse(PHONES.replace("PAGES", json.dumps(pages).replace("</", "<\\/")))

    async with serve(app_of(Quotes(), Route("/phones", phones))) as url:
        seen = await see(f"{url}/phones", tmp_path)
    for path in paths:
        assert f"{path} is 360 wide;" in seen.dom
