"""Engines for SQLite and PostgreSQL on which writers take turns, over all processes."""

import os
import sqlite3
import stat
import time
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import ConfigurationError
from gateway.storage.statement import known

# Any number does that nothing else locks in the same PostgreSQL database.
_WRITERS_LOCK = 0x6761746577617921
_WAIT_SECONDS = 30
# SQLite by itself would look after 1, 2, 5 … 100 ms: with two processes, calls waited for 107 ms.
_LOOK_AGAIN_SECONDS = 0.001

# WAL lets readers read while one writes. NORMAL keeps all that was committed when a process is
# killed; only when the machine loses power can the last moments be missing.
_SQLITE_SETTINGS = (
    f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
)
# A process that stands still in the middle of a transaction must not keep the others waiting.
_POSTGRESQL_SETTINGS = (
    f"SET lock_timeout = '{_WAIT_SECONDS}s'",
    f"SET idle_in_transaction_session_timeout = '{_WAIT_SECONDS}s'",
)


def database_url(text: str) -> URL:
    """Reads `sqlite:///gateway.db`, `sqlite:////var/lib/gateway.db` or `postgresql://…`."""
    try:
        url = make_url(text)
    except ArgumentError:
        # Its message repeats the URL, which may hold a password.
        raise ConfigurationError(_WHAT_IT_TAKES.format("cannot be read")) from None
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise ConfigurationError(_WHAT_IT_TAKES.format("names no file"))
        return url.set(drivername="sqlite+pysqlite")
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise ConfigurationError(_WHAT_IT_TAKES.format(f"is of {url.get_backend_name()!r}"))


_WHAT_IT_TAKES = (
    "the database URL {}; it takes sqlite:///path/of/the/file.db or "
    "postgresql://user:password@host/database"
)


def shown(url: URL) -> str:
    """The URL without what may be secret in it."""
    plain = url.set(drivername=url.get_backend_name(), password=None, query={})
    return plain.render_as_string()


def writing_engine(url: URL) -> Engine:
    """Has one connection; each of its transactions begins when all others' have ended."""
    engine = _engine(url, connections=1)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _wait_briefly_on_sqlite)
        event.listen(engine, "begin", _begin_alone_on_sqlite)
    else:
        event.listen(engine, "begin", _begin_alone_on_postgresql)
    return engine


def reading_engine(url: URL, *, connections: int) -> Engine:
    """All that one of its transactions reads is of one moment, and it cannot write."""
    engine = _engine(url, connections=connections)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _only_read_sqlite)
        event.listen(engine, "begin", _begin_on_sqlite)
        return engine
    # Its transactions begin with the work, too late to notice that the server was restarted.
    event.listen(engine, "begin", _ask_for_an_answer)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def create_private_file(url: URL) -> None:
    """Nobody but the owner may read the file; SQLite gives those beside it the same mode."""
    file = Path(url.database or "")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        file.chmod(0o600)


def _engine(url: URL, *, connections: int) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        # Parameters are what callers did; they do not belong in an error or a log.
        hide_parameters=True,
        connect_args={} if is_sqlite else {"connect_timeout": 10},
        # With a snapshot older than the lock, a writer would decide by totals that are stale.
        isolation_level=None if is_sqlite else "READ COMMITTED",
        # A Statement's values have names on both.
        paramstyle="named" if is_sqlite else "pyformat",
    )
    event.listen(engine, "connect", _set_up_sqlite if is_sqlite else _set_up_postgresql)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Python's driver would begin transactions by itself, later than it should.
    connection.isolation_level = None
    cursor = connection.cursor()
    for setting in _SQLITE_SETTINGS:
        # Of several that open a new file at once, SQLite lets one make the log and refuses others.
        _execute_in_turn(cursor, setting)
    cursor.close()


def _only_read_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _wait_briefly_on_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 0")
    cursor.close()


def _set_up_postgresql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Its driver is not loaded before there is a PostgreSQL.
    from gateway.storage.postgresql_text import PostgresqlText

    connection.adapters.register_dumper(str, PostgresqlText)
    cursor = connection.cursor()
    for setting in _POSTGRESQL_SETTINGS:
        cursor.execute(setting)
    cursor.close()
    connection.commit()


def _begin_on_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _ask_for_an_answer(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1")


def _begin_alone_on_sqlite(connection: Connection) -> None:
    try:
        _execute_in_turn(connection.connection.cursor(), "BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        raise known(error, connection) from error


def _execute_in_turn(cursor: DBAPICursor, text: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            cursor.execute(text)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_SECONDS)


def _begin_alone_on_postgresql(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
