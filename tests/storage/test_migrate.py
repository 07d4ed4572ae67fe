"""Migrations and new databases: both lead to the tables that the code knows."""

import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from gateway.storage.database import Database
from gateway.storage.engines import database_url as database_url_of
from gateway.storage.engines import writing_engine
from gateway.storage.every_table import tables
from gateway.storage.migrate import MIGRATIONS, NEWEST, upgrade
from tests.stand_ins.postgres import postgres


@pytest.fixture
def another_url(database_url: str, tmp_path: Path) -> str:
    """Of another new database, of the same kind."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/another.db"
    return postgres().new_database()


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), tables))


def never_reusing(connection: Connection) -> set[str]:
    """The tables of SQLite that give out no number twice, which nothing else tells."""
    if connection.dialect.name != "sqlite":
        return set()
    made = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    return {name for name, sql in made if "AUTOINCREMENT" in sql}


def told(connection: Connection) -> dict[str, object]:
    """All that the database itself says of its tables."""
    told_by = inspect(connection)
    numbered = never_reusing(connection)
    return {
        name: (
            [{**column, "type": str(column["type"])} for column in told_by.get_columns(name)],
            told_by.get_pk_constraint(name)["constrained_columns"],
            sorted(one["column_names"] for one in told_by.get_unique_constraints(name)),
            sorted(map(str, told_by.get_indexes(name))),
            sorted(map(str, told_by.get_check_constraints(name))),
            sorted(map(str, told_by.get_foreign_keys(name))),
            name in numbered,
        )
        for name in told_by.get_table_names()
    }


def migrated(url: str) -> dict[str, object]:
    """What is told of a database that went through all migrations."""
    engine = writing_engine(database_url_of(url))
    with engine.begin() as connection:
        upgrade(connection)
        assert differences(connection) == []
        found = told(connection)
    engine.dispose()
    return found


async def test_the_migrations_lead_to_the_tables_of_the_code(database_url: str) -> None:
    assert await asyncio.to_thread(migrated, database_url)


async def test_a_new_database_is_what_all_migrations_together_lead_to(
    database_url: str, another_url: str
) -> None:
    async with Database(database_url) as database:
        new = await database.read(told)
    assert new == await asyncio.to_thread(migrated, another_url)


async def test_an_older_database_gets_the_tables_that_came_later(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    engine = writing_engine(database_url_of(url))
    with engine.begin() as connection:
        upgrade(connection, to="0001")
        assert differences(connection) != []
    engine.dispose()
    async with Database(url) as database:
        assert await database.read(differences) == []


def test_the_newest_version_is_that_of_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [NEWEST]
    # They are compared as text.
    assert all(len(migration.revision) == 4 for migration in script.walk_revisions())


async def test_a_database_that_is_new_or_up_to_date_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    program = (
        "import asyncio, sys\n"
        "from gateway.storage.database import Database\n"
        "async def main():\n"
        "    for _ in ('new', 'up to date'):\n"
        f"        async with Database({url!r}):\n"
        "            assert 'alembic' not in sys.modules\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    async with asyncio.timeout(10):
        assert await process.wait() == 0
