import base64
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from html import unescape

import httpx
import pytest
from starlette.applications import Starlette

from gateway.documents.freshness import Freshness
from gateway.documents.query import Reading, Word
from gateway.documents.registry import Registry
from gateway.endpoints.pages import SAMPLE_QUESTIONS, page_routes
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    PermissionDenied,
    RateLimited,
    Refused,
    Unavailable,
)
from gateway.tools.reading import fetched
from tests.stand_ins.quotes import AS_OF, Quotes, registry_of

PUBLIC_URL = "https://gateway.example"
A_MINUTE_LATER = AS_OF + timedelta(minutes=1)


@asynccontextmanager
async def browsing(
    registry: Registry, *, public_url: str = PUBLIC_URL
) -> AsyncIterator[httpx.AsyncClient]:
    routes = page_routes(
        registry, public_url=public_url, connector_name="Quotes", clock=lambda: A_MINUTE_LATER
    )
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@asynccontextmanager
async def browsing_quotes(quotes: Quotes) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(registry_of(quotes, public_url=PUBLIC_URL)) as client:
        yield client


async def test_a_page_shows_what_fetch_says() -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/data/ticker:BTCUSDT")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>BTCUSDT 67,890.12 USDT (+1.24 % in 24 h), 12:03Z · Quotes</title>" in page.text
    assert "<h1>BTCUSDT 67,890.12 USDT (+1.24 % in 24 h), 12:03Z</h1>" in page.text
    assert "Last 67,890.12 USDT, +1.24 % in 24 h; range" in page.text
    assert '<time datetime="2026-11-21T12:03:04Z">21 Nov 2026, 12:03:04 UTC</time>' in page.text
    assert "<dd>a small exchange</dd>" in page.text
    assert '<dd class="id">ticker:BTCUSDT</dd>' in page.text
    assert "<strong>BTCUSDT last traded at 67,890.12 USDT</strong>" in page.text
    assert "<td>+831.50 USDT (+1.24 %)</td>" in page.text
    assert "<dt>unit</dt><dd>USDT</dd>" in page.text
    assert 'href="/data/ticker:BTCUSDT.json"' in page.text
    assert f'<link rel="canonical" href="{PUBLIC_URL}/data/ticker:BTCUSDT">' in page.text


async def test_the_json_equals_what_fetch_answers() -> None:
    registry = registry_of(Quotes(is_simulated=True), public_url=PUBLIC_URL)
    document = await registry.fetch("ticker:BTCUSDT")
    payload = fetched(document, registry.url(document.id), clock=lambda: A_MINUTE_LATER)

    async with browsing(registry) as client:
        by_address = await client.get("/data/ticker:BTCUSDT.json")
        by_header = await client.get("/data/ticker:BTCUSDT", headers={"Accept": "application/json"})

    assert by_address.json() == by_header.json() == payload
    assert by_header.headers["content-type"] == "application/json"
    assert by_header.headers["vary"] == "Accept"
    assert by_header.headers["x-robots-tag"] == "noindex, nofollow"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html, application/json", "text/html"),
        ("application/json;q=0.5, text/html", "text/html"),
        ("application/json;q=0", "text/html"),
        ("application/json;q=much", "text/html"),
        ("", "text/html"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/html;q=0.5, Application/JSON", "application/json"),
    ],
)
async def test_the_accept_header_chooses(accept: str, content_type: str) -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/data/ticker:BTCUSDT", headers={"Accept": accept})
    assert page.headers["content-type"].startswith(content_type)
    assert page.headers["vary"] == "Accept"


async def test_simulated_documents_are_labelled_and_others_are_not() -> None:
    async with browsing_quotes(Quotes(is_simulated=True)) as client:
        assert (
            '<span class="badge">Simulated data</span>'
            in (await client.get("/data/ticker:BTCUSDT")).text
        )
    async with browsing_quotes(Quotes()) as client:
        assert "badge" not in body((await client.get("/data/ticker:BTCUSDT")).text)


async def test_a_stale_copy_is_labelled() -> None:
    quotes = Quotes()
    async with browsing_quotes(quotes) as client:
        await client.get("/data/ticker:BTCUSDT")
        quotes.failure = Unavailable("the exchange is down", retry_after_seconds=5)
        page = await client.get("/data/ticker:BTCUSDT")
    assert page.status_code == 200
    assert '<span class="badge">Stale copy</span>' in page.text


@pytest.mark.parametrize(
    "path", ["/data/ticker%3ABTCUSDT", "/data/TICKER:btcusdt", "/data/ticker:btcusdt%20"]
)
async def test_an_id_may_be_encoded_or_spelled_in_another_case(path: str) -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get(path)
    assert page.status_code == 200
    assert f'<link rel="canonical" href="{PUBLIC_URL}/data/ticker:BTCUSDT">' in page.text


