"""A check takes what was asked for from among the prose, and is not talked into anything."""

import logging
import time
from typing import Any

import pytest

from gateway.benchmarks.case import (
    Case,
    Check,
    Exact,
    JsonAnswer,
    Matches,
    Number,
    Unchecked,
    UnitTests,
    Verdict,
)
from gateway.benchmarks.checks import verdict
from gateway.benchmarks.extraction import MOST_CHARACTERS, json_in, normalized, numbers
from gateway.benchmarks.sandbox import Sandbox
from gateway.benchmarks.sandboxed.source import chosen
from gateway.benchmarks.unit_tests import names_tested

ADD = UnitTests("assert add(1, 2) == 3\nassert add(-1, 1) == 0")


async def judged(check: Check, answer: str, sandbox: Sandbox | None = None) -> Verdict:
    case = Case("one", "general", "Do it.", None, check, 100, None, None)
    return await verdict(case, answer, sandbox=sandbox or Sandbox(), ask=None)


async def quality(check: Check, answer: str) -> float | None:
    return (await judged(check, answer)).quality


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("```python\ndef add(a, b):\n    return a + b\n```", "2 of 2 tests passed"),
        ("def add(a, b):\n    return 3", "1 of 2 tests passed; test 2: AssertionError"),
        ("def add(a): return a", "0 of 2 tests passed; test 1: TypeError"),
        ("def plus(a, b): return a + b", "0 of 2 tests passed; test 1: NameError"),
        ("import nothing_like_it\ndef add(a, b): return 3", "does not load: ModuleNotFoundError"),
        ("I cannot do that.", "the answer holds no Python that can be read"),
        ("```python\ndef add(a, b: return\n```", "the answer holds no Python that can be read"),
        ("", "0 of 2 tests passed"),
        ("(" * 150_000 + "\x00", "holds no Python"),
    ],
)
async def test_unit_tests_say_how_many_passed(answer: str, said: str) -> None:
    found = await judged(ADD, answer)
    assert found.by == "unit tests"
    assert said in found.detail
    assert found.quality == int(said[0]) / 2 if said[0].isdigit() else found.quality == 0


async def test_code_that_cannot_be_confined_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    found = await judged(ADD, "def add(a, b): return a + b")
    assert (found.quality, found.by) == (None, "unit tests")
    assert "only run on Linux" in found.detail


GOOD = "def add(a, b):\n    return a + b"


@pytest.mark.parametrize(
    "answer",
    [
        f"Sure!\n\n```python\n{GOOD}\n```\nUse it like so:\n```python\nprint(add(1, 2))\n```\n",
        f"```bash\npip install x\n```\n```py\n{GOOD}\n```",
        f"First try:\n```\ndef add(a, b): return a\n```\nBetter:\n```\n{GOOD}\n```",
        f"1. Write:\n    ```python\n    {GOOD.replace(chr(10), chr(10) + '    ')}\n    ```",
        f"~~~python\n{GOOD}\n~~~",
        f"````python\n{GOOD}\n# ```\n````",
        f"```python\n{GOOD}",
        f"Here you are:\n\n{GOOD}\n\nIt adds two numbers, that's all.",
        f"<think>```python\ndef add(a, b): return 0\n```</think>\n{GOOD}",
    ],
)
async def test_the_code_is_found_among_the_prose(answer: str) -> None:
    assert await quality(UnitTests("assert add(1, 2) == 3"), answer) == 1


def test_code_in_several_blocks_is_put_together_where_one_lacks_a_name() -> None:
    blocks = ["def first(): pass", "def second(): pass", "print(first())"]
    assert chosen(blocks, ["first", "second"]) == "\n".join(blocks)
    assert chosen(blocks, ["second"]) == blocks[1]
    with pytest.raises(SyntaxError):
        chosen(["no code"], ["first"])


def test_the_names_that_tests_need_are_known() -> None:
    tests = (
        "import math\nstack = Stack()\ndef test_x():\n    assert push(stack, math.pi)\n"
        "assert [f(x) for x in (1, 2)] and sorted(map(lambda y: g(y), []))\n"
        "assert raises(ValueError, h)\nx = size()\ndef test_y(size):\n    add = 1\n    k(add)"
    )
    assert names_tested(tests) == ["Stack", "f", "g", "h", "k", "push", "size"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Paris", 1),
        (" paris. ", 1),
        ("**Paris**\n", 1),
        ("“Paris”", 1),
        ("ＰＡＲＩＳ", 1),  # noqa: RUF001 - wide letters are what is tested
        ("Paris, France", 0),
        ("It is Paris", 0),
        ("", 0),
        ("Lutetia", 1),
    ],
)
async def test_exact_forgives_form_and_nothing_else(answer: str, expected: float) -> None:
    assert await quality(Exact(("Paris", "Lutetia")), answer) == expected


