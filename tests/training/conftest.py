"""Toy people to train on."""

from __future__ import annotations

import pytest

from pipeline.robustness.faces import FacePack
from tests.toys import toy_pack


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> FacePack:
    return toy_pack(tmp_path_factory.mktemp("faces") / "faces.npz")
