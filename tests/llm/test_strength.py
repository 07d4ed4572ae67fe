import json
import subprocess
import sys
import zlib
from statistics import median
from time import thread_time

import pytest

from gateway.llm.strength import (
    MODEL_FILE,
    Head,
    needed_strength,
    packed,
    shipped_heads,
    unpacked,
)
from gateway.llm.strength_signs import KINDS, SIGNS, Reading, read

STEPS = (
    "A baker sells twice as many rolls as loaves on each day of the week, except on Sunday, when "
    "he sells a third fewer of both, and then gives what is left to a shelter, which takes at most "
    "forty rolls. If he bakes five dozen loaves every day, how many rolls does the shelter get "
    "in four weeks?"
)
STATEMENTS = (
    "Statement 1 | Every group of order p squared is abelian. Statement 2 | Every subgroup of an "
    "abelian group is normal.\nA. True, True\nB. False, False\nC. True, False\nD. False, True"
)
CAPITAL = "What is the capital of France?\nA. Paris\nB. Rome\nC. Madrid\nD. Berlin"


def test_many_steps_need_a_stronger_model_than_one() -> None:
    one_step = "Tom has 5 apples and eats 2. How many apples are left?"
    assert needed_strength(STEPS).score > needed_strength(one_step).score + 0.1


def test_a_subtle_choice_needs_a_stronger_model_than_a_fact() -> None:
    assert needed_strength(STATEMENTS).score > needed_strength(CAPITAL).score + 0.1


def test_it_says_what_weighed_most() -> None:
    because = needed_strength(STEPS).because
    assert "long sentences: more" in because
    assert len(because) <= 4


@pytest.mark.parametrize(
    "text", ["", " ", "?", "\n\n", "Ω≈ç√", "你好请问", "a" * 100_000, "\nA. " * 9]
)
def test_every_text_has_a_score(text: str) -> None:
    assert 0 < needed_strength(text).score < 1


def test_the_same_text_has_the_same_score_in_another_process() -> None:
    program = (
        "import sys; from gateway.llm.strength import needed_strength;"
        "print(repr(needed_strength(sys.argv[1])))"
    )
    for text in (STEPS, STATEMENTS):
        ran = subprocess.run(
            [sys.executable, "-c", program, text], capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == repr(needed_strength(text))


def test_a_long_text_is_read_as_fast_as_a_short_one() -> None:
    needed_strength("warm")
    texts = [f"{number} {STEPS * 400}"[:4_000] for number in range(200)]
    longer = [f"{number} {STEPS * 4_000}"[:400_000] for number in range(20)]
    assert _milliseconds(texts) < 1
    assert _milliseconds(longer) < 4 * _milliseconds(texts)


def test_the_model_is_a_small_file() -> None:
    assert MODEL_FILE.stat().st_size < 2_000_000


def test_a_file_of_other_signs_is_refused() -> None:
    parts = json.loads(zlib.decompress(MODEL_FILE.read_bytes()))
    parts["signs"] = parts["signs"][1:]
    with pytest.raises(ValueError, match="built for other signs"):
        unpacked(zlib.compress(json.dumps(parts).encode()))


def test_a_model_reads_back_as_it_was_packed() -> None:
    file = packed(shipped_heads())
    assert file == MODEL_FILE.read_bytes()
    assert unpacked(file) == shipped_heads()


def test_words_and_signs_add_up_to_a_probability() -> None:
    weights = [0.5] + [0.0] * (len(SIGNS) - 1)
    head = Head([1.0] * len(SIGNS), [2.0] * len(SIGNS), weights, {"prove": 4.0, "the": -1.0})
    signs = (5.0,) + (0.0,) * (len(SIGNS) - 1)
    reading = Reading(frozenset({"prove", "the", "lemma"}), signs, "open")
    # Two spreads of a sign that weighs a half, and (4 - 1) / sqrt(3 + 1) of words.
    assert head.raw(reading) == pytest.approx(2.5)
    strength = head.strength(reading)
    assert strength.score == pytest.approx(0.9241, abs=1e-4)
    assert strength.because == ("prove: more", "a long question: more", "the: less")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Is A. better than B.?", "open"),
        (CAPITAL, "few options"),
        (CAPITAL.replace("\n", "\n("), "few options"),
        ("Which?" + "".join(f"\n{letter}) {letter}" for letter in "ABCDEFGHIJ"), "many options"),
        ("x" * 9_000 + CAPITAL, "few options"),
    ],
)
def test_a_question_with_options_is_told_from_an_open_one(text: str, kind: str) -> None:
    assert read(text).kind == kind
    assert kind in KINDS


def test_signs_are_counted_in_the_order_of_their_names() -> None:
    signs = dict(zip(SIGNS, read(STATEMENTS).signs, strict=True))
    other = dict(zip(SIGNS, read(CAPITAL).signs, strict=True))
    assert signs["options that are much alike"] > other["options that are much alike"]
    assert signs["words that come again"] > other["words that come again"]
    assert dict(zip(SIGNS, read("It costs 2.50, or less.").signs, strict=True))["decimal numbers"]


def _milliseconds(texts: list[str]) -> float:
    """The median of the time that this thread was busy; other load does not count."""
    spent = list[float]()
    for text in texts:
        start = thread_time()
        needed_strength(text)
        spent.append(thread_time() - start)
    return median(spent) * 1_000
