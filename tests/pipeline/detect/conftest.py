from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.models import Catalogue
from pipeline.types import ByteArray


@pytest.fixture(scope="session")
def catalogue(models: Path) -> Catalogue:
    return Catalogue.load([models])


@pytest.fixture(scope="session")
def crowd(assets: Path) -> list[ByteArray]:
    """Five frames of the crowd clip, uint8 (1080, 1920, 3) BGR."""
    capture = cv2.VideoCapture(str(assets / "clips" / "crowd.mp4"))
    frames = []
    for number in range(105):
        read, frame = capture.read()
        assert read
        if number % 25 == 0:
            frames.append(np.asarray(frame, np.uint8))
    capture.release()
    return frames
