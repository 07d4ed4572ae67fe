"""What the command line says of the router's decisions, on prompts that nothing learned from."""

import re

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import cli


@pytest.fixture(scope="module")
def evaluated() -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(cli, ["evaluate", "routing", "--quick"])


def test_the_classifier_stands_beside_rules_and_chance(evaluated: Result) -> None:
    assert evaluated.exit_code == 0, evaluated.output
    recalls = {
        name: float(re.search(rf"{name}[^\n]*?(0\.\d\d\d) \(", evaluated.output)[1])  # type: ignore[index]
        for name in ("learned", "keyword rules", "chance")
    }
    assert recalls["learned"] > 0.8 > recalls["keyword rules"] + 0.3
    assert "What is asked in long text" in evaluated.output
    assert "what they are (rows), and what was said (columns)" in evaluated.output


def test_learning_without_its_data_says_what_is_missing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("nothing")
    result = CliRunner().invoke(cli, ["train", "routing", str(folder), "--target", str(folder)])
    assert result.exit_code != 0
    assert "task_dev.jsonl.gz" in str(result.exception)
