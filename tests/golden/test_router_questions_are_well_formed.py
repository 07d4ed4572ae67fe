"""The golden questions about the router are data that other tests trust."""

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FILES = (
    "router_questions.toml",
    "router_held_out.toml",
    "router_held_out_2.toml",
    "cost_questions.toml",
    "routing_questions.toml",
)
OTHERS = ("questions.toml", "paraphrases.toml", "held_out.toml")
KEYS = {"ask", "first", "means", "nothing", "not", "group", "notes"}
ID = re.compile(
    r"(model|provider|usage|quota|budget|routing|route|free_models|benchmark|ticker|orderbook):\S+"
)
KINDS = {"provider", "usage", "quota", "budget", "routing", "route", "model"}


def questions(name: str) -> list[dict[str, Any]]:
    text = (Path(__file__).parent / name).read_text("utf-8")
    asked: list[dict[str, Any]] = tomllib.loads(text)["question"]
    return asked


def test_no_question_is_asked_twice_in_any_file() -> None:
    asked = Counter(
        " ".join(q["ask"].lower().split()) for name in (*FILES, *OTHERS) for q in questions(name)
    )
    ours = {" ".join(q["ask"].lower().split()) for name in FILES for q in questions(name)}
    assert [ask for ask in ours if asked[ask] > 1] == []


@pytest.mark.parametrize("name", FILES)
def test_every_question_expects_one_thing_in_the_words_of_the_file(name: str) -> None:
    for question in questions(name):
        assert set(question) <= KEYS, question
        expected = [key for key in ("first", "means", "nothing") if question.get(key)]
        assert len(expected) == 1, question
        ids = [*question.get("first", ()), *question.get("not", ())]
        assert all(ID.fullmatch(one) for one in ids), question


@pytest.mark.parametrize(("name", "at_least"), [(FILES[0], 200), (FILES[1], 40), (FILES[2], 40)])
def test_there_are_enough_questions_of_every_kind(name: str, at_least: int) -> None:
    asked = questions(name)
    assert len(asked) >= at_least
    kinds = {one.partition(":")[0] for q in asked for one in q.get("first", ())}
    assert kinds >= KINDS
    assert sum(q.get("nothing", False) for q in asked) >= at_least // 10
