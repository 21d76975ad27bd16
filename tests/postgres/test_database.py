"""The shared database itself: one view for readers, one writer of the gallery at a time, errors that help."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select

from gallery.backup import backup
from gallery.database import Database
from gallery.epochs import lock_epoch, raise_epoch
from gallery.tables import cameras, metadata
from pipeline.errors import ConfigError, GalleryCorrupt, StorageError, UsageError
from tests.postgres.conftest import execute
from tests.postgres.server import Server

pytestmark = pytest.mark.postgres


def add_camera(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(cameras).values(name=name, settings="{}", created_at="2025"))


def test_migrations_and_tables_agree(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_two_that_open_an_empty_database_at_once_both_succeed(server: Server, tmp_path: Path) -> None:
    execute(server, "CREATE DATABASE empty")
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            Database.connect(server.address("empty"), tmp_path).close()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures


def test_a_reader_sees_one_state_while_somebody_writes(
    database: Database, address: str, tmp_path: Path
) -> None:
    other = Database.connect(address, tmp_path)
    with database.read() as connection:
        assert connection.execute(select(cameras)).all() == []
        add_camera(other, "door")
        assert connection.execute(select(cameras)).all() == []
    with database.read() as connection:
        assert connection.execute(select(cameras.c.name)).scalars().all() == ["door"]
    other.close()


def test_epochs_are_given_out_one_after_the_other(database: Database, address: str, tmp_path: Path) -> None:
    """Whoever raises the epoch holds it until the commit: nobody ever sees 2 before 1."""
    other, seen = Database.connect(address, tmp_path), []
    raised = threading.Event()

    def second() -> None:
        assert raised.wait(10)
        with other.write() as connection:
            seen.append(lock_epoch(connection))

    thread = threading.Thread(target=second)
    thread.start()
    with database.write() as connection:
        assert raise_epoch(connection) == 1
        raised.set()
        thread.join(0.5)
        assert not seen
    thread.join(10)
    assert seen == [1]
    other.close()


def test_a_wrong_password_is_refused_and_never_shown(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"refuses us|cannot be reached") as caught:
        Database.connect(server.address(password="wrong battery"), tmp_path)
    assert "battery" not in str(caught.value)


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"PostgreSQL at 127\.0\.0\.1.*is it running"):
        Database.connect("postgresql://a:b@127.0.0.1:1/pinwatch", tmp_path)


@pytest.mark.parametrize("address", ["mysql://a@b/c", "nonsense", "postgresql://host"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="postgresql://USER"):
        Database.connect(address, tmp_path)


def test_somebody_elses_database_is_refused(server: Server, tmp_path: Path) -> None:
    execute(server, "CREATE DATABASE theirs")
    with psycopg.connect(server.address("theirs"), autocommit=True) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(GalleryCorrupt, match="not one of Pinwatch"):
        Database.connect(server.address("theirs"), tmp_path)


def test_a_backup_is_left_to_its_own_tools(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pg_dump"):
        backup(database, tmp_path / "backup.zip")
