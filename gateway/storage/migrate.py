"""Makes the tables of a new database, and brings those of an older one up to date."""

import logging
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, text

from gateway.errors import ConfigurationError
from gateway.storage.every_table import tables

# The last of the migrations. Compared first, because Alembic takes a third of a second to import.
NEWEST = "0005"
MIGRATIONS = Path(__file__).parent / "migrations"
# As Alembic makes it.
_VERSIONS = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)

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
        bring = _create if stored is None else upgrade
        bring(connection)
        logger.info("the tables of the database are now of version %s", NEWEST)


def _stored_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _create(connection: Connection) -> None:
    """What all migrations together lead to, without Alembic."""
    tables.create_all(connection, checkfirst=False)
    _VERSIONS.create(connection)
    connection.execute(_VERSIONS.insert().values(version_num=NEWEST))


def upgrade(connection: Connection, *, to: str = "head") -> None:
    """Run the migrations that the database has not seen; on an empty one, all."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, to)