@pytest.mark.parametrize("marks", ["\u0315\u0300", "\u0f73\u0f71", "\u0301\u0323"])
def test_rows_of_marks_cost_no_time(marks: str) -> None:
    first, second = tuple(marks)
    before = time.process_time()
    text = normalized("é" + first * (MOST_CHARACTERS // 2) + second * (MOST_CHARACTERS // 2))
    assert time.process_time() - before < 1
    assert len(text) < 100


def test_marks_that_people_write_stay() -> None:
    assert normalized("Zu\u0308rich, ཧཱུྃ, Việt Nam") == normalized("Zürich, ཧཱུྃ, Vie\u0323\u0302t Nam")
    assert normalized("Zürich") != normalized("Zurich")


async def test_what_is_far_longer_than_the_expected_answer_is_not_compared() -> None:
    before = time.process_time()
    assert await quality(Exact(("a",) * 100), "é" * MOST_CHARACTERS) == 0
    assert time.process_time() - before < 0.1
    assert await quality(Exact(("a",)), f"**{' ' * 150}a**") == 1


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("42", (42,)),
        ("First 7, then 42.", (42,)),
        ("#### 42\nI hope these 3 steps help", (42,)),
        ("so $\\boxed{1{,}234}$, in 2 steps", (1234,)),
        ("1,234,567.5 EUR", (1234567.5,)),
        ("\\$1,000", (1000,)),
        ("-3", (-3,)),
        ("x = \u22123", (-3,)),
        ("-$5", (-5,)),
        ("from 3-5", (5,)),
        ("3/4", (0.75,)),
        ("\\dfrac{3}{4}", (0.75,)),
        ("25%", (25, 0.25)),
        ("25 percent", (25, 0.25)),
        ("12.5\\%", (12.5, 0.125)),
        ("1.5e3", (1500,)),
        (".5", (0.5,)),
        ("1e999999", (float("inf"),)),
        ("42km", (42,)),
        ("on 2/0", ()),
        ("none at all", ()),
        ("", ()),
    ],
)
def test_the_last_number_is_read_as_people_write_it(answer: str, found: tuple[float, ...]) -> None:
    assert tuple(numbers(answer)) == found


async def test_a_number_has_its_tolerance() -> None:
    check = Number(0.25, tolerance=0.01)
    assert [await quality(check, text) for text in ("0.259", "1/4", "25%", "0.27", "-0.25")] == [
        1,
        1,
        1,
        0,
        0,
    ]
    found = await judged(check, "no idea")
    assert (found.quality, found.by, found.detail) == (0, "number", "it holds no number")


@pytest.mark.parametrize("hostile", ["9" * MOST_CHARACTERS, "1,111" * 40_000, "-" * 200_000])
async def test_long_rows_of_digits_cost_no_time(hostile: str) -> None:
    assert await quality(Number(1), hostile) == 0


SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 0}, "name": {"const": "Ada"}},
    "required": ["age", "name"],
}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"age": 3, "name": "Ada"}', "right"),
        ('Here:\n```json\n{"age": 3, "name": "Ada"}\n```\nDone.', "right"),
        ('The result is {"age": 3, "name": "Ada"} as asked.', "right"),
        ('{"age": "3", "name": "Ada"}', "the schema's properties.age.type does not hold"),
        ('{"age": -3, "name": "Ada"}', "the schema's properties.age.minimum does not hold"),
        ('{"age": 3}', "the schema's required does not hold"),
        ("{age: 3}", "it holds no JSON"),
        ('{"age": NaN, "name": "Ada"}', "it holds no JSON"),
        ("[" * 40_000, "it holds no JSON"),
        ("[" * 60_000, "it is too long"),
        ("[" + "9" * 10_000 + "]", "it holds no JSON"),
    ],
)
async def test_json_is_found_and_held_against_its_schema(answer: str, said: str) -> None:
    found = await judged(JsonAnswer(SCHEMA), answer)
    assert (found.by, found.detail) == ("JSON schema", said)
    assert found.quality == (said == "right")


async def test_a_number_that_no_float_can_be_breaks_the_schema() -> None:
    found = await judged(JsonAnswer({"multipleOf": 0.5}), "1" + "0" * 400)
    assert (found.quality, found.detail) == (0, "the schema's multipleOf does not hold")


@pytest.mark.parametrize(
    ("check", "by", "detail"),
    [
        (
            JsonAnswer({"$ref": "http://127.0.0.1:9/"}),
            "JSON schema",
            "not held against the schema: _WrappedReferencingError",
        ),
        (JsonAnswer({"minimum": "x"}), "JSON schema", "not held against the schema: TypeError"),
        (JsonAnswer({"a": object()}), "", "not judged: TypeError"),
        (UnitTests("x = 1"), "", "not judged: ValueError"),
    ],
)
async def test_a_check_that_cannot_be_used_ends_no_run_and_logs_no_answer(
    check: Check, by: str, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert await judged(check, "4711") == Verdict(None, by, detail)
    assert "4711" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_the_last_fenced_json_counts() -> None:
    text = '```json\n{"a": 1}\n```\nno, rather\n```json\n{"a": 2}\n```'
    assert json_in(text) == {"a": 2}


async def test_matches_counts_the_conditions_that_hold() -> None:
    check = Matches(patterns=(r"^\d+ apples$",), contains=("Apples",), lacks=("pears",))
    assert await quality(check, "12 apples") == 1
    assert await quality(check, "12 apples and pears") == pytest.approx(1 / 3)
    found = await judged(check, "apples")
    assert (found.by, found.detail) == ("match", "2 of 3 conditions hold")


async def test_what_has_no_check_has_no_quality() -> None:
    assert await judged(Unchecked(), "x") == Verdict(None, "nothing", "the case has no check")


@pytest.mark.parametrize(
    "check", [ADD, Exact(("a",)), Number(1), JsonAnswer(SCHEMA), Matches(contains=("a",))]
)
async def test_no_verdict_holds_a_part_of_the_answer(check: Any) -> None:
    answer = "def add(a, b): raise type('Zanzibar', (Exception,), {})('Zanzibar')\n#Zanzibar"
    found = await judged(check, answer)
    assert "Zanzibar" not in found.detail + found.by
    assert not found.is_opinion
