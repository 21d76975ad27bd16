"""Scores detections and tracks against people who were labelled by eye (tests/truth/*.json).

The truth names every face at a few frames; between two labelled frames in which a person has a box
the box is interpolated. Faces marked hard (more than half hidden or turned beyond profile) need not
be found, but are not false either.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.detect.candidates import pairwise_iou
from pipeline.types import Face, FloatArray, TrackedFace

FOUND_IOU = 0.5  # a person's face counts as found
TOUCHING_IOU = 0.3  # a detection that overlaps nobody this much is false


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFace:
    """A person's face box, float32 (4,) px of the full frame."""

    person: int
    box: FloatArray
    hard: bool


Truth = Mapping[int, Sequence[LabelledFace]]
"""Frame number -> the faces in it."""


def load_truth(path: Path) -> dict[int, list[LabelledFace]]:
    """The labelled frames of a file, as they are."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return {
        int(number): [
            LabelledFace(row["person"], np.array(row["box"], np.float32), row.get("hard", False))
            for row in rows
        ]
        for number, rows in document["frames"].items()
    }


def interpolated(labelled: Truth) -> dict[int, list[LabelledFace]]:
    """Every frame from the first labelled one to the last."""
    numbers = sorted(labelled)
    full = {number: list(labelled[number]) for number in numbers}
    for before, after in itertools.pairwise(numbers):
        ends = {face.person: face for face in labelled[after]}
        pairs = [(face, ends[face.person]) for face in labelled[before] if face.person in ends]
        for number in range(before + 1, after):
            share = np.float32((number - before) / (after - before))
            full[number] = [
                LabelledFace(a.person, (1 - share) * a.box + share * b.box, a.hard or b.hard)
                for a, b in pairs
            ]
    return full


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Attributes:
    recall: Share of the faces that are not hard which some detection overlaps by more than .5.
    false_per_frame: Detections a frame that overlap no labelled face by .3.
    """

    recall: float
    false_per_frame: float


def _boxes(faces: Sequence[Face]) -> FloatArray:
    return np.array([face.bbox for face in faces], np.float32).reshape(-1, 4)


def score_detections(detected: Sequence[Sequence[Face]], truth: Truth) -> DetectionScore:
    """`detected` holds the faces of every frame of the clip, by frame number."""
    wanted = found = false = 0
    for number, labelled in truth.items():
        boxes = np.array([face.box for face in labelled], np.float32).reshape(-1, 4)
        table = pairwise_iou(boxes, _boxes(detected[number]))
        easy = np.array([not face.hard for face in labelled], bool)
        wanted += int(easy.sum())
        found += int((table.max(axis=1, initial=0) > FOUND_IOU)[easy].sum())
        false += int((table.max(axis=0, initial=0) < TOUCHING_IOU).sum())
    return DetectionScore(found / wanted, false / len(truth))


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Attributes:
    people: How many of the labelled people have a track.
    tracks: All tracks, whosoever.
    of_people: Tracks that follow a labelled person for at least a third of their frames.
    switches: How often the track that covers a person changes.
    mixed: Tracks that cover two people, each in more than three frames.
    recall: Share of the faces that are not hard with a tracked face on them.
    """

    people: int
    tracks: int
    of_people: int
    switches: int
    mixed: int
    recall: float


def score_tracks(tracked: Mapping[int, Sequence[TrackedFace]], truth: Truth) -> TrackScore:
    """`tracked` holds the tracked faces by frame number; frames that were skipped are absent."""
    lengths: Counter[int] = Counter()
    people_of: defaultdict[int, Counter[int]] = defaultdict(Counter)
    course: defaultdict[int, list[int]] = defaultdict(list)
    wanted = covered = 0
    for number in sorted(tracked):
        lengths.update(item.track_id for item in tracked[number])
        labelled = truth.get(number, ())
        holders = _holders(tracked[number], labelled)
        wanted += sum(not face.hard for face in labelled)
        covered += sum(not face.hard and face.person in holders for face in labelled)
        for person, track_id in holders.items():
            people_of[track_id][person] += 1
            course[person].append(track_id)
    owners = {
        track_id: counts.most_common(1)[0][0]
        for track_id, counts in people_of.items()
        if 3 * max(counts.values()) >= lengths[track_id]
    }
    return TrackScore(
        people=len(set(owners.values())),
        tracks=len(lengths),
        of_people=len(owners),
        switches=sum(a != b for ids in course.values() for a, b in itertools.pairwise(ids)),
        mixed=sum(sum(count > 3 for count in counts.values()) > 1 for counts in people_of.values()),
        recall=covered / max(1, wanted),
    )


def _holders(tracked: Sequence[TrackedFace], labelled: Sequence[LabelledFace]) -> dict[int, int]:
    """Person -> the track whose face lies on that person's, by the best overlap."""
    if not tracked or not labelled:
        return {}
    boxes = np.array([face.box for face in labelled], np.float32)
    table = pairwise_iou(_boxes([item.face for item in tracked]), boxes)
    return {
        labelled[int(row.argmax())].person: item.track_id
        for item, row in zip(tracked, table, strict=True)
        if row.max() > TOUCHING_IOU
    }
