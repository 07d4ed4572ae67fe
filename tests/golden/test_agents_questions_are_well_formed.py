"""The golden questions about agents are data that other tests trust."""

import re
import tomllib
from pathlib import Path

GOLDEN = Path(__file__).parent
NAME = "agents_questions.toml"
ID = re.compile(r"(agent|run|event):[a-z-]+")


def test_each_says_what_comes_first_or_what_may_not_be_found() -> None:
    questions = tomllib.loads((GOLDEN / NAME).read_text("utf-8"))["question"]
    for question in questions:
        assert set(question) in ({"ask", "first", "group"}, {"ask", "not", "group"}), question
        assert all(ID.fullmatch(one) for one in question.get("first", question.get("not")))
    kinds = {one.partition(":")[0] for q in questions for one in q.get("first", ())}
    assert (len(questions) >= 40, kinds) == (True, {"agent", "run", "event"})


def test_none_is_asked_twice_nor_stands_in_another_file() -> None:
    asked = [
        " ".join(question["ask"].lower().split())
        for file in sorted(GOLDEN.glob("*questions.toml"))
        for question in tomllib.loads(file.read_text("utf-8"))["question"]
        if "ask" in question
    ]
    ours = tomllib.loads((GOLDEN / NAME).read_text("utf-8"))["question"]
    assert [one["ask"] for one in ours if asked.count(one["ask"].lower()) > 1] == []
