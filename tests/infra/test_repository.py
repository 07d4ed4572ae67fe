"""What may be in the repository, and what the lock file must hold."""

import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.stand_ins.machine import need

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "infra" / "requirements.lock"
TOP_LEVEL = {"pyproject.toml", "gateway", "protos", "infra", "tests", "docs", "README.md"}


def files() -> Sequence[str]:
    """What is committed, and what would be with the next `git add`."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is a copy without its git history")
    # In CI the checkout may belong to somebody else.
    command = [need("git"), "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(
        [*command, "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.rstrip("\0").split("\0")


def locked() -> Mapping[str, tuple[Requirement, Sequence[str]]]:
    """By name: each requirement of the lock file with the hashes of its files."""
    found: dict[str, tuple[Requirement, Sequence[str]]] = {}
    for line in LOCK.read_text().replace("\\\n", " ").splitlines():
        text, *hashes = line.split("--hash=")
        requirement = Requirement(text)
        found[canonicalize_name(requirement.name)] = (requirement, [one.strip() for one in hashes])
    return found


def test_the_top_level_is_what_the_design_says() -> None:
    visible = {file.split("/")[0] for file in files() if not file.startswith(".")}
    assert visible == TOP_LEVEL


def test_uv_s_own_lock_is_not_committed() -> None:
    # It names the hosts that packages came from.
    assert not [file for file in files() if Path(file).name == "uv.lock"]


def test_the_lock_names_no_host_and_no_path() -> None:
    assert not re.search(r"[:/]/|\.\./|^\s*-[a-z-]*(index|find)", LOCK.read_text(), re.MULTILINE)
    assert "@" not in LOCK.read_text()


def test_every_locked_package_has_one_version_and_its_hashes() -> None:
    for requirement, hashes in locked().values():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


def test_the_lock_fits_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = locked()
    for asked in map(Requirement, project["dependencies"]):
        assert canonicalize_name(asked.name) in pinned, f"{asked}: run infra/lock"
        found, _ = pinned[canonicalize_name(asked.name)]
        version = str(found.specifier).removeprefix("==")
        assert asked.specifier.contains(version), f"{asked} but {found}: run infra/lock"


@pytest.mark.parametrize("script", ["infra/check", "infra/lock", ".ci/run"])
def test_a_script_can_be_started_and_is_read_by_bash(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111 == 0o111
    subprocess.run([need("bash"), "-n", str(path)], check=True)
