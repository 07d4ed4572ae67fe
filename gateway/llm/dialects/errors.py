"""A provider's failure in the terms of our one tree of errors."""

import re
from collections.abc import Mapping
from datetime import datetime

from gateway.clock import Clock
from gateway.errors import (
    BadAnswer,
    ContentRefused,
    ContextTooLong,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    KeyRefused,
    NotFound,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.dialects.complaint import Complaint, complaint_of, read_complaint
from gateway.llm.dialects.retry_after import retry_after_seconds, waited_seconds

RATE_LIMITED_SECONDS = 15.0
UNAVAILABLE_SECONDS = 1.0

_PAYMENT = frozenset(
    "insufficient_quota billing_hard_limit_reached billing_not_active billing_error "
    "enforced_spend_limit_reached daily_usd_limit_exceeded insufficient_balance "
    "insufficient_funds payment_required memory_balance_required websearch_balance_required "
    "both_balance_required".split()
)
_PAYMENT_WORDS = re.compile(
    r"insufficient (balance|credit|fund|quota)|credit balance is too low|out of credits"
    r"|exceeded your current quota|key limit exceeded|spend(ing)? limit|more credits",
    re.IGNORECASE,
)
_CONTENT = frozenset(
    "content_filter content_policy_violation responsibleaipolicyviolation refusal moderation "
    "content_management_policy safety".split()
)
_CONTEXT = frozenset("context_length_exceeded context_window_exceeded prompt_too_long".split())
_CONTEXT_WORDS = re.compile(
    r"prompt is too long|context (length|window|limit|size)|maximum context|input is too long"
    r"|input token count|too many (input |prompt )?tokens|exceeds? the (model's )?context"
    r"|maximum prompt length",
    re.IGNORECASE,
)
_MODEL = frozenset(
    "model_not_found model_not_allowed model_not_available no_endpoints model_deprecated "
    "model_unavailable_upstream region_restricted privacy_restricted constraint_filtered "
    "free_variant_ended deploymentnotfound".split()
)


def provider_error(
    status: int, headers: Mapping[str, str], *, body: bytes, who: str, clock: Clock
) -> GatewayError:
    """What an answer with an HTTP status from 400 on means; `who` answered it."""
    complaint = read_complaint(status, body)
    return _error(complaint, who, wait=_wait_seconds(complaint, headers, clock()))


def error_inside(document: object, *, who: str, clock: Clock) -> GatewayError:
    """What an error means that came as JSON behind an HTTP status of 200."""
    complaint = complaint_of(document)
    return _error(complaint, who, wait=_wait_seconds(complaint, {}, clock()))


def _error(complaint: Complaint, who: str, *, wait: float | None) -> GatewayError:
    words = complaint.words or "no reason given"
    message = f"{who} answers {complaint.status}: {words}"
    by_words = _by_words(complaint, message)
    if by_words is not None:
        return by_words
    if complaint.is_retryable and complaint.status != 429:
        return Unavailable(message, retry_after_seconds=_or(wait, UNAVAILABLE_SECONDS))
    return _by_status(complaint, message, wait=wait)


def _by_words(complaint: Complaint, message: str) -> GatewayError | None:
    status, codes, words = complaint.status, complaint.codes, complaint.words
    is_refused = status in (400, 403, 413, 422, 429)
    if status == 402 or codes & _PAYMENT or (is_refused and _PAYMENT_WORDS.search(words)):
        return PaymentRequired(message)
    if codes & _CONTENT:
        return ContentRefused(message)
    # Providers count a request that is too long as a bad one, but never as a rate limit.
    is_bad = status in (400, 413, 422) or (status == 500 and "tokens" in words)
    if codes & _CONTEXT or (is_bad and _CONTEXT_WORDS.search(words)):
        return ContextTooLong(message)
    if codes & _MODEL and not complaint.is_retryable:
        return NotFound(message, what="model")
    return None


def _by_status(complaint: Complaint, message: str, *, wait: float | None) -> GatewayError:
    status = complaint.status
    match status:
        case 401 | 403:
            return KeyRefused(message)
        case 404 | 410:
            return NotFound(message, what="model")
        case 408 | 504 | 524:
            return DeadlineExceeded(message)
        case 429:
            return RateLimited(message, retry_after_seconds=_or(wait, RATE_LIMITED_SECONDS))
        case 409 | 421 | 425:  # a conflict between requests, which passes
            return Unavailable(message, retry_after_seconds=_or(wait, UNAVAILABLE_SECONDS))
    if 400 <= status < 500:
        return InvalidRequest(message)
    if status == 501 or status < 400 or complaint.is_retryable is False:
        return BadAnswer(message)
    return Unavailable(message, retry_after_seconds=_or(wait, UNAVAILABLE_SECONDS))


def _wait_seconds(complaint: Complaint, headers: Mapping[str, str], now: datetime) -> float | None:
    told = retry_after_seconds(headers, now)
    if told is None and complaint.retry_after:
        told = waited_seconds(complaint.retry_after, now)
    if told is None and complaint.headers:
        told = retry_after_seconds(complaint.headers, now)
    return told


def _or(wait: float | None, otherwise: float) -> float:
    return otherwise if wait is None else wait
