"""What the tests of the gallery share."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gallery.database import Database
from gallery.enroll import Enroller
from gallery.store import GalleryStore
from pipeline.types import Thresholds
from tests.gallery.fakes import make_vision, write_person


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own cannot be."""
    folder = Path(tempfile.mkdtemp(prefix="pinwatch-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def store(database: Database) -> GalleryStore:
    """An empty gallery whose subjects are numbered."""
    numbers = itertools.count(1)
    return GalleryStore(
        database, now_ns=lambda: 1_700_000_000_000_000_000, new_id=lambda: f"s{next(numbers)}"
    )


@pytest.fixture
def thresholds() -> Thresholds:
    return Thresholds(match=0.7, margin=0.05)


@pytest.fixture
def enroller(store: GalleryStore, thresholds: Thresholds) -> Enroller:
    return Enroller(store, make_vision(), thresholds)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Four people, of whom three have two photographs."""
    folder = tmp_path / "people"
    for person, name in enumerate(["Ada_L", "Bo", "Chloé", "Dmitri"]):
        for variation in range(1 if name == "Dmitri" else 2):
            write_person(folder / name / f"{variation}.png", person, variation)
    return folder
