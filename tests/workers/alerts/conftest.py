"""A database and a desk for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gallery.database import DATABASE_NAME, Database
from tests.workers.alerts.world import Desk


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and nothing else: migrating anew for every test would take long."""
    folder = tmp_path_factory.mktemp("schema")
    Database.open(folder).close()
    return folder / DATABASE_NAME


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Iterator[Database]:
    (tmp_path / "data").mkdir()
    shutil.copyfile(empty_database, tmp_path / "data" / DATABASE_NAME)
    opened = Database.open(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)
