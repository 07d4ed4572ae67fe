"""What the gateway refuses under `/v1` is, to the client, the error that it was inside."""

import pytest

from gateway.client.problems import error_of
from gateway.endpoints.openai_problems import openai_problem
from gateway.errors import (
    ContextTooLong,
    GatewayError,
    InvalidSignature,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    Unavailable,
)


@pytest.mark.parametrize(
    "error",
    [
        ContextTooLong("It is too long."),
        Unauthenticated("Who is it?"),
        InvalidSignature("It is signed by nobody."),
        NotFound("There is none."),
        NotFound("There is no such model.", what="model", suggestions=("a/b", "a/c")),
        NotFound("It is no longer kept.", what="previous_response"),
        RateLimited("Retry in 2 s.", retry_after_seconds=2),
        LimitExceeded("Retry in 9 s.", limit="daily", retry_after_seconds=9),
        LimitExceeded("Retry in 3 s.", limit="daily", retry_after_seconds=3, is_only_held=True),
        OutcomeUnknown("It may have happened."),
        Unavailable("Retry in 5 s.", retry_after_seconds=5),
    ],
)
def test_an_error_comes_out_as_it_went_in(error: GatewayError) -> None:
    status, body, headers = openai_problem(error)
    raised = error_of(body, status, headers)
    assert (type(raised), str(raised)) == (type(error), str(error))
    assert vars(raised) == vars(error)


def test_an_error_of_another_class_with_the_same_code_is_none_of_the_clients() -> None:
    class Down(Unavailable):
        def __init__(self, service: str, reason: str) -> None:
            super().__init__(f"{service}: {reason}", retry_after_seconds=5)

    status, body, headers = openai_problem(Down("news", "Retry in 5 s."))
    assert type(error_of(body, status, headers)) is Unavailable
