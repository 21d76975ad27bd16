"""Finding and following the people of a clip, against people labelled by eye.

    python -m bench.tracking [--detector CARD] [--clip FILE] [--truth FILE] [--threads 1]

Prints, for each size that the picture is searched at: milliseconds a frame (median; reduction,
network and decoding), recall of the labelled faces at IoU > .5 and false detections a frame at the
detector's default score, the recall relative to the same on the full picture at score .6 and at the same
score, and the share of the full picture's own detections (score >= .6, false ones included) that are
found again. Then the tracks at the default size and several frame rates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.errors import in_one_line
from bench.program import ASSETS, models_folder
from bench.truth import FOUND_IOU, Truth, interpolated, load_truth, score_detections, score_tracks
from pipeline.detect.candidates import pairwise_iou
from pipeline.detect.load import load_detector
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind, VerifiedModel
from pipeline.seams import Detector, Tracker
from pipeline.track import ByteTracker
from pipeline.types import ByteArray, Face, TrackedFace
from workers.config import DetectorSettings

TRUTH = Path(__file__).resolve().parents[1] / "tests" / "truth" / "crowd.json"
SIZES_PX = (512, 640, 672, 704, 736, 768, 832, 960, 1280)
FULL_SCORE = 0.6
FLOOR = DetectorSettings().min_score
RATE_HZ = 25.0

Detected = list[list[Face]]


def frames_of(clip: Path) -> list[ByteArray]:
    capture = cv2.VideoCapture(str(clip))
    frames: list[ByteArray] = []
    while True:
        read, frame = capture.read()
        if not read:
            break
        frames.append(np.asarray(frame, np.uint8))
    if not frames:
        raise UsageError(f"{clip} cannot be read as a video")
    return frames


def detect_all(detector: Detector, frames: Sequence[ByteArray]) -> tuple[Detected, float]:
    """The faces of every frame, and the median of the milliseconds that a frame took."""
    detector.detect(frames[:1])
    found, spent = [], []
    for frame in frames:
        start = time.perf_counter()
        found.append(detector.detect([frame])[0])
        spent.append(1e3 * (time.perf_counter() - start))
    return found, statistics.median(spent)


def at_score(detected: Detected, floor: float) -> Detected:
    return [[face for face in faces if face.score >= floor] for faces in detected]


def found_again(reference: Detected, detected: Detected) -> float:
    """Share of the reference's faces that some detection overlaps by more than .5."""
    wanted = found = 0
    for sure, faces in zip(reference, detected, strict=True):
        a, b = (np.array([f.bbox for f in row], np.float32).reshape(-1, 4) for row in (sure, faces))
        wanted += len(a)
        found += int((pairwise_iou(a, b).max(axis=1, initial=0) > FOUND_IOU).sum())
    return found / wanted


def follow(
    tracker: Tracker, detected: Detected, step: int
) -> tuple[dict[int, tuple[TrackedFace, ...]], float]:
    """Tracked faces of every `step`-th frame, and milliseconds a frame."""
    start = time.perf_counter()
    tracked = {
        number: tracker.update(detected[number], round(number * 1e9 / RATE_HZ)).tracked
        for number in range(0, len(detected), step)
    }
    return tracked, 1e3 * (time.perf_counter() - start) / len(tracked)


def print_sizes(model: VerifiedModel, frames: Sequence[ByteArray], truth: Truth, threads: int) -> Detected:
    longest = -(-max(frames[0].shape[:2]) // 32) * 32
    full, full_ms = detect_all(
        load_detector(model, size_px=longest, min_score=FLOOR, threads=threads), frames
    )
    sure = at_score(full, FULL_SCORE)
    recall_sure, recall_same = score_detections(sure, truth).recall, score_detections(full, truth).recall
    default = DetectorSettings().size_px
    print(f"full picture ({longest} px): {full_ms:.1f} ms, recall {recall_sure:.3f} at {FULL_SCORE:g}, "
          f"{recall_same:.3f} at {FLOOR:g}")  # fmt: skip
    print("size px      ms  recall  false/frame  /full@.6  /full@same  found again")
    chosen: Detected = []
    for size_px in SIZES_PX:
        detector = load_detector(model, size_px=size_px, min_score=FLOOR, threads=threads)
        detected, spent_ms = detect_all(detector, frames)
        score = score_detections(detected, truth)
        mark = "*" if size_px == default else " "
        print(f"{size_px:6d}{mark} {spent_ms:7.1f}  {score.recall:.3f}  {score.false_per_frame:11.2f}  "
              f"{score.recall / recall_sure:8.3f}  {score.recall / recall_same:10.3f}  "
              f"{found_again(sure, detected):11.3f}")  # fmt: skip
        chosen = detected if size_px == default else chosen
    return chosen


def print_tracks(detected: Detected, truth: Truth) -> None:
    print("  fps  tracks  people  of people  tracks/person  switches  mixed  recall  ms/frame")
    for step in (1, 2, 3, 5):
        tracked, spent_ms = follow(ByteTracker(), detected, step)
        score = score_tracks(tracked, truth)
        print(f"{RATE_HZ / step:5.1f}  {score.tracks:6d}  {score.people:6d}  {score.of_people:9d}  "
              f"{score.tracks / max(1, score.people):13.2f}  {score.switches:8d}  {score.mixed:5d}  "
              f"{score.recall:6.3f}  {spent_ms:8.2f}")  # fmt: skip


@in_one_line
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clip", type=Path, default=ASSETS / "clips" / "crowd.mp4")
    parser.add_argument("--truth", type=Path, default=TRUTH)
    parser.add_argument("--detector", default=DetectorSettings().name, metavar="CARD")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    model = Catalogue.load([models_folder()]).open(options.detector, ModelKind.DETECTOR)
    labelled = load_truth(options.truth)
    frames = frames_of(options.clip)
    people = {face.person for faces in labelled.values() for face in faces}
    print(f"{options.clip.name}: {len(frames)} frames, {len(people)} people, "
          f"{sum(map(len, labelled.values()))} faces labelled in {len(labelled)} frames")  # fmt: skip
    truth = interpolated(labelled)
    detected = print_sizes(model, frames, truth, options.threads)
    print_tracks(detected, truth)


if __name__ == "__main__":
    main()
