"""Every test that asks for a database runs on SQLite and on a real PostgreSQL."""

from pathlib import Path

import pytest

from tests.stand_ins.postgres import postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db"
    return postgres().new_database()
