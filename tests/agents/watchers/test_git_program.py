"""The program git is run with bounds, and knows nothing of the gateway's own environment."""

import os
import subprocess
from pathlib import Path

import pytest

from gateway.agents.watchers.git_program import Git
from gateway.errors import BadAnswer, DeadlineExceeded


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    # A name of our own for a program that shows what it was given.
    subprocess.run(["git", "-C", str(tmp_path), "config", "alias.shown", "!env"], check=True)
    return tmp_path


async def test_one_that_takes_too_long_is_ended(repository: Path) -> None:
    # Nobody ever writes into it, so that who reads waits.
    os.mkfifo(repository / ".git" / "packed-refs")
    with pytest.raises(DeadlineExceeded, match="git for-each-ref: took more than"):
        await Git(repository, deadline_seconds=0.1).run("for-each-ref")


async def test_of_a_long_answer_only_so_much_is_read(repository: Path) -> None:
    (repository / "long.txt").write_text("a long line\n" * 200_000)
    git = Git(repository)
    said = await git.run("hash-object", "-w", "long.txt")
    blob = said.output.decode().strip()
    cut = await git.run("cat-file", "blob", blob, most_bytes=100)
    assert (len(cut.output), cut.is_cut) == (100, True)
    whole = await git.run("cat-file", "blob", blob, most_bytes=2_400_000)
    assert (len(whole.output), whole.is_cut) == (2_400_000, False)


async def test_an_error_says_what_git_says(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(BadAnswer, match="git cat-file: fatal: Not a valid object name"):
        await Git(repository).run("cat-file", "blob", "nothing")
    with pytest.raises(BadAnswer, match="No such file or directory"):
        await Git(tmp_path / "nowhere").run("rev-list")


async def test_it_knows_no_variable_of_the_gateway(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GATEWAY_SECRET", "hidden")
    said = await Git(repository).run("shown")
    assert b"GIT_ALLOW_PROTOCOL=none" in said.output
    assert b"hidden" not in said.output
    assert b"/nowhere" not in said.output


async def test_more_lines_than_arguments_are_read(repository: Path) -> None:
    lines = [f"{number:040x}" for number in range(60_000)]
    said = await Git(repository).run(
        "rev-list", "--no-walk", "--ignore-missing", "--stdin", lines=lines
    )
    assert said == (b"", False)


async def test_one_that_ends_before_it_has_read_all_says_why(repository: Path) -> None:
    with pytest.raises(BadAnswer, match="bad revision 'nothing'"):
        await Git(repository).run("rev-list", "--stdin", lines=["nothing"] * 100_000)
