"""How well an embedder tells people apart behind a purifier, and for whom less well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipeline.embed.evidence import LUMA
from pipeline.embed.load import load_network
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.load import load_purifier
from pipeline.robustness.defence import Defence, embed, verify
from pipeline.robustness.faces import FacePack, load_faces
from pipeline.robustness.protocol import Split, person_of

FMR = 1e-3
_WORST_SHARE = 0.1
_BATCH = 64

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EmbedderFigures:
    """Of one embedder behind one purifier.

    Attributes:
        embedder: Model id.
        purifier: Its id.
        pairs: How many listed pairs of fold 5.
        accuracy: Share of them that is decided rightly at fold 4's best threshold.
        tar: Share of fold 5's genuine pairs that match at `FMR`, of all pairs of its photographs.
        fmr_by_luma: False match rate at that threshold among the darkest, middle and brightest third.
        fmr_of_worst: The same of the tenth of people with most false matches, against everybody.
    """

    embedder: str
    purifier: str
    pairs: int
    accuracy: float
    tar: float
    fmr_by_luma: tuple[float, float, float]
    fmr_of_worst: float

    def as_text(self) -> str:
        """One line."""
        thirds = " / ".join(f"{rate:.4f}" for rate in self.fmr_by_luma)
        return (
            f"{self.embedder} behind {self.purifier}: accuracy {self.accuracy:.4f} of {self.pairs} pairs, "
            f"TAR {self.tar:.4f} at FMR {FMR:g}; FMR of dark / middle / bright faces {thirds}, "
            f"of the worst tenth of people {self.fmr_of_worst:.4f}"
        )


def measure_embedder(embedder: str, purifier: str, models: Sequence[Path], faces: Path) -> EmbedderFigures:
    """Embed fold 4's and fold 5's photographs and compare them.

    Raises:
        UsageError: `faces` is not a file of packed faces.
        ModelNotFound, ModelFormatError: a card or a file is missing or not what it should be.
    """
    catalogue, pack = Catalogue.load(models), load_faces(faces)
    opened = catalogue.open(embedder, ModelKind.EMBEDDER)
    before = load_purifier(catalogue.open(purifier, ModelKind.PURIFIER))
    defence = Defence(purifier, embedder, before, load_network(opened))
    cpu = torch.device("cpu")
    threshold = verify(defence, pack, pack.pairs_of(Split.SELECT), cpu).threshold
    listed = pack.pairs_of(Split.SCORE)
    accuracy = verify(defence, pack, listed, cpu).accuracy(threshold)
    rows = pack.rows_of(Split.SCORE)
    vectors, luma = _embedded(defence, pack, rows)
    people = np.array([person_of(pack.photos[row]) for row in rows])
    scores, same = vectors @ vectors.T, people[:, None] == people[None]
    upper = np.triu(np.ones_like(same), 1)
    strict = float(np.quantile(scores[upper & ~same], 1 - FMR))
    return EmbedderFigures(
        opened.card.model_id,
        before.purifier_id,
        len(listed),
        accuracy,
        float((scores[upper & same] > strict).mean()),
        _by_luma(scores > strict, same, luma),
        _of_worst(scores > strict, same, people),
    )


def _embedded(defence: Defence, pack: FacePack, rows: Sequence[int]) -> tuple[Floats, Floats]:
    """Vectors float64 (N, D), and mean luma (N,), 8-bit units."""
    vectors, luma = [], []
    for start in range(0, len(rows), _BATCH):
        crops = pack.batch(rows[start : start + _BATCH])
        vectors.append(embed(defence, crops, torch.device("cpu")).numpy().astype(np.float64))
        luma.append(crops.mean(dim=(2, 3)).numpy() @ (np.array(LUMA) / sum(LUMA)))
    return np.concatenate(vectors), np.concatenate(luma)


def _by_luma(
    matches: npt.NDArray[np.bool_], same: npt.NDArray[np.bool_], luma: Floats
) -> tuple[float, float, float]:
    """Both faces of a pair in one third."""
    third = np.digitize(luma, np.quantile(luma, (1 / 3, 2 / 3)))
    rates = []
    for each in range(3):
        inside = np.ix_(third == each, third == each)
        rates.append(float(matches[inside][~same[inside]].mean()))
    return rates[0], rates[1], rates[2]


def _of_worst(
    matches: npt.NDArray[np.bool_], same: npt.NDArray[np.bool_], people: npt.NDArray[np.str_]
) -> float:
    """People are weighed alike, however many photographs they have."""
    names = np.unique(people)
    rates = np.array([matches[people == name][~same[people == name]].mean() for name in names])
    worst = max(1, round(_WORST_SHARE * len(names)))
    return float(np.sort(rates)[-worst:].mean())
