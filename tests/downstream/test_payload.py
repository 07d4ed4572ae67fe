"""JSON on its way through protobuf: nothing is lost, and nothing odd comes in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.downstream.payload import decode, encode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_what_is_encoded_decodes_to_the_same(arguments: dict[str, object]) -> None:
    assert repr(decode(encode(arguments))) == repr(arguments)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), {1, 2}, b"bytes", object()])
def test_what_has_no_json_is_not_sent(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode({"value": value})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b"Infinity",
        b"[-Infinity]",
        b'"\\uD83D"',
        b"[" * 100_000,
        b"[1e400]",
        b'{"a": -1e999}',
    ],
)
def test_what_is_not_json_is_not_accepted(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(raw)


def test_a_whole_surrogate_pair_is_text_like_any_other() -> None:
    assert decode(b'["\\ud83d\\ude80"]') == ["\N{ROCKET}"]
