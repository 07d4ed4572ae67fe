"""A provider against a stand-in: what it sends, what comes back, and when it tries again."""

import asyncio
import dataclasses

import pytest

from gateway.errors import (
    BadAnswer,
    ContextTooLong,
    DeadlineExceeded,
    GatewayError,
    KeyRefused,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.messages import ChatRequest, Chunk
from gateway.llm.model import Model
from gateway.llm.provider.stream import ProviderStream
from tests.llm.provider.conftest import KEY, Connect
from tests.stand_ins.llm.script import (
    Answer,
    Ending,
    Refusal,
    Tool,
    broken,
    context_too_long,
    key_refused,
    no_balance,
    no_balance_in_nanogpts_old_shape,
    out_of_quota,
    overloaded,
    rate_limited,
)
from tests.stand_ins.llm.server import LlmStandIn

KINDS = ("nanogpt", "openrouter", "openai", "azure", "lmstudio", "ollama", "anthropic")


async def chunks_of(stream: ProviderStream) -> list[Chunk]:
    async with asyncio.timeout(5), stream as chunks:
        return [chunk async for chunk in chunks]


async def collect(stream: ProviderStream, said: list[str]) -> None:
    async with stream as chunks:
        async for chunk in chunks:
            said.append(chunk.text)  # noqa: PERF401 - what came before an error counts


async def text_of(stream: ProviderStream) -> str:
    return "".join(chunk.text for chunk in await chunks_of(stream))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_answers_with_its_key_in_its_own_place(
    kind: str, connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn(kind, key=KEY) as stand_in, connect(stand_in) as provider:
        stand_in.script("small", Answer("Fine, thanks.", input_tokens=7))
        chunks = await chunks_of(provider.stream(question, model))
        assert "".join(chunk.text for chunk in chunks) == "Fine, thanks."
        assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
        usage = [chunk.usage for chunk in chunks if chunk.usage][-1]
        assert (usage.input_tokens, usage.output_tokens) == (7, 2)
        assert provider.status.state == "up"


async def test_what_the_subscription_covers_is_asked_for_where_nothing_is_billed(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    included = dataclasses.replace(model, name="included", is_included=True)
    async with LlmStandIn("nanogpt") as stand_in, connect(stand_in) as provider:
        await text_of(provider.stream(question, included))
        await text_of(provider.stream(question, model))
        paths = [request.path for request in stand_in.requests]
        assert paths == ["/api/subscription/v1/chat/completions", "/api/v1/chat/completions"]
        # The catalog believed that it is included, and was wrong: it is refused and costs nothing.
        mistaken = dataclasses.replace(model, is_included=True)
        before = stand_in.billed_microusd
        with pytest.raises(GatewayError):
            await text_of(provider.stream(question, mistaken))
        assert stand_in.billed_microusd == before


async def test_an_answer_may_be_cut_anywhere_on_its_way(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    said = "Größe 🌍 naïve ☕"
    async with LlmStandIn("openrouter") as stand_in, connect(stand_in) as provider:
        stand_in.script("small", Answer(said, bytes_at_once=3, comments=True))
        assert await text_of(provider.stream(question, model)) == said


async def test_tools_and_thoughts_come_through(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    tools = (Tool("weather", '{"city":"Oslo"}'), Tool("clock"))
    async with LlmStandIn("anthropic") as stand_in, connect(stand_in) as provider:
        stand_in.script("small", Answer(tools=tools, reasoning=("Hm.",), signature="seal"))
        chunks = await chunks_of(provider.stream(question, model))
        deltas = [delta for chunk in chunks for delta in chunk.tool_calls]
        assert [delta.name for delta in deltas if delta.name] == ["weather", "clock"]
        city = "".join(delta.arguments for delta in deltas if delta.index == 0)
        assert city == '{"city":"Oslo"}'
        thoughts = [thought for chunk in chunks for thought in chunk.reasoning]
        assert "".join(thought.text for thought in thoughts) == "Hm."
        assert any(thought.signature == "seal" for thought in thoughts)


async def test_a_broken_server_is_asked_again_and_the_caller_does_not_notice(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        stand_in.script("small", broken(503), Answer("Here."))
        stream = provider.stream(question, model)
        assert await text_of(stream) == "Here."
        assert (stream.attempts, stream.was_sent) == (2, True)
        assert stream.first_chunk_seconds is not None


async def test_a_short_retry_after_is_waited_for(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        limited = dataclasses.replace(rate_limited(), headers={"retry-after-ms": "120"})
        stand_in.script("small", limited, Answer("Here."))
        began = asyncio.get_running_loop().time()
        assert await text_of(provider.stream(question, model)) == "Here."
        assert asyncio.get_running_loop().time() - began >= 0.12


async def test_a_long_retry_after_is_left_to_another_provider(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        stand_in.script("small", rate_limited("40"))
        with pytest.raises(RateLimited) as raised:
            await text_of(provider.stream(question, model))
        assert raised.value.retry_after_seconds == 40
        assert len(stand_in.requests) == 1
        assert 39 < provider.cooling_seconds("p/small") <= 40
        assert provider.cooling_seconds("p/large") == 0


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (out_of_quota(), PaymentRequired),
        (no_balance(), PaymentRequired),
        (no_balance_in_nanogpts_old_shape(), PaymentRequired),
        (key_refused(), KeyRefused),
        (context_too_long(), ContextTooLong),
    ],
    ids=["out of quota", "no balance", "no balance as of old", "wrong key", "too long"],
)
async def test_what_would_fail_again_is_not_tried_again(
    refusal: Refusal,
    expected: type[GatewayError],
    connect: Connect,
    question: ChatRequest,
    model: Model,
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        stand_in.script("small", refusal)
        stream = provider.stream(question, model)
        with pytest.raises(expected):
            await text_of(stream)
        assert (stream.attempts, stream.was_sent, stream.may_be_billed) == (1, True, False)
        assert len(stand_in.requests) == 1


async def test_an_error_with_the_status_200_is_an_error(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn("openrouter") as stand_in, connect(stand_in, attempts=1) as provider:
        stand_in.script("small", dataclasses.replace(rate_limited(), inside_200=True))
        stream = provider.stream(question, model)
        with pytest.raises(RateLimited):
            await text_of(stream)
        assert not stream.may_be_billed


async def test_a_whole_answer_where_a_stream_was_asked_for_is_not_repeated_in_the_error(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    body = b'{"choices":[{"message":{"content":"a private answer"}}]}'
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        stand_in.script("small", Refusal(200, body=body))
        stream = provider.stream(question, model)
        with pytest.raises(BadAnswer) as raised:
            await text_of(stream)
        assert "private" not in str(raised.value)
        assert stream.may_be_billed


async def test_nothing_is_tried_again_after_the_first_chunk(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn("nanogpt") as stand_in, connect(stand_in) as provider:
        stand_in.script("small", Answer(tokens=5, ends="error", ends_after=2))
        stream = provider.stream(question, model)
        said: list[str] = []
        with pytest.raises(GatewayError):
            await collect(stream, said)
        assert "".join(said) == "word0 word1 "
        assert (stream.attempts, stream.may_be_billed) == (1, True)
        assert len(stand_in.requests) == 1


@pytest.mark.parametrize("ends", ["eof", "no_done", "abort"])
async def test_an_answer_that_breaks_off_is_an_error(
    ends: Ending, connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn("nanogpt") as stand_in, connect(stand_in) as provider:
        stand_in.script("small", Answer(tokens=5, ends=ends, ends_after=2))
        with pytest.raises(BadAnswer):
            await text_of(provider.stream(question, model))


async def test_a_provider_that_sends_nothing_is_given_up_at_the_first_token_deadline(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with (
        LlmStandIn() as stand_in,
        connect(stand_in, first_token_seconds=0.1) as provider,
    ):
        stand_in.script("small", Answer(before_headers=asyncio.Event()), Answer(hold_after=0))
        for _ in range(2):
            stream = provider.stream(question, model)
            with pytest.raises(DeadlineExceeded, match=r"began no answer within 0.1 s"):
                await text_of(stream)
            assert (stream.attempts, stream.may_be_billed) == (1, True)
        await stand_in.rests()


async def test_silence_in_the_middle_ends_the_call_and_keep_alives_prevent_that(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        connect(stand_in, silence_seconds=0.2) as provider,
    ):
        gate = asyncio.Event()
        kept_alive = Answer(tokens=4, hold_after=2, hold=gate, keepalive_seconds=0.05)
        stand_in.script("small", Answer(tokens=4, hold_after=2), kept_alive)
        with pytest.raises(DeadlineExceeded, match=r"silent for 0.2 s"):
            await text_of(provider.stream(question, model))
        asyncio.get_running_loop().call_later(0.4, gate.set)
        assert await text_of(provider.stream(question, model)) == "word0 word1 word2 word3 "


async def test_an_answer_that_never_ends_is_ended(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with (
        LlmStandIn("openrouter") as stand_in,
        connect(stand_in, total_seconds=0.3) as provider,
    ):
        stand_in.script("small", Answer(tokens=4, hold_after=2, keepalive_seconds=0.05))
        with pytest.raises(DeadlineExceeded, match=r"did not end its answer in 0\.3 s"):
            await text_of(provider.stream(question, model))


async def test_leaving_early_ends_the_call_at_the_provider_at_once(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn("openrouter") as stand_in, connect(stand_in) as provider:
        stand_in.script("small", Answer(tokens=9, hold_after=3))
        async with provider.stream(question, model) as chunks:
            async for chunk in chunks:
                if "word2" in chunk.text:
                    break
        async with asyncio.timeout(2):
            await stand_in.requests[0].left.wait()
        await stand_in.rests()
        bill = stand_in.bills[0]
        assert bill.tokens.output == 3
        assert chunks.generation_id == bill.id
        usage = await provider.billed(bill.id)
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens) == (bill.tokens.input, 3)
        assert float(usage.billed_usd or "nan") * 1e6 == pytest.approx(stand_in.billed_microusd)


async def test_a_cancelled_caller_ends_the_call_at_the_provider_too(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in, max_concurrent=1) as provider:
        stand_in.script("small", Answer(before_headers=asyncio.Event()))
        task = asyncio.create_task(text_of(provider.stream(question, model)), name="a caller")
        request = await stand_in.has_received(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            await request.left.wait()
        # It gave back its place among the calls at once.
        stand_in.script("small", Answer("Here."))
        assert await text_of(provider.stream(question, model)) == "Here."


async def test_nothing_was_sent_where_nobody_listens(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in:
        connected = connect(stand_in)
    async with connected as provider:
        stream = provider.stream(question, model)
        with pytest.raises(Unavailable, match="p cannot be reached"):
            await text_of(stream)
        assert (stream.attempts, stream.was_sent, stream.may_be_billed) == (2, False, False)


@pytest.mark.parametrize(
    "broken_answer",
    [Answer(ends="abort", ends_after=0), Answer(ends="eof", ends_after=0)],
    ids=["abort", "eof"],
)
async def test_a_call_that_may_have_been_billed_is_not_made_a_second_time(
    broken_answer: Answer, connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        stand_in.script("small", broken_answer)
        stream = provider.stream(question, model)
        with pytest.raises(GatewayError):
            await text_of(stream)
        assert (stream.attempts, stream.may_be_billed) == (1, True)
        assert stand_in.billed_microusd > 0


async def test_an_error_before_the_first_token_costs_nothing_and_is_tried_again(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn("openrouter") as stand_in, connect(stand_in) as provider:
        failing = Answer(ends="error", ends_after=0, comments=True)
        stand_in.script("small", failing, Answer("Here.", input_tokens=1000))
        stream = provider.stream(question, model)
        assert await text_of(stream) == "Here."
        assert stream.attempts == 2
        assert stand_in.billed_microusd == stand_in.bills[1].microusd


async def test_overload_is_tried_again_once_and_then_told(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn("anthropic") as stand_in, connect(stand_in) as provider:
        stand_in.script("small", overloaded(), overloaded())
        with pytest.raises(Unavailable):
            await text_of(provider.stream(question, model))
        assert len(stand_in.requests) == 2


async def test_more_calls_than_allowed_at_once_wait_for_their_turn(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in, max_concurrent=2) as provider:
        gate = asyncio.Event()
        stand_in.always("small", Answer("Done.", before_headers=gate))
        tasks = [
            asyncio.create_task(text_of(provider.stream(question, model)), name=f"caller {n}")
            for n in range(5)
        ]
        await stand_in.has_received(2)
        assert len(stand_in.requests) == 2
        gate.set()
        assert await asyncio.gather(*tasks) == ["Done."] * 5


async def test_embeddings_pass_through(connect: Connect) -> None:
    async with LlmStandIn("ollama") as stand_in, connect(stand_in) as provider:
        answer = await provider.embeddings({"model": "small", "input": ["a", "b"]})
        assert [row["index"] for row in answer["data"]] == [0, 1]


async def test_how_fast_a_model_is_can_be_known_once_it_answered(
    connect: Connect, question: ChatRequest, model: Model
) -> None:
    async with LlmStandIn() as stand_in, connect(stand_in) as provider:
        assert "p/small" not in dict(provider.paces())
        stand_in.always("small", Answer(tokens=20, delay_seconds=0.002))
        await text_of(provider.stream(question, model))
        pace = dict(provider.paces())["p/small"]
        assert pace is not None
        assert pace.calls == 1
        assert pace.first_token_seconds
        assert pace.first_token_seconds < 1
        assert pace.tokens_per_second
        assert 10 < pace.tokens_per_second < 600
