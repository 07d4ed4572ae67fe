import pytest

from gateway.endpoints.problems import in_our_terms, plain_words, problem
from gateway.errors import (
    ConfigurationError,
    GatewayError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
)


def test_a_problem_carries_all_that_the_error_knows() -> None:
    status, body, headers = problem(NotFound("no 'BTCUSD'", suggestions=["ticker:BTCUSDT"]))
    assert (status, headers["content-type"]) == (404, "application/problem+json")
    assert body == {
        "type": "urn:gateway:problem:not_found",
        "code": "not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "no 'BTCUSD'",
        "suggestions": ["ticker:BTCUSDT"],
    }


def test_nobody_is_told_to_come_back_too_early() -> None:
    _, body, headers = problem(Unavailable("it restarts", retry_after_seconds=2.1))
    assert (body["retry_after_seconds"], headers["retry-after"]) == (3, "3")
    _, body, headers = problem(Unavailable("it restarts", retry_after_seconds=0))
    assert (body["retry_after_seconds"], headers["retry-after"]) == (1, "1")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidRequest("'x' is not an ID"), "'x' is not an ID."),
        (InvalidRequest("What is 'x'?"), "What is 'x'?"),
        (NotFound("no 'x'", suggestions=["y", "z"]), "no 'x'. Did you mean: y, z?"),
        (RateLimited("too many", retry_after_seconds=6.2), "too many. Retry in 7 s."),
        (Unavailable("down; retry in 5 s", retry_after_seconds=5), "down; retry in 5 s."),
        (Unavailable("down, try again in 5 s.", retry_after_seconds=5), "down, try again in 5 s."),
    ],
)
def test_plain_words_say_what_to_do_next_once(error: GatewayError, words: str) -> None:
    assert plain_words(error) == words


def test_what_cannot_be_sent_or_would_hide_the_rest_is_not_repeated() -> None:
    error = NotFound("no '\ud800x\u202e\x00'")
    assert plain_words(error) == problem(error).body["detail"] + "." == "no 'x'."


def test_our_own_errors_stay_as_they_are() -> None:
    error = NotFound("no 'x'")
    assert in_our_terms(error) is error


@pytest.mark.parametrize("error", [KeyError("secret"), ConfigurationError("secret")])
def test_what_nobody_expected_is_only_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    told = in_our_terms(error)
    assert (told.code, told.status) == ("internal", 500)
    assert "secret" not in str(told)
    assert "secret" in caplog.text
    reference = str(told).rpartition(" ")[2]
    assert f"reference={reference}" in caplog.text
