"""Opens the database that holds everything: one SQLite file under the data folder, or PostgreSQL.

The same stores work on both. On SQLite the file
is in WAL mode with ``synchronous=FULL``: what was committed survives a power cut, and readers see
one consistent state while somebody writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from gallery.engine_errors import raise_ours
from gallery.postgres import lock_schema, one_view, parse_address, postgres_engine
from gallery.schema import HEAD, current_revision, ensure_schema
from pipeline.errors import GalleryBusy, GalleryCorrupt, PinwatchError, StorageError

DATABASE_NAME = "pinwatch.db"
BUSY_TIMEOUT_S = 30.0

_WRITES = "pinwatch_writes"
_FULL_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_NO_ACCESS = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_NOT_OURS = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_HELD = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Database:
    """The engine, and the two kinds of transaction that everything goes through.

    Attributes:
        engine: Where the tables are.
        folder: The data folder; photographs are kept below it.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Take an engine as it is; see :meth:`open` for the usual way in.

        Raises:
            GalleryError: the schema is newer than this program knows.
            GalleryCorrupt: the database is not one of Pinwatch.
        """
        self.engine = engine
        self.folder = folder
        with self.read() as connection:
            fits = current_revision(connection) == HEAD
        if not fits:
            with self.write() as connection:
                if self.shared:
                    lock_schema(connection)
                ensure_schema(connection)

    @property
    def shared(self) -> bool:
        """Whether it is PostgreSQL, and no file of ours."""
        return self.engine.dialect.name == "postgresql"

    @classmethod
    def open(cls, folder: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
        """Open ``<folder>/pinwatch.db``, making folder and file where they are missing, and migrate it.

        Raises:
            StorageError: the folder cannot be made or written, or the disk is full.
            GalleryCorrupt: the file is there and is not a database, or not one of Pinwatch.
            GalleryBusy: another process holds the database for longer than `busy_timeout_s`.
            GalleryError: the file was made by a newer Pinwatch.
        """
        _make(folder)
        return cls._taking(sqlite_engine(folder / DATABASE_NAME, busy_timeout_s=busy_timeout_s), folder)

    @classmethod
    def connect(cls, address: str, folder: Path) -> Database:
        """Use a PostgreSQL database, and migrate it; photographs are kept under `folder`.

        Raises:
            ConfigError: `address` is no address, or the driver is not installed.
            StorageError: the folder cannot be made, or the database cannot be reached or refuses us.
            GalleryCorrupt: it holds tables that are not those of Pinwatch.
            GalleryError: its schema was made by a newer Pinwatch.
        """
        _make(folder)
        return cls._taking(postgres_engine(parse_address(address)), folder)

    @classmethod
    def _taking(cls, engine: Engine, folder: Path) -> Database:
        """On an engine of ours, which is let go if the database is not usable."""
        try:
            return cls(engine, folder)
        except BaseException:
            engine.dispose()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; nothing that others commit meanwhile is seen."""
        with self.engine.connect() as connection:
            if self.shared:
                one_view(connection)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it is durable when the block ends, none of it if it raises.

        Raises:
            StorageError: disk full or no permission; what was committed before is untouched.
            GalleryBusy: another writer holds the database for too long.
        """
        with self.engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Release all connections; safe twice."""
        self.engine.dispose()


def insert_new(connection: Connection, table: Table, **values: object) -> bool:
    """Insert a row unless its primary key is taken; whether it was inserted."""
    (key, *_) = table.primary_key
    row = _insert_unless_there(connection, table).values(**values).returning(key)
    return connection.execute(row).first() is not None


def _insert_unless_there(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """The two databases word this alike, but SQLAlchemy has no common spelling."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the data folder {folder}: {error.strerror}; choose another with --data"
        ) from error


def sqlite_engine(path: Path, *, busy_timeout_s: float) -> Engine:
    """An engine whose transactions begin when we say so and whose errors are ours."""
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": busy_timeout_s},
        hide_parameters=True,  # errors would quote them, and addresses of cameras hold passwords
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself: it would begin deferred ones, and two
        # writers that both read first could then never be serialised.
        connection.isolation_level = None
        cursor = connection.cursor()
        # What is deleted is overwritten: erasing somebody must leave nothing in the file.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    raise_ours(engine, lambda error: sqlite_error(error, path))
    return engine


def sqlite_error(error: BaseException, path: Path) -> PinwatchError | None:
    """What an error of SQLite means to a user; ``None`` leaves it as it is (a broken constraint)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in _HELD:
        return GalleryBusy(f"{path} is held by another process: try again, or end that one")
    if primary in _NOT_OURS:
        return GalleryCorrupt(
            f"{path} is not a database or is damaged ({error}): bring back a backup with "
            "`pinwatch gallery restore FILE --force`"
        )
    if primary in _FULL_DISK:
        return StorageError(f"cannot write {path} ({error}): is the disk full? Nothing stored before is lost")
    if primary in _NO_ACCESS:
        return StorageError(f"cannot write {path} ({error}): check the permissions of {path.parent}")
    return None
