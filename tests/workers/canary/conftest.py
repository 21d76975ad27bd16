"""A database for every test, and networks for all of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gallery.database import DATABASE_NAME, Database
from pipeline.clock import ManualClock
from tests.workers.canary.faces import START_NS, Toy
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
def clock() -> ManualClock:
    return ManualClock(START_NS)


@pytest.fixture
def store(database: Database, clock: ManualClock) -> CanaryStore:
    return CanaryStore(database, clock.now_ns)


@pytest.fixture
def runs(database: Database, clock: ManualClock) -> RunStore:
    return RunStore(database, clock.now_ns)


@pytest.fixture(scope="session")
def toy() -> Toy:
    torch.set_num_threads(1)  # as the shadow lane
    return Toy.make()
