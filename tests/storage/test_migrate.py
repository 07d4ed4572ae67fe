"""Migrations: they lead to the tables that the code knows."""

import asyncio
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.storage.database import Database
from gateway.storage.migrate import MIGRATIONS, NEWEST
from gateway.storage.tables import tables


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), tables))


async def test_the_migrations_lead_to_the_tables_of_the_code(database_url: str) -> None:
    async with Database(database_url) as database:
        assert await database.read(differences) == []


def test_the_newest_version_is_that_of_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [NEWEST]
    # They are compared as text.
    assert all(len(migration.revision) == 4 for migration in script.walk_revisions())


async def test_a_database_that_is_up_to_date_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    async with Database(url):
        pass
    program = (
        "import asyncio, sys\n"
        "from gateway.storage.database import Database\n"
        "async def main():\n"
        f"    async with Database({url!r}):\n"
        "        assert 'alembic' not in sys.modules\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    async with asyncio.timeout(10):
        assert await process.wait() == 0
