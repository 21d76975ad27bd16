"""Speed of the whole pipeline against its parts, in one run on one machine.

    python -m bench.pipeline [--detector CARD] [--embedder CARD] [--purifier CARD] [--repeat N] [--json]

Prints frames per second of: decoding alone; decoding and detecting alone, overlapped as well as the
pipeline does (the bound that everything else is measured against); and everything from the file to
the decisions in the database. Besides, what detecting, tracking, choosing crops and embedding take
by themselves, and the recall of faces labelled by eye relative to the full picture's. Machines are
noisy: compare the ratios, which come from the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.clips import looped
from bench.errors import in_one_line
from bench.program import ASSETS, add_cards, models_in_words, program
from bench.truth import interpolated, load_truth, score_detections
from pipeline.detect.load import load_detector
from pipeline.models import ModelKind
from pipeline.quality import QualityAssessor
from pipeline.seams import Detector
from pipeline.select import CropSelector
from pipeline.sources.file import FileSource
from pipeline.track import ByteTracker
from pipeline.types import Face, Frame
from workers.build import Context, WatchRequest

FULL_SCORE = 0.6
TRUTH = Path(__file__).resolve().parents[1] / "tests" / "truth" / "crowd.json"


@dataclass(frozen=True, slots=True)
class Speeds:
    """Frames per second, except `embed_crops_s` (crops a second) and the ratios."""

    frames: int
    decode: float
    decode_detect: float
    end_to_end: float
    ratio: float
    detect: float
    track: float
    choose: float
    embed_crops_s: float
    crops: int
    recall: float


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def frames_of(clip: Path) -> list[Frame]:
    return list(FileSource(clip).frames())


def decode_all(clip: Path) -> None:
    for _frame in FileSource(clip).frames():
        pass


def decode_detect_all(detector: Detector, clip: Path) -> None:
    for frame in FileSource(clip).frames():
        detector.detect([frame.image_bgr])


def run_pipeline(context: Context, clip: Path) -> tuple[float, int]:
    """Watch the clip; seconds from the first frame to the last decision, and crops embedded."""
    with context.session(WatchRequest(sources=(str(clip),))) as session:
        start = time.perf_counter()
        result = session.run()
        return time.perf_counter() - start, sum(sighting.crops for sighting in result.sightings)


def track_all(detected: Sequence[list[Face]], frames: Sequence[Frame]) -> None:
    tracker = ByteTracker()
    for frame, faces in zip(frames, detected, strict=True):
        tracker.update(faces, frame.pts_ns)
    tracker.finish()


def choose_all(detected: Sequence[list[Face]], frames: Sequence[Frame]) -> None:
    tracker, selector = ByteTracker(), CropSelector(QualityAssessor())
    for frame, faces in zip(frames, detected, strict=True):
        for item in tracker.update(faces, frame.pts_ns).tracked:
            selector.offer(item.track_id, item.face, frame)
        selector.advance(frame.pts_ns)


def relative_recall(context: Context, frames: Sequence[Frame], detected: Sequence[list[Face]]) -> float:
    """Recall of the faces labelled by eye, over that of the same detector on the full picture at .6."""
    longest = -(-max(frames[0].image_bgr.shape[:2]) // 32) * 32
    model = context.catalogue().open(context.settings.detector.name, ModelKind.DETECTOR)
    full = load_detector(model, size_px=longest, min_score=FULL_SCORE, threads=2)
    truth = interpolated(load_truth(TRUTH))
    wanted = score_detections([full.detect([frame.image_bgr])[0] for frame in frames], truth).recall
    return score_detections(detected, truth).recall / wanted


def measure(context: Context, clip: Path, repeat: int, folder: Path) -> Speeds:
    frames = frames_of(clip)
    detector = context.detector()
    detected = [detector.detect([frame.image_bgr])[0] for frame in frames]
    run_pipeline(context, clip)  # everything is loaded and compiled
    long = looped(clip, repeat, folder / "long.mp4")
    count = len(frames) * repeat
    decode_s = timed(lambda: decode_all(long))
    bound_s = timed(lambda: decode_detect_all(detector, long))
    whole_s, crops = run_pipeline(context, long)
    detect_s = timed(lambda: [detector.detect([frame.image_bgr]) for frame in frames])
    track_s = timed(lambda: track_all(detected, frames))
    choose_s = timed(lambda: choose_all(detected, frames)) - track_s
    sample = np.zeros((112, 112, 3), np.uint8)
    embed_s = timed(lambda: context.embedder().embed([sample] * 128))
    return Speeds(
        frames=count,
        decode=count / decode_s,
        decode_detect=count / bound_s,
        end_to_end=count / whole_s,
        ratio=bound_s / whole_s,
        detect=len(frames) / detect_s,
        track=len(frames) / track_s,
        choose=len(frames) / choose_s,
        embed_crops_s=128 / embed_s,
        crops=crops,
        recall=relative_recall(context, frames, detected),
    )


def show(speeds: Speeds, clip: Path, size_px: int) -> None:
    print(f"{clip.name}, {speeds.frames} frames, detection at {size_px} px, {os.cpu_count()} processors")
    print(f"  decode alone                {speeds.decode:8.1f} frames/s")
    print(f"  decode + detect alone       {speeds.decode_detect:8.1f} frames/s")
    print(f"  end to end                  {speeds.end_to_end:8.1f} frames/s")
    print(f"  end to end / decode+detect  {speeds.ratio:8.2f}")
    print(f"  detect by itself            {speeds.detect:8.1f} frames/s")
    print(f"  track by itself             {speeds.track:8.1f} frames/s")
    print(f"  choose and cut by itself    {speeds.choose:8.1f} frames/s")
    print(
        f"  embed by itself             {speeds.embed_crops_s:8.1f} crops/s ({speeds.crops} crops embedded)"
    )
    print(f"  recall of labelled faces, relative to the full picture at score .6: {speeds.recall:.3f}")


@in_one_line
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clip", type=Path, default=ASSETS / "clips" / "crowd.mp4")
    parser.add_argument("--repeat", type=int, default=4)
    add_cards(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, program(options) as context:
        speeds = measure(context, options.clip, options.repeat, Path(folder))
        models, size_px = models_in_words(context), context.settings.detector.size_px
    if options.json:
        print(json.dumps(asdict(speeds)))
    else:
        print(models)
        show(speeds, options.clip, size_px)


if __name__ == "__main__":
    main()
