"""A data folder with decisions in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.recorded import World, world


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[World]:
    made = world(tmp_path / "data")
    yield made
    made.close()
