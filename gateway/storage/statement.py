"""A statement that SQLAlchemy words once for each kind of database, and that its driver runs.

SQLite runs most of them in microseconds; SQLAlchemy would take up to a tenth of a millisecond each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ClauseElement, Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPICursor, DBAPIModule
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import Compiled

Insert = sqlite.Insert | postgresql.Insert
Inserting = Callable[[Table], Insert]
Values = Mapping[str, Any]
Row = tuple[Any, ...]

_INSERTING: Mapping[str, Inserting] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Statement:
    """Takes all of its values by name, and runs in the transaction of a connection.

    `write` makes it from the tables; it gets the `insert` of the database at hand, which knows
    what to do on a conflict. An insert fills all columns but the number that the database gives.
    Values and columns are what both drivers take and give as it is: texts, numbers and None.

    Raises:
        DBAPIError: of the same class that SQLAlchemy itself would raise.
    """

    def __init__(self, write: Callable[[Inserting], ClauseElement]) -> None:
        self._write = write
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, values: Sequence[Values]) -> None:
        """Once for each of the values."""
        if not values:
            return
        text, cursor = self._text(connection.dialect), connection.connection.cursor()
        try:
            # To prepare for many takes PostgreSQL's driver longer than to do one.
            if len(values) == 1:
                cursor.execute(text, values[0])
            else:
                cursor.executemany(text, values)
        except connection.dialect.loaded_dbapi.Error as error:
            raise known(error, connection) from error

    def rows(self, connection: Connection, values: Sequence[Values]) -> list[Row]:
        """What it finds for each of the values, or changes and returns, one after the other."""
        if not values:
            return []
        text, cursor = self._text(connection.dialect), connection.connection.cursor()
        is_sent_at_once = connection.dialect.name == "postgresql" and len(values) > 1
        found = _found_at_once if is_sent_at_once else _found_one_by_one
        try:
            return [row for rows in found(cursor, text, values) for row in rows]
        except connection.dialect.loaded_dbapi.Error as error:
            raise known(error, connection) from error

    def _text(self, dialect: Dialect) -> str:
        if dialect.name not in self._texts:
            statement = self._write(_INSERTING[dialect.name])
            self._texts[dialect.name] = str(_compiled(statement, dialect))
        return self._texts[dialect.name]


def known(error: Exception, connection: Connection) -> Exception:
    """What SQLAlchemy makes of a driver's error; a connection that is gone is not used again."""
    dialect, driven = connection.dialect, connection.connection.dbapi_connection
    is_gone = dialect.is_disconnect(cast(DBAPIModule.Error, error), driven, None)
    if is_gone:
        connection.invalidate(error)
    return DBAPIError.instance(
        None,
        None,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=is_gone,
        dialect=dialect,
    )


def _found_one_by_one(
    cursor: DBAPICursor, text: str, values: Sequence[Values]
) -> Iterator[Sequence[Row]]:
    for one in values:
        cursor.execute(text, one)
        yield cursor.fetchall()


def _found_at_once(
    cursor: DBAPICursor, text: str, values: Sequence[Values]
) -> Iterator[Sequence[Row]]:
    """On PostgreSQL: all in one trip to the server."""
    cursor.executemany(text, values, returning=True)  # type: ignore[call-arg]  # psycopg takes it
    yield cursor.fetchall()
    while cursor.nextset():
        yield cursor.fetchall()


def _compiled(statement: ClauseElement, dialect: Dialect) -> Compiled:
    if not isinstance(statement, sqlite.Insert | postgresql.Insert):
        return statement.compile(dialect=dialect)
    table = statement.table
    assert isinstance(table, Table)
    filled = [column.name for column in table.columns if column is not table.autoincrement_column]
    # Nobody asks for the number that the database gives.
    return statement.inline().compile(dialect=dialect, column_keys=filled)
