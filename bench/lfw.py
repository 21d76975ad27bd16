"""Labeled Faces in the Wild as the benchmarks use it: who is in which fold, pairs, aligned crops."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from gallery.find import find_faces
from gallery.photo import read_photo
from pipeline.align import align
from pipeline.seams import Detector
from pipeline.types import ByteArray, Face

PAIRS_PER_FOLD = 600


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs, as ``Name_0001``, and whether they show the same person."""

    first: str
    second: str
    same: bool
    fold: int


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


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of View 2, folds numbered from 1, 300 genuine then 300 impostor pairs each."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    rows = [row for row in rows if len(row) in (3, 4)]
    return [_pair(row, index // PAIRS_PER_FOLD + 1) for index, row in enumerate(rows)]


def _pair(row: Sequence[str], fold: int) -> Pair:
    same = len(row) == 3
    other = row[0] if same else row[2]
    return Pair(f"{row[0]}_{int(row[1]):04d}", f"{other}_{int(row[-1]):04d}", same, fold)


def fold_of_people(pairs: Iterable[Pair]) -> dict[str, int]:
    """Person -> fold. Folds are disjoint by person; raises ``ValueError`` if they are not."""
    folds: dict[str, int] = {}
    for pair in pairs:
        for photo in (pair.first, pair.second):
            person = photo[:-5]
            if folds.setdefault(person, pair.fold) != pair.fold:
                raise ValueError(f"{person} is in two folds")
    return folds


def cut_faces_of_people(folder: Path, people: dict[str, int], detector: Detector) -> list[Cut]:
    """Every photograph of `people`; the face nearest the middle is the one that the name belongs to."""
    photos = [path for person in sorted(people) for path in sorted((folder / person).glob("*.jpg"))]
    cuts = []
    for path in track(photos, "cutting faces"):
        image_bgr = read_photo(path).image_bgr
        faces = find_faces(image_bgr, detector)
        if not faces:
            sys.stderr.write(f"no face in {path.name}\n")
            continue
        middle = np.array(image_bgr.shape[1::-1]) / 2
        face = min(faces, key=lambda face: _distance(face, middle))
        person = path.parent.name
        cuts.append(Cut(path.stem, person, people[person], align(image_bgr, face.landmarks)))
    return cuts


def _distance(face: Face, middle: np.ndarray) -> float:
    centre = (face.bbox[:2] + face.bbox[2:]) / 2
    return float(np.linalg.norm(centre - middle))


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
