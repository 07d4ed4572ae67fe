"""What each recorded stream says, however its bytes were cut."""

import dataclasses
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from gateway.errors import (
    BadAnswer,
    ContentRefused,
    GatewayError,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.dialects.anthropic.blocks import FORMAT, VERBATIM
from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.dialects.openai.request import Kind
from gateway.llm.messages import Chunk, Message, Reasoning, Usage
from tests.llm.dialects.recordings import FILES, decoded, dialect_of, gathered, recorded

PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome"}'
FAILS: Mapping[str, tuple[type[GatewayError], str, str]] = {
    "nanogpt_error_midstream": (Unavailable, "Once upon", "All fallback models failed"),
    "nanogpt_error_in_a_string": (PaymentRequired, "", "Insufficient balance"),
    "openrouter_error_midstream": (Unavailable, "Half", "Provider disconnected"),
    "openrouter_error_inside_200": (RateLimited, "", "temporarily rate-limited upstream"),
    "openai_cut_off": (BadAnswer, "The answer is", "broke off"),
    "azure_refused": (ContentRefused, "", "content management policy"),
    "anthropic_overloaded": (Unavailable, "It was", "Overloaded"),
    "anthropic_cut_off": (BadAnswer, "", "broke off"),
    "ollama_error_midstream": (Unavailable, "The", "unexpected EOF"),
    "ollama_cut_off": (BadAnswer, "The", "broke off"),
}
WHOLE = [name for name in FILES if name not in FAILS]


def message(name: str, *, size: int | None = None) -> Message:
    (answer,) = gathered(name, size=size).answers
    return answer.message


def usage(name: str) -> Usage:
    found = gathered(name).usage
    assert found
    return found


def without_new_ids(chunk: Chunk) -> Chunk:
    calls = tuple(dataclasses.replace(call, id=call.id and "id") for call in chunk.tool_calls)
    return dataclasses.replace(chunk, tool_calls=calls)


def heard(name: str, size: int | None = None) -> tuple[list[Chunk], str]:
    chunks = []
    try:
        for chunk in decoded(dialect_of(name), recorded(name), size=size):
            chunks.append(without_new_ids(chunk))  # noqa: PERF401 - what came first counts
    except GatewayError as error:
        return chunks, repr(error)
    return chunks, ""


@pytest.mark.parametrize("name", FILES)
def test_a_stream_says_the_same_however_its_bytes_are_cut(name: str) -> None:
    whole = heard(name)
    for size in (1, 2, 3, 7, 64, 1000):
        assert heard(name, size) == whole


@pytest.mark.parametrize("name", FILES)
def test_a_stream_says_the_same_when_cut_once_at_any_byte(name: str) -> None:
    data, whole = recorded(name), heard(name)[0]
    for at in range(0, len(data), 1 if len(data) < 1500 else 5):
        decoder = dialect_of(name).decoder()
        chunks: list[Chunk] = []
        try:
            for piece in (data[:at], data[at:]):
                chunks += decoder.feed(piece)
            chunks += decoder.end()
        except GatewayError:
            assert name in FAILS
        assert [without_new_ids(chunk) for chunk in chunks] == whole


@pytest.mark.parametrize("name", FAILS)
@pytest.mark.parametrize("size", [1, 7, None])
def test_what_was_said_comes_before_the_error(name: str, size: int | None) -> None:
    kind, said, reason = FAILS[name]
    with pytest.raises(kind, match=reason) as failed:
        list(decoded(dialect_of(name), recorded(name), size=size))
    assert failed.type is kind
    chunks, _ = heard(name, size)
    assert "".join(chunk.text for chunk in chunks) == said
    assert not any(chunk.finish_reason for chunk in chunks)


@pytest.mark.parametrize("name", FAILS)
def test_an_error_is_raised_again_by_whatever_is_called_next(name: str) -> None:
    decoder = dialect_of(name).decoder()
    with suppress(GatewayError):
        decoder.feed(recorded(name))
    for _ in range(2):
        with pytest.raises(FAILS[name][0]):
            decoder.end()


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer_has_exactly_one_finish_for_each_choice(name: str) -> None:
    chunks, _ = heard(name)
    finished = [chunk.choice for chunk in chunks if chunk.finish_reason]
    assert sorted(finished) == sorted({chunk.choice for chunk in chunks})


@pytest.mark.parametrize("name", WHOLE)
def test_calls_are_numbered_in_order_and_named_once(name: str) -> None:
    deltas = [delta for chunk in heard(name)[0] for delta in chunk.tool_calls]
    begun = [delta.index for delta in deltas if delta.id]
    assert begun == list(range(len(begun)))
    assert [delta.index for delta in deltas if delta.name] == begun


@pytest.mark.parametrize("name", WHOLE)
def test_reading_can_stop_at_the_end_marker(name: str) -> None:
    decoder = dialect_of(name).decoder()
    decoder.feed(recorded(name))
    has_marker = not name.startswith(("vertex", "generic_calls_without", "generic_no_stream"))
    assert decoder.is_done is has_marker
    decoder.end()


@pytest.mark.parametrize(
    ("name", "text", "finish"),
    [
        ("nanogpt_usage_on_finish", "Grüß Gott 👋🏽", "stop"),
        ("nanogpt_subscription", "Yes.", "stop"),
        ("nanogpt_halves_of_characters", "one 👋 two \ufffd", "stop"),
        ("openrouter_comments_and_cost", "42", "stop"),
        ("openrouter_reasoning_details", "Done.", "stop"),
        ("openai_usage_last", "Hello there", "stop"),
        ("azure_filter_results_first", "Sure", "stop"),
        ("generic_no_stream_at_all", "All at once.", "stop"),
        ("lmstudio_with_crlf", "Hi 你好", "stop"),
        ("anthropic_text", "Grüße 🌍!", "stop"),
        ("anthropic_thinking_and_tools", "Let me look.", "tool_calls"),
        ("anthropic_web_search", "I search. Twice a day.", "length"),
        ("ollama_thinking_and_tools", "Prüfe 🌦", "tool_calls"),
        ("ollama_cached_prompt", "Cut off", "length"),
        ("openai_interleaved_tools", "", "tool_calls"),
        ("generic_all_calls_with_index_0", "", "tool_calls"),
        ("vertex_thought_signature", "", "tool_calls"),
    ],
)
def test_the_text_and_the_reason_to_end_are_those_of_the_stream(
    name: str, text: str, finish: str
) -> None:
    (answer,) = gathered(name, size=5).answers
    assert (answer.message.text, answer.finish_reason) == (text, finish)


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        (
            "openai_interleaved_tools",
            [("weather", PARIS), ("weather", ROME), ("patch", "*** Begin")],
        ),
        (
            "generic_all_calls_with_index_0",
            [("weather", PARIS), ("weather", ROME), ("now", "{}")],
        ),
        ("generic_calls_without_ids", [("weather", PARIS), ("weather", ROME), ("now", "{}")]),
        ("generic_new_id_for_every_piece", [("weather", '{"city": "Paris"}')]),
        ("vertex_thought_signature", [("weather", PARIS), ("weather", ROME)]),
        ("anthropic_thinking_and_tools", [("weather", '{"city": "Paris"}'), ("now", "{}")]),
        (
            "ollama_thinking_and_tools",
            [("weather", '{"city": "Zürich"}'), ("weather", '{"city": "Rome"}'), ("now", "{}")],
        ),
    ],
)
def test_each_tool_call_has_its_own_arguments(name: str, calls: list[tuple[str, str]]) -> None:
    found = message(name, size=11).tool_calls
    assert [(call.name, call.arguments) for call in found] == calls
    assert len({call.id for call in found}) == len(calls)