async def test_an_unknown_document_is_404_and_suggestions_can_be_clicked() -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/data/ticker:BTCUSD")
        as_json = await client.get("/data/ticker:BTCUSD.json")

    assert page.status_code == as_json.status_code == 404
    assert "<title>There is no such document · Quotes</title>" in page.text
    assert "'BTCUSD' is not a listed symbol." in unescape(page.text)
    assert '<a href="/data/ticker:BTCUSDT">ticker:BTCUSDT</a>' in page.text
    assert as_json.headers["content-type"] == "application/problem+json"
    assert as_json.json()["suggestions"] == ["ticker:BTCUSDT"]


async def test_an_unknown_kind_names_the_kinds_there_are() -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/data/tickr:BTCUSDT")
    assert page.status_code == 404
    assert "<code>ticker:{symbol}</code>" in page.text


@pytest.mark.parametrize(
    "path", ["/data/", "/data/nothing", "/data/../../etc/passwd", "/data/ticker:"]
)
async def test_what_is_no_id_is_400(path: str) -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get(path.replace("..", "%2E%2E"))
    assert page.status_code == 400
    assert "That is not the name of a document" in page.text


@pytest.mark.parametrize(
    ("failure", "status", "heading"),
    [
        (PermissionDenied("the key may not read this"), 403, "This is not open to you"),
        (Refused("the book is crossed"), 409, "This was refused"),
        (RateLimited("too many", retry_after_seconds=6.2), 429, "Too many questions at once"),
        (BadAnswer("no price in it"), 502, "The source gave a bad answer"),
        (Unavailable("it restarts", retry_after_seconds=5), 503, "The source is unavailable"),
        (DeadlineExceeded("5 s were not enough"), 504, "The source took too long"),
    ],
)
async def test_a_failing_source_is_told_in_plain_words_with_its_status(
    failure: GatewayError, status: int, heading: str
) -> None:
    async with browsing_quotes(Quotes(failure=failure)) as client:
        page = await client.get("/data/ticker:BTCUSDT")
        as_json = await client.get("/data/ticker:BTCUSDT.json")

    assert page.status_code == as_json.status_code == status
    assert f"<title>{heading}" in page.text
    assert f"{failure}." in page.text
    assert as_json.json()["code"] == failure.code
    assert page.headers["cache-control"] == "private, no-store"
    expected = {429: "7", 503: "5"}.get(status)
    assert page.headers.get("retry-after") == as_json.headers.get("retry-after") == expected
    assert ("Try again in" in page.text) == (expected is not None)


async def test_a_bug_gives_a_reference_that_the_log_explains(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with browsing_quotes(Quotes(failure=KeyError("the innermost"))) as client:
        page = await client.get("/data/ticker:BTCUSDT")
    assert page.status_code == 500
    assert "innermost" not in page.text
    assert "Traceback" not in page.text
    reference = re.search(r"under ([0-9a-f]{8})", page.text)
    assert reference
    assert f"reference={reference[1]}" in caplog.text
    assert "innermost" in caplog.text


HOSTILE = (
    "<script>alert(1)</script> <!-- hidden --> ![pixel](https://spy.example/x.png)\n\n"
    "[click](javascript:alert(1)) [also](data:text/html,x) [good](https://good.example/)\n\n"
    "<img src=x onerror=alert(1)> \u202eesrever\u202c \u200bzero \x1b[31mred \U000e0041tag"
)


async def test_hostile_text_can_only_be_read() -> None:
    hostile = Quotes(text=HOSTILE, title='<b onclick="x">{symbol}\u202e</b>\x00')
    async with browsing_quotes(hostile) as client:
        page = await client.get("/data/ticker:BTCUSDT")

    tags = set(re.findall(r"<(\w+)", body(page.text)))
    assert tags.isdisjoint({"script", "img", "iframe", "object", "b"})
    assert "&lt;script&gt;" in page.text
    assert "&lt;!-- hidden --&gt;" in page.text
    assert set(re.findall(r'href="(\w+):', page.text)) == {"https"}
    assert 'href="https://good.example/" rel="nofollow noopener noreferrer"' in page.text
    assert not re.search("[\x00-\x08\x0e-\x1f\u200b\u202a-\u202e\U000e0000-\U000e007f]", page.text)
    assert "&lt;b onclick=&#34;x&#34;&gt;BTCUSDT&lt;/b&gt;" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/search?q=%3Cscript%3Ealert(1)%3C/script%3E%22%20autofocus",
        "/data/%3Cscript%3Ealert(1)%3C/script%3E",
        "/data/ticker:%3Cscript%3E%22%E2%80%AE",
        "/data/x:%00%3Cscript%3E",
    ],
)
async def test_an_address_is_never_reflected_as_html(path: str) -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get(path)
    assert "<script" not in page.text
    assert '" autofocus' not in page.text
    assert "\u202e" not in page.text


