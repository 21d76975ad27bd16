"""Photographs with the faces that two detectors agree on, for a detector to learn from."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.detect.candidates import pairwise_iou
from pipeline.errors import StorageError, UsageError
from pipeline.seams import Detector
from pipeline.types import ByteArray, Face, FloatArray

_AGREE_IOU = 0.5
_SURE = 0.6
_ENLARGED = 2
_FORMAT = "pinwatch.labels/1"
_ARRAYS = ("encoded", "lengths", "boxes", "landmarks", "faces", "ignored", "ignored_counts")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPhoto:
    """A photograph and its faces.

    Attributes:
        encoded: The file's bytes, JPEG or PNG.
        boxes: float32 (N, 4), x_min, y_min, x_max, y_max in pixels.
        landmarks: float32 (N, 5, 2).
        ignored: float32 (M, 4): boxes of what may be a face; nothing is to be learnt there.
    """

    encoded: bytes
    boxes: FloatArray
    landmarks: FloatArray
    ignored: FloatArray

    def image_bgr(self) -> ByteArray:
        """uint8 (H, W, 3)."""
        image = cv2.imdecode(np.frombuffer(self.encoded, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise UsageError("a labelled photograph is damaged: label the photographs again")
        return np.asarray(image, np.uint8)


def agreed(first: Sequence[Face], second: Sequence[Face]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Boxes (N, 4) and landmarks (N, 5, 2) that both found, and boxes (M, 4) that only one did.

    Faces that both are sure of have the mean of both. What one of them is not sure of is ignored.
    """
    overlap = pairwise_iou(_boxes(first), _boxes(second))
    boxes, landmarks, ignored = [], [], []
    for one in range(len(first)):
        other = int(overlap[one].argmax()) if len(second) else -1
        mutual = other >= 0 and overlap[one, other] > _AGREE_IOU and overlap[:, other].argmax() == one
        if mutual and min(first[one].score, second[other].score) >= _SURE:
            boxes.append((first[one].bbox + second[other].bbox) / 2)
            landmarks.append((first[one].landmarks + second[other].landmarks) / 2)
        else:
            ignored.append(first[one].bbox)
    taken = pairwise_iou(_boxes(second), np.reshape(np.array(boxes, np.float32), (-1, 4))).max(
        axis=1, initial=0.0
    )
    ignored += [face.bbox for face, overlaps in zip(second, taken, strict=True) if overlaps <= _AGREE_IOU]
    return (
        np.reshape(np.array(boxes, np.float32), (-1, 4)),
        np.reshape(np.array(landmarks, np.float32), (-1, 5, 2)),
        np.reshape(np.array(ignored, np.float32), (-1, 4)),
    )


def _boxes(faces: Sequence[Face]) -> FloatArray:
    return np.reshape(np.array([face.bbox for face in faces], np.float32), (-1, 4))


def label(encoded: bytes, teachers: tuple[Detector, Detector]) -> LabelledPhoto | None:
    """What both teachers say of a photograph at twice its size; ``None`` where it cannot be decoded.

    Args:
        encoded: JPEG or PNG.
        teachers: Their lowest scores decide what is ignored.
    """
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    large = cv2.resize(image, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_LINEAR)
    found = [teacher.detect([np.asarray(large, np.uint8)])[0] for teacher in teachers]
    boxes, landmarks, ignored = agreed(found[0], found[1])
    reduction = np.float32(1 / _ENLARGED)
    return LabelledPhoto(encoded, *(np.asarray(part * reduction) for part in (boxes, landmarks, ignored)))


def label_all(
    photos: Iterable[Path], teachers: tuple[Detector, Detector], skipped: Callable[[Path], None]
) -> list[LabelledPhoto]:
    """Every photograph that can be read; `skipped` is told of the others."""
    labelled = []
    for path in photos:
        photo = label(path.read_bytes(), teachers)
        if photo is None:
            skipped(path)
        else:
            labelled.append(photo)
    return labelled


def save_labels(path: Path, photos: Sequence[LabelledPhoto]) -> None:
    """Write the photographs with their labels into one file.

    Raises:
        StorageError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(
                file,
                format=np.array(_FORMAT),
                encoded=np.frombuffer(b"".join(photo.encoded for photo in photos), np.uint8),
                lengths=np.array([len(photo.encoded) for photo in photos], np.int64),
                boxes=_joined([photo.boxes for photo in photos], (0, 4)),
                landmarks=_joined([photo.landmarks for photo in photos], (0, 5, 2)),
                faces=np.array([len(photo.boxes) for photo in photos], np.int64),
                ignored=_joined([photo.ignored for photo in photos], (0, 4)),
                ignored_counts=np.array([len(photo.ignored) for photo in photos], np.int64),
            )
        part.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error


def load_labels(path: Path) -> list[LabelledPhoto]:
    """What :func:`save_labels` wrote.

    Raises:
        UsageError: it is not such a file.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if str(file["format"]) != _FORMAT:
                raise UsageError(f"{path} is not a file of labelled photographs")
            arrays = [file[name] for name in _ARRAYS]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is not a file of labelled photographs: {error}") from error
    blob, lengths, boxes, landmarks, faces, ignored, ignored_counts = arrays
    data = blob.tobytes()
    ends = np.cumsum(lengths)
    encoded = [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    per_photo = [
        np.split(values, np.cumsum(counts)[:-1])
        for values, counts in ((boxes, faces), (landmarks, faces), (ignored, ignored_counts))
    ]
    return [LabelledPhoto(*parts) for parts in zip(encoded, *per_photo, strict=True)]


def digest_of(photos: Sequence[LabelledPhoto]) -> str:
    """Equal where photographs and labels are."""
    digest = hashlib.sha256()
    for photo in photos:
        for part in (photo.encoded, photo.boxes, photo.landmarks, photo.ignored):
            digest.update(part if isinstance(part, bytes) else part.tobytes())
    return digest.hexdigest()[:12]


def _joined(parts: Sequence[FloatArray], empty: tuple[int, ...]) -> FloatArray:
    return np.concatenate([np.empty(empty, np.float32), *parts])
