"""What the tests of the gallery share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own cannot be."""
    folder = Path(tempfile.mkdtemp(prefix="pinwatch-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
