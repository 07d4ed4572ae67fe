"""What concerns all tests."""

import gc
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


def pytest_configure() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and programs inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """What is imported stays until the end: to look for garbage among it takes its time.

    A third of collecting all tests, and again and again while they run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """What a test logged goes from one process to another, and half characters cannot."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "replace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every test that asks for a database runs on SQLite and on a real PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db"
    # Most tests need none, and it takes its time to import.
    from tests.stand_ins.postgres import postgres

    return postgres().new_database()
