from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadAnswer
from gateway.llm.event_stream import BODY, Event, JsonLines, ServerSentEvents, Splitter

PIECES = st.lists(st.integers(0, 60), max_size=12)


def split(splitter: Splitter, data: bytes, cuts: Sequence[int] = ()) -> list[Event]:
    events, at = [], 0
    for cut in [*cuts, len(data)]:
        events += splitter.feed(data[at : at + cut])
        at += cut
    return events + splitter.end()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_end_in_each_of_three_ways(end: str) -> None:
    data = end.join(["data: one", "", "data: two", "", ""]).encode()
    assert split(ServerSentEvents(), data) == [Event("one"), Event("two")]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@settings(deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1),
        max_size=4,
    ),
    cuts=PIECES,
)
def test_events_are_the_same_however_their_bytes_are_cut(
    end: str, texts: list[str], cuts: list[int]
) -> None:
    data = "".join(f": wait{end}event: e{end}data: {text}{end}{end}" for text in texts).encode()
    assert split(ServerSentEvents(), data, cuts) == [Event(text, "e") for text in texts]
    assert split(ServerSentEvents(), data, [1] * len(data)) == [Event(text, "e") for text in texts]


def test_data_of_several_lines_is_joined_by_line_feeds() -> None:
    data = b"data: one\ndata:two\ndata:  three\n\n"
    assert split(ServerSentEvents(), data) == [Event("one\ntwo\n three")]


def test_comments_other_fields_and_events_without_data_say_nothing() -> None:
    data = b": hello\n\nid: 7\nretry: 100\nunknown\n\nevent: lonely\n\ndata: x\n\n"
    assert split(ServerSentEvents(), data) == [Event("x")]


def test_a_name_belongs_to_one_event() -> None:
    data = b"event: error\ndata: a\n\ndata: b\n\n"
    assert split(ServerSentEvents(), data) == [Event("a", "error"), Event("b")]


@pytest.mark.parametrize("cut", range(3))
def test_a_byte_order_mark_is_no_part_of_the_first_event(cut: int) -> None:
    assert split(ServerSentEvents(), b"\xef\xbb\xbfdata: x\n\n", [cut]) == [Event("x")]


def test_an_event_at_the_end_needs_no_blank_line() -> None:
    assert split(ServerSentEvents(), b"data: a\n\ndata: [DONE]") == [Event("a"), Event("[DONE]")]


@pytest.mark.parametrize("data", [b'{"a":\n\n1}', b' \n {"a":\n\n1}', b'[{"a": 1}]'])
def test_a_body_that_is_json_is_one_event(data: bytes) -> None:
    (event,) = split(ServerSentEvents(), data, [1, 1, 1])
    assert (event.data.strip(), event.name) == (data.decode().strip(), BODY)


def test_broken_utf8_is_shown_as_such() -> None:
    assert split(ServerSentEvents(), b"data: a\xff\n\n") == [Event("a\ufffd")]


def test_json_lines_may_be_blank_or_lack_their_end() -> None:
    data = '{"a":"ü"}\n\n \r\n{"b":"\u2028"}'.encode()
    assert split(JsonLines(), data, [6, 1, 1]) == [Event('{"a":"ü"}'), Event('{"b":"\u2028"}')]


@pytest.mark.parametrize(
    ("splitter", "data"),
    [
        (ServerSentEvents(100), b"data: " + b"x" * 40),
        (ServerSentEvents(100), b"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
        (ServerSentEvents(100), b'{"x": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'),
        (JsonLines(100), b'{"x": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'),
    ],
    ids=["a long line", "many lines", "a long body", "a long line of JSON"],
)
def test_an_event_without_end_is_refused(splitter: Splitter, data: bytes) -> None:
    with pytest.raises(BadAnswer, match="more than 100 bytes"):
        list(map(splitter.feed, [data] * 4))


def test_many_events_are_no_large_event() -> None:
    splitter = ServerSentEvents(100)
    assert len([event for _ in range(50) for event in splitter.feed(b"data: 0123456789\n\n")]) == 50


def test_a_long_line_is_not_copied_with_every_piece() -> None:
    splitter = ServerSentEvents()
    splitter.feed(b"data: ")
    for _ in range(20_000):  # it would take minutes if each piece copied what was there
        assert splitter.feed(b"x" * 1000) == []
    (event,) = splitter.feed(b"\n\n")
    assert len(event.data) == 20_000_000
