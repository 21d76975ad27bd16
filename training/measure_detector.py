"""What a detector finds beside what its teachers find, and how fast."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.detect.candidates import pairwise_iou
from pipeline.detect.load import load_detector
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.robustness.protocol import Split, fold_of_people, person_of, read_pairs, split_of
from pipeline.seams import Detector
from pipeline.types import ByteArray, Face, FloatArray
from training.labels import LabelledPhoto, label

TEACHERS = ("yunet", "retinaface-mobile025")
SIZE_PX = 672
LARGE_PX = 1344
FOUND_SCORE, SURE_SCORE, FALSE_SCORE = 0.4, 0.6, 0.3
_FOUND_IOU, _FALSE_IOU = 0.5, 0.3
_EVERY = 5
_TIMED = 40


@dataclass(frozen=True, slots=True)
class DetectorFigures:
    """Of one detector, beside YuNet.

    Attributes:
        detector: Model id.
        faces: How many faces of fold 5's photographs both teachers are sure of.
        found: Share of them that it finds, at a score of `FOUND_SCORE`.
        landmark_error: Median distance of its landmarks from the teachers' mean, in eye distances.
        crowd_faces: How many faces YuNet finds in crowd.mp4, at a score of `SURE_SCORE`.
        crowd_found: Share of them that it finds.
        false: Detections in one-by-one.mp4 at `FALSE_SCORE` that neither teacher has at twice the size.
        false_of_yunet: The same of YuNet at the one size.
        frames: How many frames those two are of.
        time_ratio: Its time a frame, of YuNet's in the same run.
    """

    detector: str
    faces: int
    found: float
    landmark_error: float
    crowd_faces: int
    crowd_found: float
    false: int
    false_of_yunet: int
    frames: int
    time_ratio: float

    def as_text(self) -> str:
        """Some lines."""
        return (
            f"{self.detector}\n"
            f"  LFW fold 5: {self.found:.4f} of {self.faces} faces; "
            f"landmarks off by {self.landmark_error:.3f} of the eye distance\n"
            f"  crowd.mp4 at {SIZE_PX} px: {self.crowd_found:.3f} of YuNet's {self.crowd_faces} faces\n"
            f"  one-by-one.mp4: {self.false} false in {self.frames} frames (YuNet {self.false_of_yunet})\n"
            f"  time a frame: {self.time_ratio:.2f} of YuNet's"
        )


def measure_detector(
    name: str, models: Sequence[Path], photos: Path, pairs: Path, clips: Path
) -> DetectorFigures:
    """Let the detector and its teachers look at what none of them was trained on here.

    Raises:
        UsageError: the photographs, pairs or clips cannot be used.
        ModelNotFound, ModelFormatError: a card or a file is missing or not what it should be.
    """
    catalogue = Catalogue.load(models)

    def detector(card: str, size_px: int, min_score: float) -> Detector:
        model = catalogue.open(card, ModelKind.DETECTOR)
        return load_detector(model, size_px=size_px, min_score=min_score)

    ours, yunet = (detector(card, SIZE_PX, FALSE_SCORE) for card in (name, TEACHERS[0]))
    first, second = (detector(card, LARGE_PX, FALSE_SCORE) for card in TEACHERS)
    folds = fold_of_people(read_pairs(pairs))
    scored = [p for p in sorted(photos.rglob("*.jpg")) if split_of(person_of(p.stem), folds) is Split.SCORE]
    labelled = [photo for path in scored if (photo := label(path.read_bytes(), (first, second)))]
    if not labelled:
        raise UsageError(f"no photographs of fold 5's people in {photos}")
    crowd = list(_frames(clips / "crowd.mp4", 1))
    faces, found, error = _on_photos(labelled, ours)
    crowd_faces, crowd_found = _on_crowd(crowd, ours, yunet)
    false, false_of_yunet, frames = _false(clips / "one-by-one.mp4", ours, yunet, (first, second))
    return DetectorFigures(
        ours.detector_id,
        faces,
        found / max(1, faces),
        error,
        crowd_faces,
        crowd_found / max(1, crowd_faces),
        false,
        false_of_yunet,
        frames,
        _time_ratio(crowd[:_TIMED], ours, yunet),
    )


def _frames(path: Path, every: int) -> Iterator[ByteArray]:
    """uint8 (H, W, 3) BGR, of every so many frames one."""
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise UsageError(f"{path} cannot be opened as a video")
    number = 0
    while capture.grab():
        if number % every == 0:
            yield np.asarray(capture.retrieve()[1], np.uint8)
        number += 1
    capture.release()


def _boxes(faces: Sequence[Face], min_score: float) -> FloatArray:
    return np.reshape(np.array([f.bbox for f in faces if f.score >= min_score], np.float32), (-1, 4))


def _best(wanted: FloatArray, boxes: FloatArray) -> FloatArray:
    """float32 (N,): by how much the best of `boxes` overlaps each wanted one."""
    return np.asarray(pairwise_iou(wanted, boxes).max(axis=1, initial=0.0), np.float32)


def _on_photos(photos: Sequence[LabelledPhoto], detector: Detector) -> tuple[int, int, float]:
    """Faces, faces found, median error of landmarks in eye distances."""
    faces = found = 0
    errors: list[float] = []
    for photo in photos:
        seen = [face for face in detector.detect([photo.image_bgr()])[0] if face.score >= FOUND_SCORE]
        overlaps = pairwise_iou(photo.boxes, _boxes(seen, 0.0))
        faces += len(photo.boxes)
        for row, points in zip(overlaps, photo.landmarks, strict=True):
            if row.max(initial=0.0) > _FOUND_IOU:
                found += 1
                off = np.linalg.norm(seen[int(row.argmax())].landmarks - points, axis=1).mean()
                errors.append(float(off / np.linalg.norm(points[0] - points[1])))
    return faces, found, float(np.median(errors)) if errors else float("nan")


def _on_crowd(frames: Sequence[ByteArray], ours: Detector, yunet: Detector) -> tuple[int, int]:
    """Faces that YuNet is sure of, and how many of them ours finds."""
    faces = found = 0
    for frame in frames:
        wanted = _boxes(yunet.detect([frame])[0], SURE_SCORE)
        faces += len(wanted)
        found += int((_best(wanted, _boxes(ours.detect([frame])[0], FOUND_SCORE)) > _FOUND_IOU).sum())
    return faces, found


def _false(
    clip: Path, ours: Detector, yunet: Detector, teachers: tuple[Detector, Detector]
) -> tuple[int, int, int]:
    """Detections that neither teacher has: of ours, of YuNet; and frames."""
    false, frames = [0, 0], 0
    for frame in _frames(clip, _EVERY):
        frames += 1
        large = np.asarray(cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.uint8)
        known = np.concatenate([_boxes(each.detect([large])[0], 0.0) for each in teachers])
        known = np.asarray(known / 2, np.float32)
        for place, detector in enumerate((ours, yunet)):
            seen = _boxes(detector.detect([frame])[0], FALSE_SCORE)
            false[place] += int((_best(seen, known) <= _FALSE_IOU).sum())
    return false[0], false[1], frames


def _time_ratio(frames: Sequence[ByteArray], ours: Detector, yunet: Detector) -> float:
    """Of the median times, frame by frame in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for frame in frames:
        for detector, kept in zip((ours, yunet), times, strict=True):
            begun = time.perf_counter()
            detector.detect([frame])
            kept.append(time.perf_counter() - begun)
    return float(np.median(times[0]) / np.median(times[1]))
