"""The shipped systemd unit, as systemd itself reads it."""

import re
import subprocess
from pathlib import Path

import pytest

from gateway.config.settings import load
from tests.stand_ins.machine import need

FOLDER = Path(__file__).parents[2] / "infra" / "systemd"
UNIT = FOLDER / "gateway.service"
EXAMPLE = FOLDER / "gateway.env.example"
INSTALLED = "/opt/gateway/.venv/bin/gateway"
MOST_EXPOSURE = 20  # of 100, in tenths of what systemd prints; an unhardened service has 96


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The shipped unit with a program that is there: systemd complains about one that is not."""
    shipped = UNIT.read_text()
    assert f"ExecStart={INSTALLED} serve\n" in shipped
    copy = tmp_path / UNIT.name
    copy.write_text(shipped.replace(INSTALLED, "/bin/true"))
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("systemd-analyze"), *arguments], capture_output=True, text=True, check=False
    )


def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    verified = analyze("verify", "--man=no", str(unit))
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_the_unit_leaves_little_to_whoever_breaks_in(unit: Path) -> None:
    rated = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit))
    assert rated.returncode == 0, rated.stdout + rated.stderr


def test_the_environment_file_names_what_the_program_reads() -> None:
    asked: set[str] = set()

    class Environment(dict[str, str]):
        def get(self, name: str, default: object = None) -> None:  # type: ignore[override]  # records
            asked.add(name)

    load(environment=Environment())
    shown = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(asked)
