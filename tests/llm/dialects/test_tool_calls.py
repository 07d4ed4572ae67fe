"""Tool calls are told apart by whatever a provider gives to tell them by."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.llm.dialects.tool_calls import Piece, ToolCalls
from gateway.llm.messages import ToolCallDelta

Wanted = list[tuple[str | None, str, str]]


def gathered(deltas: list[ToolCallDelta]) -> Wanted:
    found: dict[int, list[str]] = {}
    for delta in deltas:
        call = found.setdefault(delta.index, ["", "", ""])
        call[0] += delta.id or ""
        call[1] += delta.name or ""
        call[2] += delta.arguments
    assert list(found) == list(range(len(found)))
    return [(call[0], call[1], call[2]) for call in found.values()]


def told(*pieces: Piece) -> Wanted:
    calls = ToolCalls()
    return gathered([calls.delta(piece) for piece in pieces] + calls.completed())


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        (
            [Piece(0, "a", "f", "{"), Piece(1, "b", "g", "["), Piece(0, "a", None, "}")],
            [("a", "f", "{}"), ("b", "g", "[")],
        ),
        ([Piece(0, "a", "f", "1"), Piece(5, "a", None, "2")], [("a", "f", "12")]),
        ([Piece(0, "a", "f", "1"), Piece(0, "b", "f", "2")], [("a", "f", "1"), ("b", "f", "2")]),
        (
            [Piece(0, "a", "f", "1"), Piece(0, "b", "f", "2"), Piece(0, None, None, "3")],
            [("a", "f", "1"), ("b", "f", "23")],
        ),
        ([Piece(None, "a", "f"), Piece(None, None, None, "1")], [("a", "f", "1")]),
        (
            [Piece(None, "a", "f", "1"), Piece(None, "b", "g", "2"), Piece(None, "a", None, "3")],
            [("a", "f", "13"), ("b", "g", "2")],
        ),
        ([Piece(0, "a", "f"), Piece(0, "z", None, "1")], [("a", "f", "1")]),
        ([Piece(0, "a"), Piece(0, None, "f"), Piece(0, None, None, "1")], [("a", "f", "1")]),
        ([Piece(0, "a", "f", "{"), Piece(0, None, "f", "}")], [("a", "f", "{}")]),
        ([Piece(7, "a", "f", "1"), Piece(3, "b", "g", "2")], [("a", "f", "1"), ("b", "g", "2")]),
        ([Piece(0, "a", "f")], [("a", "f", "{}")]),
        ([Piece(0, "a", "f", extra={"type": "custom"})], [("a", "f", "")]),
    ],
)
def test_pieces_find_their_call(pieces: list[Piece], wanted: Wanted) -> None:
    assert told(*pieces) == wanted


@pytest.mark.parametrize("number", [0, None])
def test_calls_without_ids_are_told_apart_by_name_and_by_whole_arguments(
    number: int | None,
) -> None:
    found = told(
        Piece(number, None, "f", '{"x":1}'),
        Piece(number, None, "f", '{"x":'),
        Piece(number, None, None, "2}"),
        Piece(number, None, "g", "{}"),
    )
    assert [call[1:] for call in found] == [("f", '{"x":1}'), ("f", '{"x":2}'), ("g", "{}")]
    assert len({call_id for call_id, _, _ in found}) == 3


@settings(deadline=None)
@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_calls_with_ids_may_be_mixed_in_any_way(order: list[int]) -> None:
    by_id, by_number, pieces = ToolCalls(), ToolCalls(), []
    first = list(dict.fromkeys(order))
    for at, which in enumerate(order):
        name = f"f{which}" if order.index(which) == at else None
        pieces.append((which, name, f"<{at}>"))
    wanted = [
        (f"id{one}", f"f{one}", "".join(text for which, _, text in pieces if which == one))
        for one in first
    ]
    assert wanted == gathered(
        [by_id.delta(Piece(0, f"id{one}", name, text)) for one, name, text in pieces]
    )
    assert wanted == gathered(
        [
            by_number.delta(Piece(one, f"id{one}" if name else None, name, text))
            for one, name, text in pieces
        ]
    )
