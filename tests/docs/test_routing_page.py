"""What docs/routing.md shows is what happens."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from gateway.benchmarks.case import Exact, JsonAnswer, Judged, Matches, Number, UnitTests
from gateway.benchmarks.suite import read_suite, shipped_suite
from gateway.config.models_file import ModelsFile
from gateway.evidence.observation import Observation
from gateway.evidence.sums import summed
from gateway.llm.belief import Beliefs
from gateway.llm.policy import Priority
from gateway.llm.scoring import PATIENCE_SECONDS, WORTH_MICROUSD
from tests.docs.test_tools_page import blocks
from tests.stand_ins.gateway_process import GatewayProcess, running_gateway
from tests.stand_ins.machine import need

PAGE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text("utf-8")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
# Facts of a catalog of which 63 % good answers are expected.
PRIOR = 0.38 / 0.73


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    with running_gateway("--demo-llm") as running:
        yield running


def curls() -> list[list[str]]:
    lines = "\n".join(blocks(PAGE, "sh")).replace("\\\n", " ")
    found = re.findall(r"^curl (?:[^'\n]|'[^']*')*", lines, re.MULTILINE)
    return [shlex.split(one) for one in found]


def believed(good: int, looks: int, *, days_ago: int = 0) -> str:
    at = NOW - timedelta(days=days_ago)
    seen = [
        (Observation("a/b", "coding", "benchmark", float(n < good), 1.0, "benchmark:1", at), 1)
        for n in range(looks)
    ]
    return f"{Beliefs(summed(seen, NOW)).of('a/b', 'coding', prior=PRIOR).quality:.0%}"


@pytest.mark.parametrize("command", curls(), ids=lambda command: command[-1][:60])
def test_each_request_of_the_page_is_answered(command: list[str], gateway: GatewayProcess) -> None:
    moved = [one.replace("http://127.0.0.1:3001", gateway.base_url) for one in command]
    ran = subprocess.run(
        [need("curl"), "--fail-with-body", *moved[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    # The route that it rates is of another gateway.
    is_unknown = "no answer of yours has the route" in ran.stdout
    assert ran.returncode == 0 or is_unknown, ran.stdout + ran.stderr
    assert not is_unknown or "feedback" in " ".join(command)


def test_the_suite_of_the_page_has_every_kind_of_check(tmp_path: Path) -> None:
    (suite,) = [one for one in blocks(PAGE, "yaml") if one.startswith("cases:")]
    file = tmp_path / "mine.yaml"
    file.write_text(suite)
    kinds = {type(case.check) for case in read_suite(file)}
    assert kinds == {UnitTests, Number, Exact, JsonAnswer, Matches, Judged}


def test_the_settings_of_the_page_are_taken() -> None:
    (settings,) = [one for one in blocks(PAGE, "yaml") if one.startswith("model_selection:")]
    explore = ModelsFile.model_validate(yaml.safe_load(settings)).model_selection.explore
    assert (explore.share, explore.work) == (0.05, False)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("1 answer, good", believed(1, 1)),
        ("3, all good", believed(3, 3)),
        ("10, all good", believed(10, 10)),
        ("10, 8 of them good", believed(8, 10)),
        ("5, none good", believed(0, 5)),
    ],
)
def test_a_belief_moves_as_the_page_says(line: str, shown: str) -> None:
    assert f"| {line} | {shown.replace('%', ' %')} |" in PAGE


def test_a_belief_fades_as_the_page_says() -> None:
    one, two = (believed(10, 10, days_ago=days).rstrip("%") for days in (30, 60))
    assert f"| the same 10, 30 and 60 days later | {one} and {two} % |" in PAGE


@pytest.mark.parametrize("priority", WORTH_MICROUSD)
def test_what_a_good_answer_is_worth_stands_on_the_page(priority: Priority) -> None:
    worth, seconds = WORTH_MICROUSD[priority] / 1_000_000, PATIENCE_SECONDS[priority]
    dollars = f"${worth:.2f}" if worth >= 0.01 else f"${worth:.3f}"
    assert f"| `{priority}` | {dollars} | {seconds:,} s |" in PAGE


def test_the_page_counts_the_cases_that_ship() -> None:
    cases = shipped_suite()
    opinions = [one for one in cases if isinstance(one.check, Judged)]
    coding = [one for one in cases if one.task == "coding"]
    text = " ".join(PAGE.split())
    assert f"the {len(cases)} cases that ship: {len(coding)} of coding" in text
    assert len(opinions) == 3
    assert "Three of them need a `--judge`" in text
    assert f"{len(cases) - len(opinions)} questions with checks" in text
