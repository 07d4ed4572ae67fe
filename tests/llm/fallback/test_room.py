"""What providers say of a request that is too long, and what is made of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ContextTooLong
from gateway.llm.fallback.room import MOST_RATIO, Said, corrected, read_refusal, scaled
from gateway.llm.features import Features, Needs
from tests.llm.lineups import free

SIZES = st.integers(0, 3_000_000)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "openai answers 400: This model's maximum context length is 8192 tokens. However, your "
            "messages resulted in 9321 tokens. Please reduce the length of the messages.",
            Said(8_192, 9_321),
        ),
        (
            "openrouter answers 400: This endpoint's maximum context length is 32768 tokens. "
            "However, you requested about 40015 tokens (39015 of text input, 1000 in the output).",
            Said(32_768, 40_015),
        ),
        (
            "anthropic answers 400: prompt is too long: 212345 tokens > 200000 maximum",
            Said(200_000, 212_345),
        ),
        (
            "vertex answers 400: The input token count (1,234,567) exceeds the maximum number of "
            "tokens allowed (1,048,576).",
            Said(1_048_576, 1_234_567),
        ),
        (
            "grok answers 400: This model's maximum prompt length is 131072 but the request "
            "contains 156789 tokens.",
            Said(131_072, 156_789),
        ),
        (
            "llama answers 400: request (5000 tokens) exceeds the available context size (4096 "
            "tokens), try increasing it",
            Said(4_096, 5_000),
        ),
        (
            "anthropic answers 400: input length and `max_tokens` exceed context limit: "
            "190000 + 20000 > 200000, decrease input length",
            Said(200_000, None),
        ),
        ("x answers 400: This model's maximum context length is 8192 tokens.", Said(8_192)),
        ("x answers 400: the input is too long for this model", Said()),
        ("x answers 400: maximum context length is 8192; request 99999999999999", Said(8_192)),
    ],
)
def test_the_counts_in_a_refusal_are_read(message: str, said: Said) -> None:
    assert read_refusal(message) == said


@given(st.text())
def test_any_words_can_be_read(message: str) -> None:
    said = read_refusal(message)
    assert said.needed is None or (said.holds is not None and said.needed > said.holds)


@given(SIZES, SIZES, SIZES, st.integers(1, 2_000_000))
def test_a_corrected_request_never_needs_less_and_fits_no_model_that_refused_it(
    input_tokens: int, output_tokens: int, needed: int, holds: int
) -> None:
    before = Features(
        input_tokens=input_tokens,
        most_input_tokens=input_tokens * 2,
        needs=Needs(context_tokens=input_tokens + output_tokens),
    )
    words = f"prompt is too long: {needed} tokens > {holds} maximum"
    one = free("a/one", context_tokens=holds)
    after = corrected(before, one, ContextTooLong(words))
    assert after.needs.context_tokens > holds
    assert after.needs.context_tokens >= before.needs.context_tokens
    assert after.input_tokens >= before.input_tokens
    assert after.most_input_tokens >= max(before.most_input_tokens, after.input_tokens)


def test_without_counts_a_model_that_refused_is_taken_at_its_catalog_s_word() -> None:
    before = Features(input_tokens=100, needs=Needs(context_tokens=356))
    one = free("a/one", context_tokens=32_000)
    after = corrected(before, one, ContextTooLong("the input is too long"))
    assert after.needs.context_tokens == 32_001
    unknown = free("a/two", context_tokens=None)
    assert corrected(before, unknown, ContextTooLong("no")).needs.context_tokens == 8_001


@given(SIZES, st.floats(0, 100))
def test_another_wording_is_scaled_within_what_a_guess_may_miss(count: int, ratio: float) -> None:
    before = Features(input_tokens=count, needs=Needs(context_tokens=count + 256))
    after = scaled(before, ratio)
    assert count <= after.input_tokens <= count * MOST_RATIO
    assert after.needs.context_tokens - after.input_tokens == 256


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 8192 tokens (request id 20261121).",
        "maximum context length is 8192 tokens; you requested 49000000 tokens",
    ],
)
def test_a_count_that_a_guess_could_not_miss_by_so_much_is_not_believed(words: str) -> None:
    before = Features(input_tokens=100, needs=Needs(context_tokens=356))
    after = corrected(before, free("a/one", context_tokens=32_000), ContextTooLong(words))
    assert after.needs.context_tokens == 8_193


def test_a_count_that_may_be_true_is_believed() -> None:
    before = Features(input_tokens=9_000, needs=Needs(context_tokens=9_256))
    words = "prompt is too long: 30000 tokens > 8192 maximum"
    after = corrected(before, free("a/one"), ContextTooLong(words))
    assert after.needs.context_tokens == 30_000
