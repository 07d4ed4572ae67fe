import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.document_id import IdPattern
from gateway.errors import InvalidRequest

KLINES = IdPattern("klines:{symbol}:{interval}", {"symbol": str.upper})
MODEL = IdPattern("model:{name}")


def test_an_id_says_its_kind_and_its_values() -> None:
    document_id = KLINES.parse("klines:BTCUSDT:4h")
    assert (document_id.text, document_id.kind) == ("klines:BTCUSDT:4h", "klines")
    assert document_id.values == {"symbol": "BTCUSDT", "interval": "4h"}


def test_the_spelling_of_a_value_is_settled() -> None:
    assert KLINES.parse("klines:btcusdt:1M").text == "klines:BTCUSDT:1M"
    assert KLINES.parse("klines:btcusdt:1M") == KLINES.parse("klines:BTCUSDT:1M")


def test_the_last_field_takes_the_rest() -> None:
    assert MODEL.parse("model:qwen3:8b").values == {"name": "qwen3:8b"}


@pytest.mark.parametrize(
    "text",
    ["", "klines", "klines:", "klines:BTCUSDT", "klines::4h", "klines:BTCUSDT:", "ticker:A:B"],
)
def test_a_text_of_another_shape_is_refused_with_the_right_shape(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"klines:\{symbol\}:\{interval\}"):
        KLINES.parse(text)


@pytest.mark.parametrize("template", ["ticker", "ticker:{symbol}:", "ticker/{symbol}", "a:b:{c}"])
def test_a_pattern_of_another_shape_is_a_mistake_of_the_programmer(template: str) -> None:
    with pytest.raises(ValueError, match="is not like"):
        IdPattern(template)


@given(st.text(st.characters(exclude_characters=":"), min_size=1), st.text(min_size=1))
def test_what_parses_formats_back_to_the_same_text(symbol: str, rest: str) -> None:
    pattern = IdPattern("klines:{symbol}:{interval}")
    text = f"klines:{symbol}:{rest}"
    parsed = pattern.parse(text)
    assert parsed.text == text
    assert pattern.format(**parsed.values) == parsed
