"""Pages for people: each document where its citation leads, a search, and how to connect."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote_plus, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document
from gateway.documents.registry import Registry, Result
from gateway.endpoints.html import ICON, QUIET_HEADERS, PageFrame
from gateway.endpoints.markdown import rendered
from gateway.endpoints.problems import (
    in_our_terms,
    problem,
    retry_after_seconds,
    sentence,
    suggested,
)
from gateway.errors import GatewayError
from gateway.tools.reading import fetched

SAMPLE_QUESTIONS = (
    "What is the current price of Bitcoin?",
    "Is the ETH order book healthy?",
    "Show me 4h candles for Solana",
    "Who is buying and selling BTC right now?",
)
SHOWN_QUESTION_CHARACTERS = 200
_JSON_SUFFIX = ".json"
_DATA_HEADERS = {"cache-control": "private, no-store", "vary": "Accept"}
_FIXED_HEADERS = {**QUIET_HEADERS, "cache-control": "public, max-age=86400"}
_HEADINGS = {
    400: "That is not the name of a document",
    403: "This is not open to you",
    404: "There is no such document",
    409: "This was refused",
    429: "Too many questions at once",
    502: "The source gave a bad answer",
    503: "The source is unavailable right now",
    504: "The source took too long",
}
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere to go next; without a path it is only text."""

    text: str
    path: str = ""


def page_routes(
    registry: Registry, *, public_url: str, connector_name: str, clock: Clock = now
) -> list[BaseRoute]:
    """The pages, all readable without login and without JavaScript."""
    pages = Pages(registry, public_url=public_url, connector_name=connector_name, clock=clock)
    return [
        Route("/", pages.guarded(pages.home)),
        Route("/search", pages.guarded(pages.search)),
        Route("/data/{id:path}", pages.guarded(pages.document)),
        Route("/robots.txt", robots),
        Route("/favicon.ico", icon),
    ]


class Pages:
    def __init__(
        self, registry: Registry, *, public_url: str, connector_name: str, clock: Clock
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        # Links lead to where the reader already is, which may not be the public address.
        self._frame = PageFrame(urlsplit(self._public_url).path, connector_name)

    def guarded(self, show: Endpoint) -> Endpoint:
        """The endpoint, with every error turned into a page or a JSON problem."""

        async def endpoint(request: Request) -> Response:
            try:
                return await show(request)
            except Exception as error:
                # Whatever broke, the reader gets a page; `in_our_terms` logs the unexpected.
                return self._problem(request, in_our_terms(error))

        return endpoint

    async def document(self, request: Request) -> Response:
        """A document as a page, or as JSON that equals the answer of the `fetch` tool."""
        name = request.path_params["id"].removesuffix(_JSON_SUFFIX)
        document = await self._registry.fetch(name)
        url = self._registry.url(document.id)
        payload = fetched(document, url, clock=self._clock)
        if _wants_json(request):
            return JSONResponse(payload, headers={**QUIET_HEADERS, **_DATA_HEADERS})
        return self._frame.page(
            "document.html",
            {**_shown(document, payload), "url": url, "path": urlsplit(url).path},
            headers=_DATA_HEADERS,
        )

    async def search(self, request: Request) -> Response:
        question = request.query_params.get("q", "").strip()
        shown = question[:SHOWN_QUESTION_CHARACTERS]
        if not question:
            return self._frame.page("search.html", {"question": "", "results": (), "message": ""})
        answer = await self._registry.search(question)
        results = [self._result(result) for result in answer.results]
        return self._frame.page(
            "search.html", {"question": shown, "results": results, "message": answer.message}
        )

    async def home(self, _: Request) -> Response:
        """What this is and how to connect it, with sample questions that are already answered."""
        answers = await asyncio.gather(*map(self._registry.search, SAMPLE_QUESTIONS))
        samples = [
            {
                "question": Link(question, f"{self._frame.root}/search?q={quote_plus(question)}"),
                "answer": self._result(answer.results[0]) if answer.results else None,
            }
            for question, answer in zip(SAMPLE_QUESTIONS, answers, strict=True)
        ]
        kinds = [
            {"template": source.pattern.template, "description": source.description}
            for source in self._registry.sources
        ]
        is_public = self._public_url.startswith("https://")
        values = {"samples": samples, "kinds": kinds, "is_public": is_public}
        return self._frame.page("home.html", {**values, "public_url": self._public_url})

    def _problem(self, request: Request, error: GatewayError) -> Response:
        status, body, headers = problem(error)
        if _wants_json(request):
            return JSONResponse(dict(body), status, {**QUIET_HEADERS, "vary": "Accept", **headers})
        values = {
            "heading": _HEADINGS.get(status, "Something went wrong"),
            "words": sentence(str(error)),
            "suggestions": [self._suggestion(text) for text in suggested(error)],
            "retry_after_seconds": retry_after_seconds(error),
            "status": status,
        }
        kept = {name: headers[name] for name in ("retry-after",) if name in headers}
        return self._frame.page(
            "problem.html", values, status=status, headers={**_DATA_HEADERS, **kept}
        )

    def _suggestion(self, text: str) -> Link:
        if "{" in text:
            return Link(text)
        try:
            _, document_id = self._registry.find(text)
        except GatewayError:
            return Link(text, f"{self._frame.root}/search?q={quote_plus(text)}")
        return Link(text, urlsplit(self._registry.url(document_id)).path)

    def _result(self, result: Result) -> Mapping[str, str]:
        path = urlsplit(result.url).path
        return {"id": result.id, "title": result.title, "path": path, "text": result.text}


async def robots(_: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n", headers=_FIXED_HEADERS)


async def icon(_: Request) -> Response:
    return Response(ICON, media_type="image/svg+xml", headers=_FIXED_HEADERS)


def _shown(document: Document, payload: Mapping[str, object]) -> Mapping[str, object]:
    return {
        "id": document.id.text,
        "kind": document.id.kind.replace("_", " "),
        "title": payload["title"],
        "summary": document.summary,
        "text": rendered(str(payload["text"])),
        "as_of": rfc3339(document.as_of),
        "as_of_words": _in_words(document.as_of),
        "source": document.source,
        "is_simulated": document.is_simulated,
        "is_stale": document.is_stale,
        "metadata": payload["metadata"],
    }


def _in_words(moment: datetime) -> str:
    """Such as `21 Nov 2026, 12:03:04 UTC`."""
    return f"{moment.astimezone(UTC):%d %b %Y, %H:%M:%S} UTC".removeprefix("0")


def _wants_json(request: Request) -> bool:
    """By the address, or because the client names JSON and does not like HTML as much."""
    if request.url.path.endswith(_JSON_SUFFIX):
        return True
    liked = _liked(request.headers.getlist("accept"))
    return liked.get("application/json", 0) > liked.get("text/html", 0)


def _liked(accept: Sequence[str]) -> Mapping[str, float]:
    """The media types that an Accept header names, with their weights (RFC 9110, 12.5.1)."""
    liked = {}
    for part in ",".join(accept).split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
        liked[media_type] = float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0
    return liked
