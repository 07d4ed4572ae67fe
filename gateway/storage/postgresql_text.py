"""Text as PostgreSQL takes it: without NUL, which SQLite keeps and callers can send."""

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown


class PostgresqlText(StrDumperUnknown):
    """How psycopg writes a `str`; a NUL becomes the letter for what cannot be shown."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\ufffd"))
