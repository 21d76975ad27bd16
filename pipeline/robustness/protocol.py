"""Who trains, who selects, who is scored: splits of Labeled Faces in the Wild that share nobody.

The pairs are those of LFW's View 2 (Huang, Ramesh, Berg, Learned-Miller, 2007), whose folds are
disjoint by person. People who are in no pair train as well.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UsageError

PAIRS_PER_FOLD = 600
SELECT_FOLD = 4
SCORE_FOLD = 5


class Split(enum.StrEnum):
    """What a person's photographs may be used for."""

    TRAIN = "train"
    """Fits bases, selectors, networks. Folds 1 to 3, and whoever is in no pair."""

    SELECT = "select"
    """Chooses between what was trained, sets thresholds, calibrates. Fold 4."""

    SCORE = "score"
    """Is looked at once a release. Fold 5."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs, as ``Name_0001``, and whether they show the same person."""

    first: str
    second: str
    same: bool
    fold: int

    @property
    def people(self) -> tuple[str, str]:
        """Whom they show; the same name twice for a genuine pair."""
        return person_of(self.first), person_of(self.second)


def person_of(photo: str) -> str:
    """``Name`` of ``Name_0001``."""
    return photo.rpartition("_")[0]


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of View 2, folds numbered from 1, 300 genuine then 300 impostor pairs each.

    Raises:
        UsageError: the file cannot be read or holds no pairs.
    """
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the pairs {path} cannot be read: {error}") from error
    rows = [row for row in rows if len(row) in (3, 4)]
    if not rows:
        raise UsageError(f"{path} holds no pairs (lines of `name i j` or `name1 i name2 j`, tab-separated)")
    return [_pair(row, index // PAIRS_PER_FOLD + 1) for index, row in enumerate(rows)]


def _pair(row: Sequence[str], fold: int) -> Pair:
    same = len(row) == 3
    other = row[0] if same else row[2]
    return Pair(f"{row[0]}_{int(row[1]):04d}", f"{other}_{int(row[-1]):04d}", same, fold)


def fold_of_people(pairs: Iterable[Pair]) -> dict[str, int]:
    """Person -> fold. Folds are disjoint by person; raises ``ValueError`` if they are not."""
    folds: dict[str, int] = {}
    for pair in pairs:
        for person in pair.people:
            if folds.setdefault(person, pair.fold) != pair.fold:
                raise ValueError(f"{person} is in two folds")
    return folds


def split_of(person: str, folds: Mapping[str, int]) -> Split:
    """The split of a person, given :func:`fold_of_people`."""
    match folds.get(person):
        case fold if fold == SELECT_FOLD:
            return Split.SELECT
        case fold if fold == SCORE_FOLD:
            return Split.SCORE
        case _:
            return Split.TRAIN
