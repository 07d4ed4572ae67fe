"""The database: private, up to date, one writer at a time, on SQLite and PostgreSQL."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest
from sqlalchemy import Connection, select, text

from gateway.errors import ConfigurationError, Unavailable
from gateway.storage.database import Database
from gateway.storage.tables import counted_limits
from tests.stand_ins.postgres import postgres


def adding(name: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(counted_limits.insert().values(limit_id=name))

    return work


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(counted_limits.c.limit_id).order_by("limit_id")))


async def test_what_was_written_is_there_after_the_next_start(database_url: str) -> None:
    async with Database(database_url) as database:
        await database.write(adding("monthly"))
    async with Database(database_url) as database:
        assert await database.read(names) == ["monthly"]


async def test_a_database_that_is_closed_holds_its_file_no_more(tmp_path: Path) -> None:
    log = tmp_path / "gateway.db-wal"
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        await database.write(adding("x"))
        await database.read(names)
        assert log.exists()
    # Whoever holds the file last removes its log.
    assert not log.exists()


async def test_work_that_fails_leaves_nothing_behind(database_url: str) -> None:
    def work(connection: Connection) -> None:
        adding("half")(connection)
        raise KeyError("half")

    async with Database(database_url) as database:
        with pytest.raises(KeyError):
            await database.write(work)
        assert await database.read(names) == []
        await database.write(adding("whole"))
        assert await database.read(names) == ["whole"]


async def test_writers_of_two_processes_take_turns(database_url: str) -> None:
    """Two that are inside at the same time would meet at the barrier."""
    meeting = Barrier(2)

    def work(connection: Connection) -> bool:
        connection.execute(select(1))
        try:
            meeting.wait(0.2)
        except BrokenBarrierError:
            return True
        return False

    async with Database(database_url) as one, Database(database_url) as other:
        assert all(await asyncio.gather(one.write(work), other.write(work)))


async def test_a_writer_sees_what_the_one_before_it_has_written(database_url: str) -> None:
    def count_up(connection: Connection) -> None:
        adding(f"{len(names(connection)):03}")(connection)

    async with Database(database_url) as one, Database(database_url) as other:
        await asyncio.gather(
            *(one.write(count_up) for _ in range(20)), *(other.write(count_up) for _ in range(20))
        )
        assert await one.read(names) == [f"{number:03}" for number in range(40)]


async def test_whoever_reads_cannot_write(database_url: str) -> None:
    async with Database(database_url) as database:
        with pytest.raises(Exception, match=r"read-?only"):
            await database.read(adding("by a reader"))
        assert await database.read(names) == []


async def test_processes_that_start_at_once_all_find_the_tables(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    await asyncio.gather(*(database.__aenter__() for database in databases))
    found = await asyncio.gather(*(database.read(names) for database in databases))
    await asyncio.gather(*(database.__aexit__() for database in databases))
    assert found == [[]] * 4


async def test_the_tables_of_a_newer_gateway_stop_the_start(database_url: str) -> None:
    def write_a_newer_version(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    async with Database(database_url) as database:
        await database.write(write_a_newer_version)
    with pytest.raises(ConfigurationError, match="a newer gateway"):
        await Database(database_url).__aenter__()


async def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    async with Database(f"sqlite:///{folder}/gateway.db") as database:
        await database.write(adding("x"))
        files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert files == dict.fromkeys(("gateway.db", "gateway.db-wal", "gateway.db-shm"), 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    file.touch(mode=0o644)
    async with Database(f"sqlite:///{file}"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gateway.db", "cannot be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://root@localhost/gateway", "'mysql'"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_what_it_takes(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        Database(url)
    assert "sqlite:///path/of/the/file.db" in str(refused.value)


async def test_an_unreachable_database_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://alice:secret@127.0.0.1:1/gateway?password=secret"
    with pytest.raises(ConfigurationError, match="cannot be opened") as refused:
        await Database(url).__aenter__()
    assert "alice" in str(refused.value)
    assert "secret" not in str(refused.value)
    (tmp_path / "text").write_text("this is no database, but it is long enough for one")
    with pytest.raises(ConfigurationError, match="not a database"):
        await Database(f"sqlite:///{tmp_path}/text").__aenter__()


async def test_after_a_restart_of_the_server_both_reading_and_writing_go_on() -> None:
    async with Database(postgres().new_database()) as database:
        await database.write(adding("before"))
        await database.read(names)
        postgres().end_all_connections()
        await database.write(adding("behind"))
        assert await database.read(names) == ["before", "behind"]


async def test_a_database_that_went_away_is_unavailable() -> None:
    def end_this_connection(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    async with Database(postgres().new_database()) as database:
        with pytest.raises(Unavailable, match="does not answer"):
            await database.write(end_this_connection)
        await database.write(adding("again"))
