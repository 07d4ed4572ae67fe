"""Brings the tables of a database up to date, by the migrations in `migrations/versions`."""

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gateway.errors import ConfigurationError

# The last of the migrations. Compared first, because Alembic takes a third of a second to import.
NEWEST = "0004"
MIGRATIONS = Path(__file__).parent / "migrations"

logger = logging.getLogger(__name__)


def migrate(connection: Connection) -> None:
    """Runs in the transaction of a writer: of two processes that start at once, one finds it done.

    Raises:
        ConfigurationError: the tables are of a newer gateway.
    """
    stored = _stored_version(connection)
    if stored is not None and stored > NEWEST:
        raise ConfigurationError(
            f"the database has tables of a newer gateway (version {stored}, this one knows "
            f"{NEWEST}); start that gateway, or name another database"
        )
    if stored != NEWEST:
        _upgrade(connection)
        logger.info("the tables of the database are now of version %s", NEWEST)


def _stored_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, "head")
