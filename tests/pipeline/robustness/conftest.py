"""Toy people for the parts of an evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.robustness.faces import FacePack
from tests.toys import toy_pack


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> FacePack:
    return toy_pack(tmp_path_factory.mktemp("faces") / "faces.npz")


@pytest.fixture
def pack_file(tmp_path: Path) -> Path:
    toy_pack(tmp_path / "faces.npz")
    return tmp_path / "faces.npz"
