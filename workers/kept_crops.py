"""Aligned crops of many photographs, kept while they are being found, so that a stopped run goes on."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import StorageError
from pipeline.seams import Detector
from pipeline.types import CROP_SIZE_PX, ByteArray
from workers.facepack import crop_of

PIECE = 128
"""Photographs in one file."""

Found = ByteArray | str
"""uint8 (112, 112, 3) RGB, or why there is none: see :func:`workers.facepack.crop_of`."""


def kept_crops(
    photos: Sequence[Path], detector: Detector, folder: Path, settings: object = None
) -> Iterator[Found]:
    """The face of each photograph, from `folder` where it was found before.

    Args:
        photos: In the order of what is yielded.
        detector: Finds the faces.
        folder: Where they are kept; made if need be. Other photographs have other files.
        settings: Of the detector: whatever else the crops depend on.

    Raises:
        StorageError: `folder` cannot be written.
    """
    for start in range(0, len(photos), PIECE):
        some = photos[start : start + PIECE]
        path = folder / f"{_digest(some, f'{detector.detector_id} {settings}')}.npz"
        kept = _read(path)
        if kept is not None:
            yield from kept
            continue
        found: list[Found] = []
        for photo in some:
            found.append(crop_of(photo, detector))
            yield found[-1]
        _write(path, found)


def _digest(photos: Sequence[Path], found_by: str) -> str:
    """Equal where no photograph was changed since."""
    lines = [found_by]
    for photo in photos:
        status = photo.stat()
        lines.append(f"{photo.resolve()} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _read(path: Path) -> list[Found] | None:
    """What :func:`_write` kept; ``None`` where nothing whole is there."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            crops, reasons = iter(file["crops"]), file["reasons"]
            return [str(reason) or next(crops) for reason in reasons]
    except (OSError, KeyError, ValueError, EOFError, StopIteration, zipfile.BadZipFile):
        return None


def _write(path: Path, found: Sequence[Found]) -> None:
    crops = [crop for crop in found if not isinstance(crop, str)]
    none = np.empty((0, CROP_SIZE_PX, CROP_SIZE_PX, 3), np.uint8)
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(
                file,
                crops=np.stack(crops) if crops else none,
                reasons=np.array([crop if isinstance(crop, str) else "" for crop in found]),
            )
        part.replace(path)
    except OSError as error:
        raise StorageError(f"crops cannot be kept in {path.parent}: {error}") from error
