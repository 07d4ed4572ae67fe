"""What a provider says went wrong, read from whatever shape it says it in."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.llm.dialects.words import repeatable, words_of_a_page

# Which HTTP status an error inside a stream would have had, by what it is called.
_STATUS = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "billing_error": 402,
    "payment_required": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "not_found": 404,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "capacity_exhausted": 429,
    "overloaded_error": 529,
    "provider_overloaded": 503,
    "temporarily_unavailable": 503,
    "unavailable": 503,
    "provider_unavailable": 502,
}
_MOST_LEVELS = 4


@dataclass(frozen=True, slots=True)
class Complaint:
    """`codes` are all its machine-readable words in lower case; `words` may be repeated."""

    status: int
    words: str
    codes: frozenset[str] = frozenset()
    is_retryable: bool | None = None
    retry_after: str = ""
    headers: Mapping[str, str] | None = None


def read_complaint(status: int, body: bytes) -> Complaint:
    """From the body of an answer with an HTTP status from 400 on."""
    text = body.decode("utf-8", "replace")
    try:
        return complaint_of(json.loads(text), status=status)
    except (ValueError, RecursionError):
        return Complaint(status, repeatable(words_of_a_page(text)))


def complaint_of(document: object, *, status: int = 200) -> Complaint:
    """From JSON: an error envelope of OpenAI, Anthropic, OpenRouter, Google, Ollama or NanoGPT."""
    if isinstance(document, list) and document:  # Google wraps its errors in a list
        document = document[0]
    if not isinstance(document, dict):
        return Complaint(status, repeatable(str(document)))
    error = document.get("error")
    inner = error if isinstance(error, dict) else document
    availability = _mapping(inner.get("availability"))
    codes = frozenset(_codes(document))
    retryable = availability.get("retryable")
    return Complaint(
        status if status >= 400 else _own_status(document, inner, codes),
        repeatable(_words(document, inner)),
        codes,
        retryable if isinstance(retryable, bool) else None,
        _number(availability.get("retry_after")) or _number(inner.get("retry_after")),
        {name: str(value) for name, value in _headers(inner).items()},
    )


def _words(document: dict[str, Any], inner: dict[str, Any]) -> str:
    said = [
        text
        for text in (inner.get("message"), document.get("error"), document.get("detail"))
        if isinstance(text, str) and text
    ]
    words = said[0] if said else json.dumps(document, ensure_ascii=False)
    # OpenRouter's "Provider returned error" says nothing; what that provider said comes behind it.
    raw = _mapping(inner.get("metadata")).get("raw")
    return f"{words}: {raw}" if isinstance(raw, str) and raw else words


def _own_status(document: dict[str, Any], inner: dict[str, Any], codes: frozenset[str]) -> int:
    candidates = (
        *(inner.get(name) for name in ("status", "code", "http_status")),
        *(document.get(name) for name in ("status", "statusCode")),
    )
    for candidate in candidates:
        number = _number(candidate)
        if number.isdecimal() and 400 <= int(number) <= 599:
            return int(number)
    # Of several names the most specific counts, and "invalid request" is the least.
    known = [_STATUS[code] for code in codes if code in _STATUS]
    return max(known, default=500)


def _codes(value: object, level: int = 0) -> Iterator[str]:
    """Every value that is called a code, a type, a reason or a status, at any depth."""
    if not isinstance(value, dict) or level > _MOST_LEVELS:
        return
    for name, inner in value.items():
        if name in ("code", "type", "error_type", "error_code", "reason", "status"):
            if isinstance(inner, str):
                yield inner.lower()
        elif name == "flagged_input":
            yield "moderation"
        yield from _codes(inner, level + 1)


def _headers(inner: dict[str, Any]) -> Mapping[str, Any]:
    """OpenRouter repeats the headers of a rate limit inside the error."""
    return _mapping(_mapping(inner.get("metadata")).get("headers"))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    return str(value)
