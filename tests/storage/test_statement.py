"""Statements: worded once, run by the drivers of SQLite and PostgreSQL as SQLAlchemy would."""

from functools import partial

import pytest
from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError, ProgrammingError

from gateway.errors import Unavailable
from gateway.storage.database import Database
from gateway.storage.statement import Statement
from gateway.storage.tables import counted_limits, tool_calls, totals
from tests.stand_ins.postgres import postgres

NAME = counted_limits.c.limit_id
ADD = Statement(lambda insert: insert(counted_limits))
TAKE = Statement(lambda _: delete(counted_limits).where(bindparam("name") == NAME).returning(NAME))
COUNT = Statement(
    lambda _: select(bindparam("name"), func.count()).where(bindparam("name") == NAME)
)
NAMES = Statement(lambda _: select(NAME).order_by(NAME))

CALL = {
    "time": 2**62,
    "request_id": "%s :name ? \\ 'x' \"y\"",
    "caller": "",
    "tool": "naïve 鏈 🪙",
    "origin": "a\nb",
    "effect": "read",
    "outcome": "ok",
    "milliseconds": 0.1,
    "cost_microusd": None,
}


def named(*names: str) -> list[dict[str, str]]:
    return [{"limit_id": name} for name in names]


def asked(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b"), tuple("abcdefgh")])
async def test_it_runs_once_for_each_of_its_values(
    database_url: str, names: tuple[str, ...]
) -> None:
    async with Database(database_url) as database:
        await database.write(lambda c: ADD.run(c, named(*names)))
        found = await database.read(lambda c: NAMES.rows(c, [{}]))
        assert found == [(name,) for name in names]


@pytest.mark.parametrize("names", [(), ("c",), ("x",), ("c", "x", "a"), ("a", "a")])
async def test_what_it_finds_is_in_the_order_of_its_values(
    database_url: str, names: tuple[str, ...]
) -> None:
    async with Database(database_url) as database:
        await database.write(lambda c: ADD.run(c, named("a", "b", "c")))
        counted = await database.read(lambda c: COUNT.rows(c, asked(*names)))
        assert counted == [(name, int(name != "x")) for name in names]
        taken = await database.write(lambda c: TAKE.rows(c, asked(*names)))
        assert taken == [(name,) for name in dict.fromkeys(names) if name != "x"]
        left = await database.read(lambda c: NAMES.rows(c, [{}]))
        assert left == [(name,) for name in "abc" if name not in names]


@pytest.mark.parametrize("lines", [1, 3])
async def test_the_database_numbers_rows_and_gives_values_back_as_they_were(
    database_url: str, lines: int
) -> None:
    add, read = (
        Statement(lambda insert: insert(tool_calls)),
        Statement(lambda _: select(tool_calls)),
    )
    async with Database(database_url) as database:
        await database.write(lambda c: add.run(c, [CALL] * lines))
        rows = await database.read(lambda c: read.rows(c, [{}]))
        assert sorted(rows) == [(number + 1, *CALL.values()) for number in range(lines)]


async def test_an_insert_knows_what_to_do_on_a_conflict(database_url: str) -> None:
    add = Statement(
        lambda insert: (put := insert(totals)).on_conflict_do_update(
            index_elements=["limit_id", "key", "bucket"],
            set_={"settled": totals.c.settled + put.excluded.settled},
        )
    )
    row = {"limit_id": "a", "key": "", "bucket": 1, "reserved": 0, "unknown_costs": 0}
    async with Database(database_url) as database:
        for amounts in ([5], [7, 30]):
            rows = [{**row, "settled": amount} for amount in amounts]
            await database.write(partial(add.run, values=rows))
        assert await database.read(lambda c: c.scalar(select(totals.c.settled))) == 42


@pytest.mark.parametrize("names", [("a",), ("b", "a")])
async def test_what_the_driver_refuses_fails_as_with_sqlalchemy_and_leaves_nothing(
    database_url: str, names: tuple[str, ...]
) -> None:
    def twice(connection: Connection) -> None:
        ADD.run(connection, named("c"))
        ADD.run(connection, named(*names))

    async with Database(database_url) as database:
        await database.write(lambda c: ADD.run(c, named("a")))
        with pytest.raises(IntegrityError) as refused:
            await database.write(twice)
        assert not refused.value.connection_invalidated
        await database.write(lambda c: ADD.run(c, named("d")))
        assert await database.read(lambda c: NAMES.rows(c, [{}])) == [("a",), ("d",)]


async def test_a_value_without_a_name_is_not_taken_for_none(database_url: str) -> None:
    async with Database(database_url) as database:
        with pytest.raises(ProgrammingError):
            await database.write(lambda c: ADD.run(c, [{"limit": "a"}]))


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
async def test_a_database_that_goes_away_in_the_middle_is_unavailable_and_then_used_again(
    names: tuple[str, ...],
) -> None:
    def interrupted(connection: Connection) -> None:
        ADD.run(connection, named("before"))
        postgres().end_all_connections()
        ADD.run(connection, named(*names))

    async with Database(postgres().new_database()) as database:
        with pytest.raises(Unavailable, match="does not answer"):
            await database.write(interrupted)
        await database.write(lambda c: ADD.run(c, named("after")))
        assert await database.read(lambda c: NAMES.rows(c, [{}])) == [("after",)]


async def test_a_table_that_was_away_can_be_used_once_it_is_back(database_url: str) -> None:
    """Meanwhile it is an operational error on SQLite, and on PostgreSQL one of programming."""
    rename = (
        "ALTER TABLE counted_limits RENAME TO away",
        "ALTER TABLE away RENAME TO counted_limits",
    )
    async with Database(database_url) as database:
        await database.write(lambda c: c.exec_driver_sql(rename[0]))
        for _ in range(2):
            with pytest.raises((Unavailable, ProgrammingError)):
                await database.write(lambda c: TAKE.rows(c, asked("a", "b")))
        await database.write(lambda c: c.exec_driver_sql(rename[1]))
        await database.write(lambda c: ADD.run(c, named("a")))
