from pathlib import Path

import pytest

from gateway.learning.strength_rows import read_sets
from gateway.learning.strength_training import build, ranking
from gateway.llm.strength import unpacked
from gateway.llm.strength_signs import read
from tests.learning.strength_questions import write_sets

LAW = "Which of these is true of law?\nA. answer 1\nB. answer 2\nC. answer 3\nD. answer 4\nAnswer:"


def test_the_same_questions_build_the_same_bytes(tmp_path: Path) -> None:
    write_sets(tmp_path)
    told = list[str]()
    build(tmp_path, tmp_path / "one.bin", progress=told.append)
    build(tmp_path, tmp_path / "two.bin", progress=told.append)
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "two.bin").read_bytes()
    assert told[0] == "reading the questions"


def test_a_built_model_reads_back_as_it_was_learned(tmp_path: Path) -> None:
    write_sets(tmp_path)
    heads = build(tmp_path, tmp_path / "strength.bin", progress=lambda _: None)
    assert unpacked((tmp_path / "strength.bin").read_bytes()) == heads


def test_scores_are_the_share_of_questions_that_the_weak_model_failed(tmp_path: Path) -> None:
    write_sets(tmp_path)
    heads = build(tmp_path, tmp_path / "strength.bin", progress=lambda _: None)
    for rows in read_sets(tmp_path).values():
        scores = [heads[row.reading.kind].strength(row.reading).score for row in rows]
        needs = [row.need for row in rows]
        assert sum(scores) / len(rows) == pytest.approx(sum(needs) / len(rows), abs=0.05)


def test_a_topic_that_weak_models_fail_is_learned_by_its_words(tmp_path: Path) -> None:
    write_sets(tmp_path)
    head = ranking(read_sets(tmp_path))["few options"]
    law, trivia = read(LAW), read(LAW.replace("law", "trivia"))
    assert head.of_grams(law.grams) > head.of_grams(trivia.grams)
    assert head.grams["law"] > 0 > head.grams["trivia"]


def test_a_kind_of_question_that_is_not_learned_keeps_what_was_guessed(tmp_path: Path) -> None:
    write_sets(tmp_path)
    sets = {name: rows for name, rows in read_sets(tmp_path).items() if name != "GSM8K"}
    head = ranking(sets)["open"]
    short = "Mia has 3 apples. How many are left?"
    long = "Mia has three apples, and each day she buys twice as many as before, " * 4 + short
    assert head.grams == {}
    assert head.raw(read(long)) > head.raw(read(short))