PAGES = (
    "/", "/search", "/search?q=bitcoin", "/data/ticker:BTCUSDT", "/data/klines:BTCUSDT:4h",
    "/data/nothing",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_may_do_nothing_but_be_looked_at(path: str) -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get(path)

    policy = page.headers["content-security-policy"].split("; ")
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src 'self' data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    assert not re.search(r"<[^>]+\s(style|on\w+)=", body(page.text))
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_is_small_and_has_landmarks(path: str) -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get(path)
    assert len(page.content) < 30_000
    assert '<html lang="en">' in page.text
    assert [page.text.count(tag) for tag in ("<main", "<header", "<footer", "<h1")] == [1, 1, 1, 1]


async def test_columns_are_aligned_without_inline_style() -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/data/klines:BTCUSDT:4h")
    assert page.text.count('<td class="right">') == 50 * 6


async def test_head_answers_like_get() -> None:
    async with browsing_quotes(Quotes()) as client:
        found = await client.head("/data/ticker:BTCUSDT")
        missing = await client.head("/data/ticker:NOPE")
    assert (found.status_code, missing.status_code) == (200, 404)


async def test_home_tells_how_to_connect_and_answers_the_sample_questions() -> None:
    async with browsing_quotes(Quotes()) as client:
        home = await client.get("/")

        assert f"<code>{PUBLIC_URL}/sse/</code>" in home.text
        assert f"<code>{PUBLIC_URL}/mcp</code>" in home.text
        steps = home.text.partition("<ol>")[2].partition("</ol>")[0]
        assert steps.count("<li>") == 5
        assert "only reaches public addresses" not in home.text
        assert all(question in home.text for question in SAMPLE_QUESTIONS)
        assert '<a href="/data/ticker:BTCUSDT">BTCUSDT 67,890.12 USDT' in home.text
        assert "klines:{symbol}:{interval}" in home.text

        links = re.findall(r'href="(/[^"]*)"', home.text)
        opened = [(await client.get(unescape(link))).status_code for link in links]
    assert opened == [200] * len(links)


async def test_home_says_when_chatgpt_could_not_reach_it() -> None:
    registry = registry_of(Quotes(), public_url="http://127.0.0.1:3001")
    async with browsing(registry, public_url="http://127.0.0.1:3001/") as client:
        home = await client.get("/")
    assert "<code>http://127.0.0.1:3001/mcp</code>" in home.text
    assert "only reaches public addresses that begin with https" in home.text


async def test_home_opens_while_the_source_is_down() -> None:
    quotes = Quotes(failure=Unavailable("it restarts", retry_after_seconds=5))
    async with browsing_quotes(quotes) as client:
        home = await client.get("/")
    assert home.status_code == 200
    assert "BTCUSDT price, 24 h change and volume" in home.text


async def test_search_lists_results_that_open() -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/search", params={"q": "bitcoin and eth price"})
    assert 'value="bitcoin and eth price"' in page.text
    assert "2 documents, the best answer first." in page.text
    assert '<a href="/data/ticker:BTCUSDT">BTCUSDT 67,890.12 USDT' in page.text
    assert '<a href="/data/ticker:ETHUSDT">ETHUSDT 3,456.78 USDT' in page.text


async def test_a_search_without_an_answer_says_so() -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/search", params={"q": "Canada"})
    assert page.status_code == 200
    assert "Nothing was found for “Canada”." in page.text


async def test_a_search_passes_on_what_the_registry_has_to_say() -> None:
    class Hinting:
        def read(self, words: Sequence[Word]) -> Reading:
            return Reading(hints=[f"No listed coin is named {words[0].raw!r}."])

    registry = Registry([Quotes()], Freshness(), public_url=PUBLIC_URL, lexicons=[Hinting()])
    async with browsing(registry) as client:
        page = await client.get("/search", params={"q": "bitcone"})
    assert "No listed coin is named 'bitcone'." in unescape(page.text)


@pytest.mark.parametrize(
    "question", ["", "   ", "x" * 10_000, "💸" * 500, "'; DROP TABLE--", "\x00"]
)
async def test_any_question_gets_a_small_page(question: str) -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/search", params={"q": question})
    assert page.status_code == 200
    assert len(page.content) < 30_000


async def test_a_long_address_gets_a_small_page() -> None:
    async with browsing_quotes(Quotes()) as client:
        page = await client.get("/data/ticker:" + "x:" * 10_000)
    assert page.status_code == 404
    assert len(page.content) < 30_000


async def test_links_keep_the_path_under_which_the_gateway_is_published() -> None:
    public_url = "https://example.org/gateway"
    async with browsing(
        registry_of(Quotes(), public_url=public_url), public_url=public_url
    ) as client:
        home = await client.get("/")
        document = await client.get("/data/ticker:BTCUSDT")
    links = re.findall(r'(?:href|action)="(/[^"]*)"', home.text + document.text)
    assert links
    assert all(link.startswith("/gateway/") for link in links)


async def test_robots_stay_away_and_there_is_an_icon() -> None:
    async with browsing_quotes(Quotes()) as client:
        robots = await client.get("/robots.txt")
        icon = await client.get("/favicon.ico")
    assert robots.text == "User-agent: *\nDisallow: /\n"
    assert icon.headers["content-type"] == "image/svg+xml"
    assert icon.text.startswith("<svg")


def body(html: str) -> str:
    return html.partition("<body>")[2]
