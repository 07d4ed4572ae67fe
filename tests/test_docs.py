import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.sources.market.kind import market_kinds
from gateway.sources.reference import reference

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
HEADING_LINK = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")


def test_the_reference_of_documents_is_what_the_command_writes() -> None:
    written = (ROOT / "docs" / "documents.md").read_text("utf-8")
    assert written == reference(market_kinds()), "run: gateway documents > docs/documents.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    for target, heading in HEADING_LINK.findall(page.read_text("utf-8")):
        there = page.parent / target if target else page
        if there.suffix == ".md":
            assert heading in headings(there), f"{target}#{heading}"


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "command",
    "serve stdio chat tools market search fetch documents check version".split(),
)
def test_every_command_explains_itself(command: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "gateway", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "100", "PATH": "", "TERM": "dumb"},
    )
    assert f"gateway {command}" in said.stdout
    assert len(said.stdout) > 150


def test_the_pages_name_only_commands_that_exist() -> None:
    from gateway.__main__ import cli

    known = {command.callback.__name__ for command in cli.registered_commands if command.callback}
    known |= {str(group.name) for group in cli.registered_groups}
    for page in PAGES:
        named = set(re.findall(r"uv run gateway ([a-z]+)", page.read_text("utf-8")))
        assert named <= known, page.name


def test_every_page_names_the_same_way_to_developer_mode() -> None:
    home = ROOT / "gateway" / "endpoints" / "templates" / "home.html"
    way = (
        "Switch on Developer mode under Settings → Security and login (in older versions: "
        "Settings → Apps → Advanced settings, or Settings → Connectors → Advanced settings)."
    )
    for page in (ROOT / "README.md", ROOT / "docs" / "connect-chatgpt.md", home):
        words = re.sub(r"\*\*|</?strong>", "", page.read_text("utf-8"))
        assert way in " ".join(words.split()), page.name
