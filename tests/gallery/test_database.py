"""Opening: a fresh folder, an old one, a wrong file, a full disk, several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text, update

import gallery.migrations
from gallery.database import DATABASE_NAME, Database, sqlite_error
from gallery.schema import HEAD
from gallery.tables import cameras, gallery_epoch, metadata
from pipeline.errors import GalleryBusy, GalleryCorrupt, GalleryError, StorageError


def add_camera(database: Database, name: str, settings: str = "{}") -> None:
    with database.write() as connection:
        connection.execute(insert(cameras).values(name=name, settings=settings, created_at="2025"))


def camera_names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(cameras.c.name).order_by(cameras.c.name)).scalars())


def test_a_fresh_folder_gets_the_newest_schema(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "deep" / "data")
    with database.read() as connection:
        assert connection.execute(select(gallery_epoch.c.value)).scalar_one() == 0
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    first = Database.open(tmp_path)
    add_camera(first, "door")
    first.close()
    second = Database.open(tmp_path)
    assert camera_names(second) == ["door"]
    second.close()


def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()
    scripts = ScriptDirectory(str(Path(gallery.migrations.__file__).parent))
    assert scripts.get_current_head() == HEAD


def test_a_write_that_raises_leaves_nothing(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    def add_and_fail() -> None:
        with database.write() as connection:
            connection.execute(insert(cameras).values(name="door", settings="{}", created_at="2025"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert camera_names(database) == []
    database.close()


def test_a_reader_sees_one_state_while_somebody_writes(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    other = Database.open(tmp_path)
    with database.read() as connection:
        assert connection.execute(select(cameras)).all() == []
        add_camera(other, "door")
        assert connection.execute(select(cameras)).all() == []
    assert camera_names(database) == ["door"]
    database.close()
    other.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"these are notes, not a database" * 100)
    with pytest.raises(GalleryCorrupt, match=r"pinwatch\.db is not a database.*restore"):
        Database.open(tmp_path)


def test_somebody_elses_database_is_refused_and_untouched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE_NAME) as theirs:
        theirs.execute("CREATE TABLE recipes (name TEXT)")
    theirs.close()
    with pytest.raises(GalleryCorrupt, match="not one of Pinwatch"):
        Database.open(tmp_path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    with database.write() as connection:
        connection.execute(update(text_table()).values(version_num="9999"))
    database.close()
    with pytest.raises(GalleryError, match=r"schema 9999.*newer Pinwatch"):
        Database.open(tmp_path)


def text_table() -> sqlalchemy.TableClause:
    return sqlalchemy.table("alembic_version", sqlalchemy.column("version_num"))


def test_a_second_writer_waits_and_then_says_so(tmp_path: Path) -> None:
    first = Database.open(tmp_path)
    second = Database.open(tmp_path, busy_timeout_s=0.05)
    with first.write() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(GalleryBusy, match="held by another process"):
            add_camera(second, "door")
    add_camera(second, "door")
    first.close()
    second.close()


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match=r"cannot make the data folder.*--data"):
        Database.open(tmp_path / "file" / "data")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (sqlite3.SQLITE_BUSY, GalleryBusy),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, GalleryBusy),
        (sqlite3.SQLITE_LOCKED, GalleryBusy),
        (sqlite3.SQLITE_NOTADB, GalleryCorrupt),
        (sqlite3.SQLITE_CORRUPT, GalleryCorrupt),
        (sqlite3.SQLITE_FULL, StorageError),
        (sqlite3.SQLITE_IOERR_WRITE, StorageError),
        (sqlite3.SQLITE_READONLY, StorageError),
        (sqlite3.SQLITE_CANTOPEN, StorageError),
        (sqlite3.SQLITE_PERM, StorageError),
    ],
)
def test_every_error_of_the_file_is_mapped(code: int, wanted: type[Exception]) -> None:
    error = sqlite3.OperationalError("as it came")
    error.sqlite_errorcode = code
    assert isinstance(sqlite_error(error, Path("pinwatch.db")), wanted)


def test_a_broken_constraint_is_left_to_the_caller() -> None:
    error = sqlite3.IntegrityError("UNIQUE")
    error.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT_UNIQUE
    assert sqlite_error(error, Path("pinwatch.db")) is None


READ_ONLY = """
import os, sys
from pathlib import Path
from gallery.database import Database
from pipeline.errors import StorageError
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
try:
    Database.open(Path(sys.argv[1]))
except StorageError as error:
    print(error)
    sys.exit(0)
sys.exit("opened a folder that cannot be written")
"""


def test_a_read_only_folder_is_a_storage_error(shared_folder: Path) -> None:
    shared_folder.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(shared_folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert "permissions" in done.stdout


def fill(folder: str, limit_bytes: int) -> None:
    """Write cameras until the file may not grow; exits 0 if that is a StorageError."""
    database = Database.open(Path(folder))
    add_camera(database, "before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    def add_many() -> None:
        for number in range(1000):
            add_camera(database, f"camera-{number:04}", settings="x" * 10_000)

    with pytest.raises(StorageError, match="Nothing stored before is lost"):
        add_many()
    os._exit(0)  # closing the database would write the file once more


def test_a_full_disk_is_a_storage_error_and_loses_nothing(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=fill, args=(str(tmp_path), 1_000_000))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    database = Database.open(tmp_path)
    names = camera_names(database)
    assert names[0] == "before"
    assert len(names) > 10
    assert names[1:] == [f"camera-{number:04}" for number in range(len(names) - 1)]
    add_camera(database, "after")
    database.close()


def open_and_add(folder: str, name: str) -> None:
    database = Database.open(Path(folder))
    add_camera(database, name)
    database.close()


def test_processes_that_open_a_fresh_folder_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    everybody = [
        context.Process(target=open_and_add, args=(str(tmp_path), f"camera-{number}")) for number in range(4)
    ]
    for process in everybody:
        process.start()
    for process in everybody:
        process.join(60)
    assert [process.exitcode for process in everybody] == [0] * 4
    database = Database.open(tmp_path)
    assert camera_names(database) == [f"camera-{number}" for number in range(4)]
    database.close()
