"""What the tests of faces, groups and verdicts share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gallery.database import DATABASE_NAME, Database
from gallery.subjects import ensure_subject


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
def another_database(tmp_path: Path, empty_database: Path) -> Iterator[Callable[[], Database]]:
    """Opens one more, empty."""
    opened: list[Database] = []

    def another() -> Database:
        folder = tmp_path / f"other-{len(opened)}"
        folder.mkdir()
        shutil.copyfile(empty_database, folder / DATABASE_NAME)
        opened.append(Database.open(folder))
        return opened[-1]

    yield another
    for one in opened:
        one.close()
