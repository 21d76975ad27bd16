"""Measures what stands on the cards of embedders where folds 1 to 3 trained something, and prints it as YAML.

Uses fold 4 of LFW only: the people of folds 1 to 3 trained the purifier, or the embedder (`--purifier none`),
and fold 5 is kept for scoring.

    .venv/bin/python -m bench.pin_card --faces faces.npz --models ../shared/assets/models

Thresholds of similarity are measured as bench.card_thresholds does. The evidence threshold is calibrated
on the clean photographs and on the same under every corruption of middle severity.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.card_thresholds import BATCH, embed_all, print_entry
from bench.errors import in_one_line
from bench.lfw import Cut
from pipeline.embed.evidence import EvidenceEmbedder
from pipeline.embed.load import load_embedder
from pipeline.evidence import calibrate_evidence
from pipeline.models import Catalogue, ModelKind
from pipeline.robustness.corruptions import Corruption
from pipeline.robustness.faces import FacePack, load_faces
from pipeline.robustness.protocol import SELECT_FOLD, Split, person_of
from pipeline.robustness.results import CLEAN
from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray

SEVERITY = 3
"""The middle one."""


def cuts_of(pack: FacePack, split: Split) -> list[Cut]:
    """The crops of a split as the other benchmarks take them."""
    return [
        Cut(pack.photos[row], person_of(pack.photos[row]), SELECT_FOLD, pack.crop(row))
        for row in pack.rows_of(split)
    ]


def shifts(crops: Sequence[ByteArray], embedder: FaceEmbedder) -> npt.NDArray[np.float64]:
    """Purification shift of each crop, as a track of one has it."""
    found = []
    for start in range(0, len(crops), BATCH):
        found += [one.purification_shift for one in embedder.embed(crops[start : start + BATCH])]
    return np.array(found, np.float64)


def versions(crops_rgb: ByteArray) -> Iterator[tuple[str, ByteArray]]:
    """Crops that nobody attacks, by name: uint8 (N, 112, 112, 3) as they are and under every corruption."""
    yield CLEAN, crops_rgb
    for corruption in Corruption:
        yield f"{corruption}-{SEVERITY}", corruption(crops_rgb, SEVERITY, 0)


def unattacked(crops_rgb: ByteArray) -> ByteArray:
    """All of :func:`versions`, uint8 (N x versions, 112, 112, 3)."""
    return np.concatenate([changed for _, changed in versions(crops_rgb)])


@in_one_line
def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--models", type=Path, action="append", required=True)
    parser.add_argument("--purifier", default="pinwatch-pin")
    parser.add_argument("--fmr", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--embedder", action="append", metavar="CARD", help="default all that there are")
    given = parser.parse_args()
    pack = load_faces(given.faces)
    catalogue = Catalogue.load(given.models)
    cuts = cuts_of(pack, Split.SELECT)
    purifier = catalogue.open(given.purifier, ModelKind.PURIFIER)
    print(f"{len(cuts)} photographs of fold 4, {purifier.card.model_id}")
    for name in given.embedder or [card.name for card in catalogue.cards(ModelKind.EMBEDDER)]:
        opened = catalogue.open(name, ModelKind.EMBEDDER)
        purified = load_embedder(opened, purifier, threads=given.threads)
        bare = load_embedder(opened, catalogue.open("none", ModelKind.PURIFIER), threads=given.threads)
        print(f"\n{name} behind {given.purifier}")
        print_entry(given.purifier, [embed_all(cuts, purified)], given.fmr)
        if purified.key == bare.key:
            continue  # without a purifier there is no evidence
        negatives = unattacked(np.stack([cut.crop_rgb for cut in cuts]))
        found = calibrate_evidence(shifts(list(negatives), EvidenceEmbedder(purified, bare)))
        print(
            f"        evidence: {found.threshold:.4f}, evidence_far: {found.false_alarm_rate:.2g}, "
            f"evidence_negatives: {found.negatives}"
        )


if __name__ == "__main__":
    main()
