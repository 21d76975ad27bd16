"""Real faces, aligned with landmarks noted by hand, and networks small enough to make on the spot."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.align import align
from pipeline.embed.embedder import as_network_input
from pipeline.models import Catalogue
from pipeline.types import ByteArray

# Eyes, nose tip, mouth corners, px of the 250x250 photograph.
LANDMARKS = {
    "Abel_Pacheco_0001": ((101, 108), (149, 109), (118, 138), (106, 155), (146, 156)),
    "Abel_Pacheco_0004": ((99, 110), (149, 112), (120, 139), (102, 160), (145, 161)),
    "Akhmed_Zakayev_0001": ((105, 111), (146, 112), (124, 138), (106, 153), (141, 154)),
    "Akhmed_Zakayev_0003": ((102, 113), (142, 111), (122, 135), (106, 152), (141, 150)),
    "Amber_Tamblyn_0001": ((106, 110), (146, 112), (118, 140), (109, 156), (146, 158)),
    "Amber_Tamblyn_0002": ((105, 111), (148, 114), (116, 140), (107, 164), (145, 167)),
}


@pytest.fixture(scope="session")
def faces(assets: Path) -> list[ByteArray]:
    """uint8 (112, 112, 3) RGB; 0 and 1, 2 and 3, 4 and 5 show the same person."""
    crops = []
    for name, landmarks in LANDMARKS.items():
        photo = cv2.imread(str(assets / "faces" / "lfw-dev" / name[:-5] / f"{name}.jpg"))
        assert photo is not None
        crops.append(align(np.asarray(photo, np.uint8), np.array(landmarks, np.float32)))
    return crops


@pytest.fixture(scope="session")
def face_tensor(faces: list[ByteArray]) -> torch.Tensor:
    """The same as float32 (6, 3, 112, 112)."""
    return torch.from_numpy(as_network_input(faces))


@pytest.fixture(scope="session")
def catalogue(models: Path) -> Catalogue:
    return Catalogue.load([models])


@pytest.fixture(scope="session")
def noise_crops() -> list[ByteArray]:
    """uint8 (112, 112, 3): six that need no assets."""
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, (6, 112, 112, 3), dtype=np.uint8))