def test_ids_of_the_provider_stay_and_missing_ones_are_made_up() -> None:
    named = message("openai_interleaved_tools").tool_calls
    assert [call.id for call in named] == ["call_a", "call_b", "call_c"]
    assert [dict(call.extra) for call in named] == [{}, {}, {"type": "custom"}]
    assert all(
        call.id.startswith("call_") for call in message("ollama_thinking_and_tools").tool_calls
    )


def test_nanogpt_tells_what_was_billed_from_what_a_call_is_worth() -> None:
    paid = usage("nanogpt_usage_on_finish")
    assert (paid.billed_usd, paid.payment_source) == ("0.000169", "USD")
    assert (paid.input_tokens, paid.output_tokens, paid.reasoning_tokens) == (123, 20, 12)
    assert (paid.cached_tokens, paid.cache_write_tokens) == (100, 23)
    covered = usage("nanogpt_subscription")
    assert (covered.billed_usd, covered.list_usd) == ("0", "0.00000425")
    assert covered.payment_source == "subscription"


def test_openrouter_bills_its_cost_and_beside_a_key_of_ones_own_its_provider_too() -> None:
    paid = usage("openrouter_comments_and_cost")
    assert (paid.billed_usd, paid.cached_tokens, paid.cache_write_tokens) == ("0.0000012", 4, 2)
    assert paid.extra == {"prompt_tokens_details": {"audio_tokens": 0}}
    own_key = usage("openrouter_own_key")
    assert (own_key.billed_usd, own_key.payment_source) == ("0.00000155", "byok")


def test_openai_sends_its_usage_behind_the_answer() -> None:
    found = gathered("openai_usage_last")
    assert found.usage == Usage(
        19,
        10,
        8,
        5,
        6,
        extra={
            "prompt_tokens_details": {"audio_tokens": 0},
            "completion_tokens_details": {
                "audio_tokens": 0,
                "accepted_prediction_tokens": 2,
                "rejected_prediction_tokens": 0,
            },
        },
    )
    assert found.frame == {"system_fingerprint": "fp_1", "service_tier": "default"}
    assert found.model == "gpt-6-sol-2026-09-22"
    (answer,) = found.answers
    assert answer.logprobs
    assert [one["token"] for one in answer.logprobs["content"]] == ["Hello", " there"]


