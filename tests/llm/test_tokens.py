"""Token counts: a guess that is near, and a bound that is never passed."""

from typing import Any

import pytest

from gateway.llm.messages import (
    AnswerFormat,
    ChatRequest,
    Image,
    Message,
    Other,
    Text,
    ToolCall,
    ToolDefinition,
)
from gateway.llm.tokens import (
    MOST_IMAGE_TOKENS,
    MOST_IMAGE_TOKENS_OF_4O_MINI,
    estimated_tokens,
    most_tokens,
    request_tokens,
)
from tests.llm.lineups import model


def asking(*parts: Text | Image | Other, **rest: Any) -> ChatRequest:
    return ChatRequest("auto", (Message("user", parts),), **rest)


# As published for GPT-4o and GPT-5: stat.unm.edu/~ronald/ALFF/tokenization_explorer.html (the
# first two) and howmanytokens.app/articles/tokens-in-different-languages.html.
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("I would like to buy a train ticket to Tokyo, please.", 13),
        ("Je voudrais acheter un billet de train pour Tokyo, s'il vous plaît.", 15),
        ("Artificial intelligence is transforming the world", 7),
        ("La inteligencia artificial está transformando el mundo", 10),
        ("人工知能は世界を変革しています", 14),
        ("人工智能正在改变世界", 10),
        ("الذكاء الاصطناعي يغير العالم", 16),
        ("कृत्रिम बुद्धिमत्ता दुनिया को बदल रही है", 25),
    ],
)
def test_a_guess_is_within_a_factor_of_two(text: str, tokens: int) -> None:
    assert tokens / 2 < estimated_tokens(text) < tokens * 2


def test_an_empty_text_has_no_tokens() -> None:
    assert estimated_tokens("") == 0


def test_a_long_text_is_guessed_by_pieces_as_well_as_whole() -> None:
    page = "She opened the letter, read it twice, and put it back into the drawer. "
    assert estimated_tokens(page * 10_000) == pytest.approx(
        estimated_tokens(page) * 10_000, rel=0.1
    )


@pytest.mark.parametrize("text", ["plain", "größe", "漢字", "🧙🏽‍♂️", "\ud800", "{}[]" * 50])
def test_no_text_can_have_more_tokens_than_its_bytes(text: str) -> None:
    request = asking(Text(text))
    assert most_tokens(request) >= len(text.encode("utf-8", "surrogatepass")) + 16
    assert most_tokens(request) > request_tokens(request)


def test_everything_that_is_sent_counts() -> None:
    plain = most_tokens(asking(Text("hi")))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = ToolDefinition("weather", "The weather of a city.", schema)
    formatted = AnswerFormat("json_schema", schema=schema)
    called = Message("assistant", tool_calls=(ToolCall("call_1", "weather", '{"city":"Rome"}'),))
    for request in (
        asking(Text("hi"), Text("there")),
        asking(Text("hi"), tools=(tool,)),
        asking(Text("hi"), other_tools=({"type": "web_search"},)),
        asking(Text("hi"), answer_format=formatted),
        asking(Text("hi"), Other({"type": "file", "file": {"file_id": "f"}})),
        ChatRequest("auto", (Message("user", (Text("hi"),)), called)),
    ):
        assert most_tokens(request) > plain


def test_an_image_counts_as_the_most_that_a_provider_makes_of_one() -> None:
    small = asking(Image("data:image/png;base64,AAAA"))
    assert most_tokens(small) > MOST_IMAGE_TOKENS
    assert most_tokens(small, model("openai/gpt-4o-mini")) > MOST_IMAGE_TOKENS_OF_4O_MINI
