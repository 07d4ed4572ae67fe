"""The one place that turns an error into a wire answer, in the manner of RFC 9457."""

import logging
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from gateway.errors import GatewayError
from gateway.text import displayable

logger = logging.getLogger(__name__)

_SAYS_WHEN = re.compile(r"\b(retry|try again|come back) (in|after)\b", re.IGNORECASE)


class Problem(NamedTuple):
    """What goes out: the HTTP status, the JSON object and the headers that belong to it."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


def problem(error: GatewayError) -> Problem:
    body: dict[str, Any] = {
        "type": f"urn:gateway:problem:{error.code}",
        "code": error.code,
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": displayable(str(error)),
    }
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    if suggestions := suggested(error):
        body["suggestions"] = list(suggestions)
    if (seconds := retry_after_seconds(error)) is not None:
        body["retry_after_seconds"] = seconds
        headers["retry-after"] = str(seconds)
    return Problem(error.status, body, headers)


def plain_words(error: GatewayError) -> str:
    """The error for a reader: what was wrong, what was perhaps meant, when to come back."""
    sentences = [sentence(str(error))]
    if suggestions := suggested(error):
        sentences.append(f"Did you mean: {', '.join(suggestions)}?")
    seconds = retry_after_seconds(error)
    if seconds is not None and not _SAYS_WHEN.search(str(error)):
        sentences.append(f"Retry in {seconds} s.")
    # It may repeat what a caller sent, such as half a surrogate, which nothing could send back.
    return displayable(" ".join(sentences))


def in_our_terms(error: Exception) -> GatewayError:
    """Our own errors as they are; of any other, only a reference that finds it in the log."""
    if isinstance(error, GatewayError) and error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return error
    reference = secrets.token_hex(4)
    logger.exception("unexpected reference=%s", reference, exc_info=error)
    told = GatewayError(
        f"something went wrong inside the gateway; its log tells more under {reference}"
    )
    told.is_repeatable = getattr(error, "is_repeatable", True)
    return told


def suggested(error: GatewayError) -> Sequence[str]:
    return tuple(getattr(error, "suggestions", ()))


def retry_after_seconds(error: GatewayError) -> int | None:
    """Whole seconds, rounded up, so that nobody comes back too early."""
    seconds = getattr(error, "retry_after_seconds", None)
    return None if seconds is None else max(1, math.ceil(seconds))


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
