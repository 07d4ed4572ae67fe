"""Imports point down, and who shares a floor does not know its neighbour."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1] / "gateway"
# From the roof to the cellar; what stands on one line shares a floor.
FLOORS = (
    ("__main__",),
    ("terminal",),
    ("server",),
    ("app",),
    ("config",),
    (
        "sources",
        "endpoints",
        "model_tools",
        "routing_tools",
        "benchmark_tools",
        "agent_tools",
        "task_tools",
    ),
    ("benchmarks", "learning", "agents"),
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
        "tasks",
        "downstream",
        "documents",
    ),
    ("storage",),
    ("market", "demo_llm", "client"),
    ("protobuf",),
    (
        "caller",
        "cancellation",
        "keys",
        "errors",
        "clock",
        "garbage",
        "idempotency",
        "loopback",
        "request_id",
        "shipped",
        "text",
        "version",
    ),
)
HEIGHT = {room: len(FLOORS) - floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# The bundled provider is a program of its own: it may use the cellar, and only these may use it.
PROGRAMS = ("market", "demo_llm", "client")
PROGRAMS_ARE_KNOWN_TO = {"__main__", "terminal", "app", "config"}
DATABASE = {"sqlalchemy", "alembic", "psycopg"}
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
    "agents",
    "tasks",
}
MAX_LINES = 400

FILES = sorted(ROOT.rglob("*.py"))


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


@cache
def imported(file: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return frozenset(names)


def room(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def place(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


# Each over all files: a test of its own for each of them would cost a quarter of all tests.
def test_imports_point_down() -> None:
    for file in FILES:
        here = room(file)
        if here == "__init__":
            continue
        there = {name.split(".")[1] for name in imported(file) if name.startswith("gateway.")}
        for other in there - {here}:
            assert HEIGHT[other] < HEIGHT[here], f"{place(file)} must not know {other}"
        for program in there.intersection(PROGRAMS):
            assert here in {program, *PROGRAMS_ARE_KNOWN_TO}, place(file)


def test_only_the_edges_talk_to_the_network() -> None:
    for file in FILES:
        used = {name.split(".")[0] for name in imported(file)} & NETWORK
        is_edge = any(place(file).startswith(room) for room in MAY_USE_NETWORK)
        assert not used or is_edge, f"{place(file)} imports {used}"


def test_only_what_keeps_rows_knows_the_database() -> None:
    for file in FILES:
        used = {name.split(".")[0] for name in imported(file)} & DATABASE
        assert not used or room(file) in MAY_OPEN_THE_DATABASE, f"{place(file)} imports {used}"


def test_every_file_is_said_in_a_sentence_and_stays_small() -> None:
    for file in FILES:
        text = file.read_text("utf-8")
        if file.name == "__init__.py":
            assert text == "", place(file)
            continue
        said = ast.get_docstring(parsed(file))
        assert said, f"{place(file)} says in its first line what it is"
        assert said.splitlines()[0].endswith((".", ":")), f"{place(file)}: {said.splitlines()[0]}"
        assert len(text.splitlines()) <= MAX_LINES, place(file)


def test_only_config_reads_the_environment() -> None:
    for file in FILES:
        text = file.read_text("utf-8")
        if any(name in text for name in ("os.environ", "getenv", "envvar=")):
            assert room(file) == "config", place(file)
