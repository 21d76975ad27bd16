"""Writes the crops that a run compared, losslessly, for whoever wants to look at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2

from pipeline.errors import StorageError
from pipeline.types import FaceCrop, TrackKey
from workers.bus.base import Topic
from workers.loop import Arrived, Outgoing, Stateless


def crop_path(folder: Path, key: TrackKey, sequence: int) -> Path:
    """Where a crop is written: ``CAMERA-EPOCH-TRACK-SEQUENCE.png``."""
    return folder / f"{key.camera_id}-{key.stream_epoch}-{key.track_id:05d}-{sequence:03d}.png"


class CropStep(Stateless):
    """faces -> PNG files, 112x112.

    Args:
        folder: Made if it is not there.

    Raises:
        StorageError: the folder cannot be made.
    """

    name = "crops"
    inputs = (Topic.FACES,)
    batch_size = 64

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write crops to {folder}: {error.strerror}") from error

    def process(self, batch: Sequence[Arrived]) -> Iterable[Outgoing]:
        for item in batch:
            if isinstance(item.message, FaceCrop):
                self._write(item.message)
        return ()

    def _write(self, crop: FaceCrop) -> None:
        path = crop_path(self._folder, crop.key, crop.sequence)
        coded, png = cv2.imencode(".png", cv2.cvtColor(crop.image_rgb, cv2.COLOR_RGB2BGR))
        if not coded:
            raise StorageError(f"cannot encode {path}")
        try:
            path.write_bytes(png.tobytes())
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
