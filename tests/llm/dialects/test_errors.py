"""Which of our errors a provider's failure is, and what may be repeated of it."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from gateway.llm.dialects.anthropic import dialect as anthropic
from gateway.llm.dialects.dialect import Dialect
from gateway.llm.dialects.ollama import dialect as ollama
from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.dialects.openai.request import Kind
from gateway.llm.dialects.words import _SECRETS, MOST_CHARACTERS, repeatable, words_of_a_page
from tests.llm.dialects.recordings import NOW

KINDS: tuple[Kind, ...] = ("nanogpt", "openrouter", "openai", "azure", "vertex", "generic")
DIALECTS: Mapping[str, Dialect] = {
    "anthropic": anthropic.Dialect(now=lambda: NOW),
    "ollama": ollama.Dialect(now=lambda: NOW),
    **{kind: openai.Dialect(kind, now=lambda: NOW) for kind in KINDS},
}


def error(
    who: str, status: int, body: object, headers: Mapping[str, str] | None = None
) -> GatewayError:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DIALECTS[who].error(status, headers or {}, written)


def said(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def anthropic_said(kind: str, message: str = "no", **fields: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **fields}}


@pytest.mark.parametrize(
    ("who", "status", "body", "kind"),
    [
        ("openai", 400, said("Unknown parameter: 'x'", code="unknown_parameter"), InvalidRequest),
        ("openai", 400, said("Too long", code="context_length_exceeded"), ContextTooLong),
        ("openai", 401, said("No", code="invalid_api_key"), KeyRefused),
        ("openai", 403, said("Project lacks access", type="permission_error"), KeyRefused),
        ("openai", 404, said("No such model", code="model_not_found"), NotFound),
        ("openai", 409, said("Conflict"), Unavailable),
        ("openai", 413, said("Too large"), InvalidRequest),
        ("openai", 429, said("Slow down", code="rate_limit_exceeded"), RateLimited),
        ("openai", 429, said("You exceeded it", code="insufficient_quota"), PaymentRequired),
        ("openai", 500, said("The server had an error", type="server_error"), Unavailable),
        ("openai", 501, said("Not implemented"), BadAnswer),
        ("azure", 400, said("Filtered", code="content_filter"), ContentRefused),
        ("azure", 404, said("None", code="DeploymentNotFound"), NotFound),
        ("anthropic", 400, anthropic_said("invalid_request_error"), InvalidRequest),
        (
            "anthropic",
            400,
            anthropic_said("invalid_request_error", "prompt is too long: 210000 tokens > 200000"),
            ContextTooLong,
        ),
        (
            "anthropic",
            400,
            anthropic_said("invalid_request_error", "Your credit balance is too low to access it"),
            PaymentRequired,
        ),
        ("anthropic", 401, anthropic_said("authentication_error"), KeyRefused),
        ("anthropic", 402, anthropic_said("billing_error"), PaymentRequired),
        ("anthropic", 403, anthropic_said("permission_error"), KeyRefused),
        ("anthropic", 404, anthropic_said("not_found_error"), NotFound),
        ("anthropic", 413, anthropic_said("request_too_large"), InvalidRequest),
        ("anthropic", 429, anthropic_said("rate_limit_error"), RateLimited),
        (
            "anthropic",
            429,
            anthropic_said(
                "rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}
            ),
            PaymentRequired,
        ),
        ("anthropic", 504, anthropic_said("timeout_error"), DeadlineExceeded),
        ("anthropic", 529, anthropic_said("overloaded_error"), Unavailable),
        ("nanogpt", 400, said("x", code="invalid_parameter_value"), InvalidRequest),
        ("nanogpt", 400, said("x", code="tool_choice_unsupported"), InvalidRequest),
        ("nanogpt", 400, said("x", code="content_policy_violation"), ContentRefused),
        ("nanogpt", 402, {"error": "Insufficient balance", "status": 402}, PaymentRequired),
        ("nanogpt", 402, said("x", code="both_balance_required"), PaymentRequired),
        ("nanogpt", 402, {"payment": {"paymentId": "p"}}, PaymentRequired),
        ("nanogpt", 403, said("x", code="model_not_allowed"), NotFound),
        ("nanogpt", 408, {"error": "timeout"}, DeadlineExceeded),
        ("nanogpt", 429, said("x", code="daily_rpd_limit_exceeded"), RateLimited),
        ("nanogpt", 429, said("x", code="daily_usd_limit_exceeded"), PaymentRequired),
        ("nanogpt", 500, said("x", code="empty_response"), Unavailable),
        ("nanogpt", 503, said("x", code="all_fallbacks_failed"), Unavailable),
        ("openrouter", 402, said("Insufficient credits", code=402), PaymentRequired),
        ("openrouter", 403, said("Key limit exceeded (total limit)", code=403), PaymentRequired),
        (
            "openrouter",
            403,
            said("Flagged", code=403, metadata={"reasons": ["x"], "flagged_input": "…"}),
            ContentRefused,
        ),
        (
            "openrouter",
            403,
            said("x", availability={"code": "region_restricted", "retryable": False}),
            NotFound,
        ),
        (
            "openrouter",
            404,
            said("x", availability={"code": "no_endpoints", "retryable": False}),
            NotFound,
        ),
        (
            "openrouter",
            429,
            said("x", availability={"code": "capacity_exhausted", "retryable": True}),
            RateLimited,
        ),
        (
            "openrouter",
            404,
            said("x", availability={"code": "model_unavailable_upstream", "retryable": True}),
            Unavailable,
        ),
        ("openrouter", 503, said("x", availability={"retryable": False}), BadAnswer),
        ("openrouter", 400, said("x", metadata={"error_type": "refusal"}), ContentRefused),
        ("openrouter", 502, said("x", error_type="provider_unavailable"), Unavailable),
        ("vertex", 400, [said("bad", code=400, status="INVALID_ARGUMENT")], InvalidRequest),
        (
            "vertex",
            400,
            [said("The input token count (2) exceeds the maximum number of tokens allowed (1).")],
            ContextTooLong,
        ),
        ("vertex", 429, [said("x", code=429, status="RESOURCE_EXHAUSTED")], RateLimited),
        ("ollama", 404, {"error": "model 'x' not found"}, NotFound),
        ("ollama", 400, {"error": '"x" does not support tools'}, InvalidRequest),
        ("ollama", 500, {"error": "model runner has unexpectedly stopped"}, Unavailable),
        ("generic", 422, {"detail": [{"msg": "field required"}]}, InvalidRequest),
        ("generic", 524, b"error code: 524", DeadlineExceeded),
        ("generic", 302, b"", BadAnswer),
        ("generic", 502, b"<html><head><title>502 Bad Gateway</title></head>", Unavailable),
    ],
)
def test_a_failure_is_one_of_our_errors(
    who: str, status: int, body: object, kind: type[GatewayError]
) -> None:
    assert type(error(who, status, body)) is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 15),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Fri, 21 Nov 2025 04:41:00 GMT"}, 60),
        ({"retry-after": "Fri, 21 Nov 2025 04:39:00 GMT"}, 0),
        ({"retry-after": "-5"}, 15),
        ({"retry-after": "soon"}, 15),
        ({"retry-after": "9" * 400}, 31 * 24 * 3600),
        ({"x-ratelimit-reset": "42"}, 42),
        ({"X-RateLimit-Reset": "1763700030000"}, 30),
        ({"X-RateLimit-Reset": "1763700020"}, 20),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-reset-tokens": "12ms"}, 360),
        (
            {
                "x-ratelimit-remaining-requests": "99",
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1s500ms",
            },
            1.5,
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2025-11-21T04:40:25Z",
                "anthropic-ratelimit-tokens-remaining": "50000",
                "anthropic-ratelimit-tokens-reset": "2025-11-21T04:41:25Z",
            },
            25,
        ),
    ],
)
def test_a_rate_limit_says_when_to_come_back(headers: Mapping[str, str], seconds: float) -> None:
    limited = error("generic", 429, said("Slow down"), headers)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "inside",
    [
        {"availability": {"retryable": True, "retry_after": 30}},
        {"metadata": {"headers": {"X-RateLimit-Reset": "1763700030000"}}},
    ],
)
def test_openrouter_may_say_inside_the_error_when_to_come_back(inside: dict[str, Any]) -> None:
    limited = error("openrouter", 429, said("Slow down", **inside))
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_seconds == pytest.approx(30)


def test_what_is_down_may_say_when_it_is_back() -> None:
    down = error("anthropic", 529, anthropic_said("overloaded_error"), {"retry-after": "20"})
    assert isinstance(down, Unavailable)
    assert down.retry_after_seconds == 20
    silent = error("anthropic", 529, anthropic_said("overloaded_error"))
    assert isinstance(silent, Unavailable)
    assert silent.retry_after_seconds == 1


def test_the_message_has_the_provider_s_own_words() -> None:
    assert str(error("openai", 400, said("Unknown parameter: 'x'"))) == (
        "OpenAI answers 400: Unknown parameter: 'x'"
    )
    hidden = said("Provider returned error", metadata={"raw": "the upstream's own words"})
    assert str(error("openrouter", 502, hidden)).endswith("error: the upstream's own words")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b"<!DOCTYPE html><title>\n 502 Bad\n Gateway</title><script>x</script>",
            "502 Bad Gateway",
        ),
        (b"<html><body><script>alert()</script><h1>Too busy</h1></body>", "Too busy"),
        (b"upstream connect error", "upstream connect error"),
        (b"\xff\xfe broken", "broken"),
        (b"", "no reason given"),
        (b"null", "None"),
        (b"[]", "[]"),
        (b'{"error": null}', '{"error": null}'),
        (b"{" * 5000, "{"),
        (b"[" * 100_000, "["),
    ],
)
def test_a_body_of_any_kind_is_read(body: bytes, words: str) -> None:
    assert words in str(error("generic", 503, body))


@settings(deadline=None)
@given(body=st.binary(max_size=60), status=st.integers(300, 599))
def test_every_body_is_some_error(body: bytes, status: int) -> None:
    for who in DIALECTS:
        assert isinstance(error(who, status, body), GatewayError)


def test_a_long_or_hidden_text_is_shortened_and_shown_in_one_line() -> None:
    message = str(error("generic", 500, said("a\u202eb\n" * 10_000)))
    assert len(message) < 350
    assert message.startswith("the provider answers 500: ab ab")


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcDEF123456",
        "sk-nano-9f8b7c6d-1234-4abc-8def-0123456789ab",
        "9f8b7c6d-1234-4abc-8def-0123456789ab",
        "sk-ant-api03-Zz_9-Zz",
        "sk-or-v1-0123456789abcdef0123456789abcdef",
        "AIzaSyA1234567890abcdefghijk_lmnop-qrstu",
        "ya29.a0AfH6SMBx-yz",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "0123456789abcdef0123456789abcdef",
        "Bearer abc.def",
        "sk-proj-********wxyz",
        "abcd********wxyz",
        "1e8dkR7yQ2mP5vX9cB3nJ6wL0sT4gH8f",
    ],
)
@pytest.mark.parametrize(
    "around", ["Incorrect API key provided: {}.", '"{}" is no key', "key={}&x=1"]
)
def test_nothing_like_a_key_is_repeated(key: str, around: str) -> None:
    words = str(error("generic", 401, said(around.format(key))))
    assert key not in words
    assert not any(piece in words for piece in key.removeprefix("Bearer ").split("*") if piece)
    assert "[masked]" in words


@pytest.mark.parametrize("key", ["correct-horse-battery-staple", "my+own/secret=="])
def test_no_part_of_a_key_is_left_where_words_are_cut(key: str) -> None:
    """A whole one is known to whoever sent it, and taken out there."""
    for before in range(MOST_CHARACTERS):
        words = repeatable(f"{'x ' * (before // 2)}{'y ' * (before % 2)}{key} {'z ' * 200}")
        assert key in words or key[:4] not in words
    assert key[:4] not in repeatable(f"No:{' ' * 19_990}{key} is no key")


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5-20250929",
        "accounts/fireworks/models/llama-v3p1-405b-instruct",
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
        "gpt-6-sol-2026-09-22",
        "invalid_request_error",
        "max_completion_tokens",
    ],
)
def test_names_of_models_and_fields_are_no_keys(name: str) -> None:
    assert repeatable(f"no {name} here") == f"no {name} here"


@pytest.mark.parametrize(
    "piece", ["a", "a-", "ab_", "1a_", "key=", "sk-", "*", "**a", "0a1b2c3d-", "é"]
)
@pytest.mark.parametrize("secret", _SECRETS, ids=lambda one: one.pattern[:20])
def test_no_sign_of_a_secret_takes_long_to_look_for(secret: re.Pattern[str], piece: str) -> None:
    text = piece * (20_000 // len(piece))
    began = time.process_time()
    secret.sub("[masked]", text)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("piece", ["<script", "<title", "<style>", "<title>", "<"])
def test_a_page_that_never_closes_what_it_opens_is_read_at_once(piece: str) -> None:
    began = time.process_time()
    words_of_a_page("<html>" + piece * (20_000 // len(piece)))
    assert time.process_time() - began < 1


def test_what_was_masked_in_part_is_masked_whole() -> None:
    said = repeatable("the keys sk_live_51***, ***abcd, x-••••-9 and a_b***c***d are wrong")
    assert said == "the keys [masked], [masked], [masked] and [masked][masked] are wrong"
