"""The database: one SQLite file, or a PostgreSQL that several processes share."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.errors import ConfigurationError, Unavailable
from gateway.storage.engines import (
    create_private_file,
    database_url,
    reading_engine,
    shown,
    writing_engine,
)
from gateway.storage.migrate import migrate

T = TypeVar("T")

_READERS = 4
_RETRY_SECONDS = 5.0


class Database:
    """Reads and writes in threads of its own; work is a function that takes a connection.

    The URL is `sqlite:///path` or `postgresql://…`. Opening it brings the tables up to date.

    Raises:
        ConfigurationError: it cannot be opened, or a newer gateway has changed its tables.
        Unavailable: it does not answer, and what was to be written was not, as far as is known.
    """

    def __init__(self, url: str) -> None:
        self._url: URL = database_url(url)

    @property
    def address(self) -> str:
        """The URL without its password."""
        return shown(self._url)

    async def __aenter__(self) -> Self:
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="database writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="database reader")
        self._writing = writing_engine(self._url)
        self._reading = reading_engine(self._url, connections=_READERS)
        self._kept: Connection | None = None
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """All that the work reads is of one moment."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """The work is one transaction, in turn with those of all other processes."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._write, work)

    def _open(self) -> None:
        try:
            if self._url.get_backend_name() == "sqlite":
                create_private_file(self._url)
            with self._writing.begin() as connection:
                migrate(connection)
        except (OSError, DBAPIError) as error:
            raise ConfigurationError(
                f"the database {self.address} cannot be opened: {_reason(error)}"
            ) from error

    async def _close(self) -> None:
        await asyncio.to_thread(self._close_all)

    def _close_all(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        if self._kept is not None:
            self._kept.close()
        self._reading.dispose()
        self._writing.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._answering(), _begun(self._reading.connect) as connection:
            return work(connection)

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self._answering():
            connection = self._kept = _begun(self._kept_or_new)
            try:
                result = work(connection)
                connection.commit()
            except BaseException:
                connection.close()
                raise
            return result

    def _kept_or_new(self) -> Connection:
        """To take it from the pool anew would take longer than all else of a small transaction."""
        return self._kept if self._kept and not self._kept.closed else self._writing.connect()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise self._unavailable(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise self._unavailable(error) from error
            raise

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"the database {self.address} does not answer: {_reason(error)}",
            retry_after_seconds=_RETRY_SECONDS,
        )


def _begun(connect: Callable[[], Connection]) -> Connection:
    """A connection in a transaction; what a restarted server has closed is opened anew."""
    try:
        return _begin(connect)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _begin(connect)


def _begin(connect: Callable[[], Connection]) -> Connection:
    connection = connect()
    try:
        connection.begin()
    except BaseException:
        connection.close()
        raise
    return connection


def _reason(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(original).strip().partition("\n")[0]