def test_anthropic_counts_cached_input_beside_the_rest() -> None:
    found = usage("anthropic_text")
    assert (found.input_tokens, found.cached_tokens, found.cache_write_tokens) == (1125, 1000, 100)
    assert (found.output_tokens, found.reasoning_tokens) == (15, 4)
    assert found.extra["cache_creation"]["ephemeral_5m_input_tokens"] == 100


def test_the_input_of_an_answer_that_breaks_off_is_known() -> None:
    chunks, error = heard("anthropic_overloaded")
    assert "Overloaded" in error
    assert chunks[-1].usage == Usage(input_tokens=25, output_tokens=1)


def test_ollama_may_not_know_what_a_cached_prompt_had() -> None:
    assert usage("ollama_cached_prompt").input_tokens == 0
    assert usage("ollama_cached_prompt").output_tokens == 2
    counted = usage("ollama_thinking_and_tools")
    assert (counted.input_tokens, counted.output_tokens) == (26, 282)
    assert counted.extra["load_duration"] == 1334875


def test_two_choices_are_kept_apart() -> None:
    first, second = gathered("openai_two_choices", size=9).answers
    assert (first.message.text, first.finish_reason) == ("a", "length")
    assert (second.message.text, second.finish_reason) == ("b", "content_filter")
    assert second.message.extra == {"refusal": "No."}


def test_thoughts_are_told_apart_and_keep_their_seals() -> None:
    assert message("anthropic_thinking_and_tools").reasoning == (
        Reasoning(
            "Two cities, two calls.",
            "EqQBCgIYAhIM1gbcDa9GJwZA2b3h",
            extra={"format": FORMAT, "index": 0},
        ),
        Reasoning(redacted="EmwKAhgBEgy3va3pzix/LafPsn4a", extra={"format": FORMAT, "index": 1}),
        Reasoning(signature="OnlyASeal", extra={"format": FORMAT, "index": 2}),
    )


def test_openrouter_s_details_are_whole_and_not_said_twice() -> None:
    text, sealed = message("openrouter_reasoning_details").reasoning
    assert text == Reasoning(
        "The user asks.",
        "EqQBCgIYAhIM",
        extra={"type": "reasoning.text", "format": FORMAT, "index": 0},
    )
    assert (sealed.redacted, sealed.extra["id"]) == ("gAAAAABo", "rs_1")


@pytest.mark.parametrize(
    ("name", "thought"),
    [
        ("nanogpt_usage_on_finish", "A greeting. Greet back."),
        ("nanogpt_subscription", "Short."),
        ("generic_no_stream_at_all", "Hm."),
        ("ollama_thinking_and_tools", "Two cities."),
    ],
)
def test_plain_reasoning_is_one_block(name: str, thought: str) -> None:
    assert message(name).reasoning == (Reasoning(thought),)


def test_a_thought_signature_comes_with_its_call() -> None:
    first, second = message("vertex_thought_signature").tool_calls
    assert first.extra == {"extra_content": {"google": {"thought_signature": "AY89a18IwQ"}}}
    assert second.extra == {}


def test_an_answer_that_our_messages_cannot_tell_in_order_is_kept_as_it_came() -> None:
    extra: Mapping[str, Any] = message("anthropic_web_search").extra
    assert extra["stop_reason"] == "pause_turn"
    searching, asked, found, cited = extra[VERBATIM]
    assert searching == {"type": "text", "text": "I search. "}
    assert asked["input"] == {"query": "tides"}
    assert found["content"][0]["encrypted_content"] == "EqgF"
    assert (cited["text"], cited["citations"][0]["cited_text"]) == ("Twice a day.", "Twice a day")
    assert VERBATIM not in message("anthropic_thinking_and_tools").extra


def test_what_mistral_says_in_parts_is_text_and_reasoning() -> None:
    delta = {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
            {"type": "text", "text": "Yes."},
        ]
    }
    frame = {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
    data = f"data: {json.dumps(frame)}\n\n".encode()
    (chunk,) = decoded(openai.Dialect("generic"), data)
    assert (chunk.text, chunk.reasoning) == ("Yes.", (Reasoning("Hm."),))


@pytest.mark.parametrize("kind", ["nanogpt", "openai", "openrouter", "azure"])
def test_an_end_without_its_marker_is_no_end_where_there_always_is_one(kind: Kind) -> None:
    data = recorded("openai_usage_last").replace(b"data: [DONE]\n\n", b"")
    with pytest.raises(BadAnswer, match="broke off"):
        list(decoded(openai.Dialect(kind), data))
    assert list(decoded(openai.Dialect("generic"), data))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("MAX_TOKENS", "length"),
        ("function_call", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("strange", "stop"),
    ],
)
def test_reasons_to_end_are_understood_in_other_words(said: str, meant: str) -> None:
    frame = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": said}]}
    (chunk,) = decoded(openai.Dialect("generic"), f"data: {json.dumps(frame)}\n\n".encode())
    assert chunk.finish_reason == meant


def test_an_error_may_stand_inside_a_choice() -> None:
    choice = {"index": 0, "delta": {}, "error": {"code": 429, "message": "Slow down"}}
    data = f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
    with pytest.raises(RateLimited, match="Slow down"):
        list(decoded(openai.Dialect("openrouter"), data))
