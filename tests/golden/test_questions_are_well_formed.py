"""The golden questions are data that other tests trust; these tests look at the data itself."""

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.market.simulated.symbols import SYMBOLS

FILES = ("questions.toml", "paraphrases.toml", "held_out.toml")
KEYS = {"ask", "first", "nothing", "not", "group", "notes"}
KINDS = {
    "ticker",
    "avg_price",
    "orderbook",
    "orderbook_l1",
    "orderbook_l2",
    "orderbook_health",
    "trades",
    "klines",
    "exchange_info",
    "order_flow",
    "volume_profile",
    "anomalies",
    "microstructure",
    "liquidity_vacuums",
    "report",
}
INTERVALS = [
    "1m",
    "3m",
    "5m",
    "15m",
    "30m",
    "1h",
    "2h",
    "4h",
    "6h",
    "8h",
    "12h",
    "1d",
    "3d",
    "1w",
    "1M",
]
SYMBOL = r"[A-Z0-9]+(USDT|USDC|BTC|ETH|BNB|EUR|TRY)"
ID = re.compile(
    rf"({'|'.join(sorted(KINDS - {'klines'}))}):{SYMBOL}|klines:{SYMBOL}:({'|'.join(INTERVALS)})"
)
SEARCH_RESULTS = 10


def questions(name: str) -> list[dict[str, Any]]:
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    asked: list[dict[str, Any]] = tomllib.loads(text)["question"]
    return asked


def test_no_question_is_asked_twice_in_any_file() -> None:
    # Case counts: `1m` and `1M` are two questions.
    asked = Counter(" ".join(q["ask"].split()) for name in FILES for q in questions(name))
    assert [ask for ask, times in asked.items() if times > 1] == []


@pytest.mark.parametrize("name", FILES)
def test_every_question_has_only_the_keys_that_the_file_explains(name: str) -> None:
    for question in questions(name):
        assert question["ask"].strip(), question
        assert question["group"], question
        assert set(question) <= KEYS, question


@pytest.mark.parametrize("name", FILES)
def test_every_expected_id_has_the_shape_of_its_kind(name: str) -> None:
    ids = [id_ for q in questions(name) for id_ in [*q["first"], *q.get("not", [])]]
    assert [id_ for id_ in ids if not ID.fullmatch(id_)] == []


@pytest.mark.parametrize("name", FILES)
def test_every_symbol_is_listed_by_the_simulated_exchange(name: str) -> None:
    ids = [id_ for q in questions(name) for id_ in [*q["first"], *q.get("not", [])]]
    assert {id_.split(":")[1] for id_ in ids} <= set(SYMBOLS)


@pytest.mark.parametrize("name", FILES)
def test_a_question_expects_something_or_says_that_it_expects_nothing(name: str) -> None:
    for question in questions(name):
        first = question["first"]
        assert bool(first) != question.get("nothing", False), question
        assert len(set(first)) == len(first) <= SEARCH_RESULTS, question
        assert not set(first) & set(question.get("not", [])), question
        assert (question["group"] == "nothing") == (not first), question


@pytest.mark.parametrize(
    ("name", "at_least", "nothing_at_least"),
    [("questions.toml", 200, 35), ("paraphrases.toml", 350, 80), ("held_out.toml", 60, 12)],
)
def test_there_are_enough_questions_to_measure_with(
    name: str, at_least: int, nothing_at_least: int
) -> None:
    asked = questions(name)
    assert len(asked) >= at_least
    assert sum(q.get("nothing", False) for q in asked) >= nothing_at_least


@pytest.mark.parametrize("name", FILES)
def test_every_kind_is_asked_for(name: str) -> None:
    asked = {id_.partition(":")[0] for q in questions(name) for id_ in q["first"]}
    assert asked == KINDS


@pytest.mark.parametrize("name", ["questions.toml", "paraphrases.toml"])
def test_every_interval_is_asked_for(name: str) -> None:
    ids = (id_ for q in questions(name) for id_ in q["first"])
    asked = {id_.rpartition(":")[2] for id_ in ids if id_.startswith("klines:")}
    assert asked == set(INTERVALS)
