from typing import Any

import pytest

from gateway.endpoints.anthropic_problems import anthropic_problem
from gateway.endpoints.openai_problems import openai_problem
from gateway.errors import (
    BadAnswer,
    ConfigurationError,
    ContentRefused,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    InvalidSignature,
    KeyRefused,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    PaymentRequired,
    PermissionDenied,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (InvalidRequest("x"), 400, "invalid_request_error", "invalid_request"),
        (ContextTooLong("x"), 400, "invalid_request_error", "context_length_exceeded"),
        (ContentRefused("x"), 400, "invalid_request_error", "content_filter"),
        (Unauthenticated("x"), 401, "authentication_error", "invalid_api_key"),
        (PaymentRequired("x"), 402, "insufficient_quota", "payment_required"),
        (PermissionDenied("x"), 403, "permission_error", "permission_denied"),
        (InvalidSignature("x"), 401, "authentication_error", "invalid_signature"),
        (NotFound("x"), 404, "invalid_request_error", "not_found"),
        (NotFound("x", what="model"), 404, "invalid_request_error", "model_not_found"),
        (NotFound("x", what="task"), 404, "invalid_request_error", "task_not_found"),
        (Refused("x"), 409, "invalid_request_error", "failed_precondition"),
        (
            RateLimited("x", retry_after_seconds=1),
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
        ),
        (
            LimitExceeded("x", limit="daily", retry_after_seconds=9),
            429,
            "insufficient_quota",
            "limit_exceeded",
        ),
        (
            LimitExceeded("x", limit="daily", retry_after_seconds=3, is_only_held=True),
            429,
            "rate_limit_error",
            "limit_exceeded",
        ),
        (BadAnswer("x"), 502, "server_error", "bad_answer"),
        (KeyRefused("x"), 502, "server_error", "provider_key_refused"),
        (Unavailable("x", retry_after_seconds=1), 503, "server_error", "unavailable"),
        (DeadlineExceeded("x"), 504, "server_error", "deadline_exceeded"),
    ],
)
def test_every_error_has_openais_shape_and_words(
    error: Exception, status: int, kind: str, code: str
) -> None:
    answered = openai_problem(error)
    fields: Any = answered.body["error"]
    assert (answered.status, fields["type"], fields["code"]) == (status, kind, code)
    assert fields["message"].startswith("x.")
    assert "param" in fields


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (LimitExceeded("x", limit="daily", retry_after_seconds=9), True),
        (LimitExceeded("x", limit="daily", retry_after_seconds=3, is_only_held=True), False),
        (PaymentRequired("x"), True),
        (KeyRefused("x"), True),
        (OutcomeUnknown("x"), True),
        (Refused("x"), True),
        (RateLimited("x", retry_after_seconds=9), False),
        (Unavailable("x", retry_after_seconds=9), False),
        (BadAnswer("x"), False),
    ],
)
def test_clients_are_told_not_to_retry_what_a_retry_cannot_mend(
    error: Exception, is_final: bool
) -> None:
    headers = openai_problem(error).headers
    assert headers.get("x-should-retry") == ("false" if is_final else None)


@pytest.mark.parametrize("error", [Unavailable("x", retry_after_seconds=1), KeyError("x")])
def test_clients_are_told_not_to_retry_what_would_write_twice(error: Exception) -> None:
    problems = (openai_problem, anthropic_problem)
    assert all("x-should-retry" not in tell(error).headers for tell in problems)
    vars(error)["is_repeatable"] = False
    assert all(tell(error).headers["x-should-retry"] == "false" for tell in problems)


def test_when_to_come_back_is_told_in_whole_seconds_and_exactly() -> None:
    headers = openai_problem(RateLimited("x", retry_after_seconds=0.25)).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "250")
    assert "retry-after" not in openai_problem(BadAnswer("x")).headers


def test_an_error_says_which_route_tells_more() -> None:
    error = Unavailable("x", retry_after_seconds=1)
    assert "x-gateway-route-id" not in openai_problem(error).headers
    error.route_id = "r1"
    assert openai_problem(error).headers["x-gateway-route-id"] == "r1"
    assert anthropic_problem(error).headers["x-gateway-route-id"] == "r1"


def test_the_message_alone_is_enough_to_mend_a_request() -> None:
    error = NotFound("there is no model 'gpt-7'", what="model", suggestions=["openai/gpt-6"])
    fields = openai_problem(error).body["error"]
    assert fields["message"] == "there is no model 'gpt-7'. Did you mean: openai/gpt-6?"
    assert (fields["param"], fields["suggestions"]) == ("model", ["openai/gpt-6"])


@pytest.mark.parametrize("error", [KeyError("secret"), ConfigurationError("secret")])
def test_what_nobody_expected_is_only_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    answered = openai_problem(error)
    assert (answered.status, answered.body["error"]["code"]) == (500, "internal")
    assert "secret" not in str(answered)
    assert "secret" in caplog.text
