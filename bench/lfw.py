"""Labeled Faces in the Wild as the benchmarks use it: who is in which fold, pairs, aligned crops."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from pipeline.robustness.protocol import Pair
from pipeline.seams import Detector
from pipeline.types import ByteArray
from workers.facepack import crop_of


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The face in the middle of a photograph.

    Attributes:
        photo: ``Name_0001``.
        person: ``Name``.
        fold: Of the person.
        crop_rgb: uint8 (112, 112, 3).
    """

    photo: str
    person: str
    fold: int
    crop_rgb: ByteArray


def cut_faces_of_people(folder: Path, people: dict[str, int], detector: Detector) -> list[Cut]:
    """Every photograph of `people`; the face nearest the middle is the one that the name belongs to."""
    photos = [path for person in sorted(people) for path in sorted((folder / person).glob("*.jpg"))]
    cuts = []
    for path in track(photos, "cutting faces"):
        crop = crop_of(path, detector)
        if isinstance(crop, str):
            sys.stderr.write(f"left out {path.name}: {crop}\n")
            continue
        person = path.parent.name
        cuts.append(Cut(path.stem, person, people[person], crop))
    return cuts


def pair_accuracy(similarity: dict[tuple[str, str], float], pairs: Sequence[Pair]) -> float:
    """Mean over folds of the accuracy at the threshold that is best on the other folds (View 2)."""
    folds = np.array([pair.fold for pair in pairs])
    same = np.array([pair.same for pair in pairs])
    scores = np.array([similarity[pair.first, pair.second] for pair in pairs])
    accuracies = []
    for fold in np.unique(folds):
        others = folds != fold
        best = max(np.unique(scores[others]), key=lambda t: ((scores[others] >= t) == same[others]).mean())
        accuracies.append(((scores[~others] >= best) == same[~others]).mean())
    return float(np.mean(accuracies))
