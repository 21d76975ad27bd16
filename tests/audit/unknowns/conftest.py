"""What the tests of faces, groups and verdicts share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gallery.database import DATABASE_NAME, Database
from gallery.subjects import ensure_subject


@pytest.fixture(scope="session")
def schema_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and nothing else: migrating anew for every test would take long."""
    folder = tmp_path_factory.mktemp("schema")
    Database.open(folder).close()
    return folder / DATABASE_NAME


@pytest.fixture
def database(tmp_path: Path, schema_only: Path) -> Iterator[Database]:
    shutil.copyfile(schema_only, tmp_path / DATABASE_NAME)
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def enrolled(database: Database) -> str:
    """The id of a subject called Ada."""
    return _enroll(database, "ada-1", "Ada")


@pytest.fixture
def another_subject(database: Database) -> str:
    """The id of one called Zoe."""
    return _enroll(database, "zoe-1", "Zoe")


def _enroll(database: Database, subject_id: str, name: str) -> str:
    with database.write() as connection:
        ensure_subject(connection, subject_id, name, "2025-01-01T00:00:00.000000Z", epoch=1)
    return subject_id


@pytest.fixture
def another_database(tmp_path: Path, schema_only: Path) -> Iterator[Callable[[], Database]]:
    """Opens one more, empty."""
    opened: list[Database] = []

    def another() -> Database:
        folder = tmp_path / f"other-{len(opened)}"
        folder.mkdir()
        shutil.copyfile(schema_only, folder / DATABASE_NAME)
        opened.append(Database.open(folder))
        return opened[-1]

    yield another
    for one in opened:
        one.close()
