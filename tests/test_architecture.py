"""Imports point down, and who shares a floor does not know its neighbour."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "gateway"
# From the roof to the cellar; what stands on one line shares a floor.
FLOORS = (
    ("__main__",),
    ("terminal",),
    ("server",),
    ("app",),
    ("config",),
    ("sources", "endpoints", "model_tools", "routing_tools", "benchmark_tools"),
    ("benchmarks", "learning"),
    ("llm",),
    ("tools",),
    (
        "usage",
        "conversations",
        "stored_responses",
        "approvals",
        "tool_pins",
        "evidence",
        "strategies",
        "downstream",
        "documents",
    ),
    ("storage",),
    ("market", "demo_llm", "client"),
    ("protobuf",),
    ("caller", "keys", "errors", "clock", "loopback", "request_id", "text", "version"),
)
HEIGHT = {room: len(FLOORS) - floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# The bundled provider is a program of its own: it may use the cellar, and only these may use it.
PROGRAMS = ("market", "demo_llm", "client")
PROGRAMS_ARE_KNOWN_TO = {"__main__", "terminal", "app", "config"}
NETWORK = {"httpx", "grpc", "grpc_health", "aiohttp"}
MAY_USE_NETWORK = {"downstream", "market", "client", "llm/provider"}
MAY_OPEN_THE_DATABASE = {
    "storage",
    "usage",
    "conversations",
    "stored_responses",
    "approvals",
    "tool_pins",
    "evidence",
    "strategies",
    "benchmarks",
}
MAX_LINES = 400

FILES = sorted(ROOT.rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def room(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_down(file: Path) -> None:
    here = room(file)
    if here == "__init__":
        return
    there = {name.split(".")[1] for name in imported(file) if name.startswith("gateway.")}
    for other in there - {here}:
        assert HEIGHT[other] < HEIGHT[here], f"{here} must not know {other}"
    for program in there.intersection(PROGRAMS):
        assert here in {program, *PROGRAMS_ARE_KNOWN_TO}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_only_the_edges_talk_to_the_network(file: Path) -> None:
    used = {name.split(".")[0] for name in imported(file)} & NETWORK
    place = file.relative_to(ROOT).as_posix()
    assert not used or any(place.startswith(room) for room in MAY_USE_NETWORK)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_only_what_keeps_rows_knows_the_database(file: Path) -> None:
    used = {name.split(".")[0] for name in imported(file)} & {"sqlalchemy", "alembic", "psycopg"}
    assert not used or room(file) in MAY_OPEN_THE_DATABASE


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_is_said_in_a_sentence_and_stays_small(file: Path) -> None:
    text = file.read_text("utf-8")
    if file.name == "__init__.py":
        assert text == ""
        return
    said = ast.get_docstring(ast.parse(text))
    assert said, "a module says in its first line what it is"
    assert said.splitlines()[0].endswith((".", ":")), said.splitlines()[0]
    assert len(text.splitlines()) <= MAX_LINES


def test_only_config_reads_the_environment() -> None:
    for file in FILES:
        text = file.read_text("utf-8")
        if any(name in text for name in ("os.environ", "getenv", "envvar=")):
            assert room(file) == "config", file
