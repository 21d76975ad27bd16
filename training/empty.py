"""Pictures without faces: the samples of scikit-image that show none."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np

from pipeline.types import ByteArray

# Of those that its package holds: no people, nothing that looks like a face.
_SAMPLES = (
    "brick.png",
    "cell.png",
    "chelsea.png",
    "chessboard_GRAY.png",
    "coffee.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "logo.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)


def empty_pictures() -> list[ByteArray]:
    """uint8 (H, W, 3) BGR each; none where scikit-image is not installed."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "data"
    pictures = [cv2.imread(str(folder / name), cv2.IMREAD_COLOR) for name in _SAMPLES]
    return [np.asarray(picture, np.uint8) for picture in pictures if picture is not None]
