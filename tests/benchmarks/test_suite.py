"""The shipped suite tells right from wrong, and a suite of the user's is read strictly."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
import yaml

from gateway.benchmarks.case import Case, Exact, Judged, Matches, Number, Unchecked, UnitTests
from gateway.benchmarks.checks import verdict
from gateway.benchmarks.sandbox import Sandbox
from gateway.benchmarks.suite import read_suite, shipped_suite
from gateway.errors import ConfigurationError

ANSWERS = yaml.safe_load(Path(__file__).with_name("suite_answers.yaml").read_text("utf-8"))
CASES = {case.id: case for case in shipped_suite()}
CHECKED = [case for case in CASES.values() if not isinstance(case.check, Judged)]


def test_the_suite_spans_the_tasks_and_rises_in_difficulty() -> None:
    tasks = Counter(case.task for case in CASES.values())
    assert tasks >= Counter(coding=12, complex=8, quick=4, general=4, research=2, creative=1)
    stated = [
        (case.task, case.complexity) for case in CASES.values() if case.complexity is not None
    ]
    coding = [complexity for task, complexity in stated if task == "coding"]
    assert len(coding) == tasks["coding"]
    assert coding == sorted(coding)
    assert all(case.complexity is not None and case.expected_output_tokens for case in CHECKED)


def test_every_check_that_can_fail_has_a_right_and_a_wrong_answer() -> None:
    assert set(ANSWERS) == {case.id for case in CHECKED}


@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.id)
async def test_a_right_answer_passes_and_a_plausible_wrong_one_fails(case: Case) -> None:
    sandbox = Sandbox()
    right, wrong = await asyncio.gather(
        verdict(case, ANSWERS[case.id]["right"], sandbox=sandbox, ask=None),
        verdict(case, ANSWERS[case.id]["wrong"], sandbox=sandbox, ask=None),
    )
    assert right.quality == 1.0, right.detail
    assert wrong.quality is not None
    assert wrong.quality < 1.0
    assert not right.is_opinion


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, "utf-8")
    return file


def test_a_suite_of_ones_own_takes_every_kind_of_check(tmp_path: Path) -> None:
    cases = read_suite(
        written(
            tmp_path,
            """
cases:
  - {id: a, task: quick, prompt: "Yes or no?", check: {exact: "Yes"}}
  - {id: b, task: complex, prompt: "How many?", check: {number: 3}, system: Be brief.}
  - {id: c, task: coding, prompt: Write f, check: {unit_tests: assert f() == 1}}
  - {id: d, task: general, prompt: Say hello, check: {matches: {patterns: ["h.llo"]}}}
  - {id: e, task: general, prompt: A list, check: {json_schema: {type: array}}}
  - {id: f, task: creative, prompt: A poem, check: {rubric: It rhymes.}}
  - {id: g, task: long_context, prompt: Go on, max_output_tokens: 9}
""",
        )
    )
    kinds = [type(case.check).__name__ for case in cases]
    assert kinds == "Exact Number UnitTests Matches JsonAnswer Judged Unchecked".split()
    assert cases[0].check == Exact(("Yes",))
    assert (cases[1].check, cases[1].system) == (Number(3), "Be brief.")
    assert cases[2].check == UnitTests("assert f() == 1", 5.0)
    assert cases[3].check == Matches(patterns=("h.llo",))
    assert (cases[6].check, cases[6].max_output_tokens) == (Unchecked(), 9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "mine.yaml: is not YAML from line 1"),
        ("", "mine.yaml: cases: is missing"),
        ("cases: []", "mine.yaml: cases: "),
        ("case: 1", "mine.yaml: case: unknown key; it takes cases"),
        ("cases: [{id: a, task: quick}]", "mine.yaml: cases[0].prompt: is missing"),
        ("cases: [{id: A b, task: quick, prompt: x}]", "mine.yaml: cases[0].id: "),
        ("cases: [{id: a, task: cooking, prompt: x}]", "cases[0].task: should be 'coding'"),
        (
            "cases: [{id: a, task: quick, prompt: x, chek: 1}]",
            "cases[0].chek: unknown key; it takes id, task, prompt,",
        ),
        (
            "cases: [{id: a, task: quick, prompt: x}, {id: a, task: quick, prompt: y}]",
            "cases: the id 'a' stands twice",
        ),
    ],
)
def test_a_mistake_in_a_suite_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_suite(written(tmp_path, text))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("{}", "check: takes one of unit_tests, exact, number"),
        ("{exact: a, number: 1}", "not 2 keys"),
        ("{rubric: }", "check: has a key without a value"),
        ("{reggex: a}", "check.reggex: unknown key; it takes unit_tests, exact,"),
        ("{exact: []}", "check.exact: takes at least one answer"),
        ("{exact: [1]}", "check.exact[0]: should be a valid string"),
        ("{number: three}", "check.number: should be keys with values"),
        ("{number: .nan}", "check.number.expected: should be a finite number"),
        ("{unit_tests: 'assert ('}", "is not Python, see its line 1"),
        ("{unit_tests: 'x = 1'}", "holds neither an assert nor a def test_…()"),
        ("{matches: {}}", "check.matches: takes at least one of patterns"),
        ("{matches: {patterns: ['(']}}", "'(' is no regular expression"),
        ("{json_schema: {type: thing}}", "check.json_schema: is no JSON Schema"),
        ("{json_schema: {properties: {a: {pattern: (a+)+}}}}", "pattern is not supported"),
        ("{json_schema: {$ref: http://127.0.0.1/x}}", "$ref must stay in the schema"),
        ("{json_schema: &a {items: *a}}", "check.json_schema"),
        ("{json_schema: {const: 2026-11-21}}", "holds a date, which JSON has not"),
        (f"{{number: 1{'0' * 400}}}", "check.number"),
        (f"{{exact: {'a' * 2_001}}}", "check.exact[0]: String should have at most 2000 char"),
        (f"{{exact: {['a'] * 101}}}", "check.exact: Tuple should have at most 100 items"),
        (f"{{matches: {{contains: {['a'] * 101}}}}}", "check.matches.contains: "),
        ("{unit_tests: 'global x\nassert x\nnonlocal y'}", "is not Python"),
        (f"{{unit_tests: 'assert {'-' * 5_000}1'}}", "is not Python"),
    ],
)
def test_a_mistake_in_a_check_is_named(check: str, said: str, tmp_path: Path) -> None:
    case = f"cases: [{{id: a, task: quick, prompt: x, check: {check}}}]"
    with pytest.raises(ConfigurationError) as caught:
        read_suite(written(tmp_path, case))
    assert said in str(caught.value)


def test_a_property_may_be_called_pattern(tmp_path: Path) -> None:
    check = "{json_schema: {properties: {pattern: {type: string}}}}"
    case = f"cases: [{{id: a, task: quick, prompt: x, check: {check}}}]"
    assert len(read_suite(written(tmp_path, case))) == 1


def test_a_suite_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read"):
        read_suite(tmp_path / "none.yaml")
