"""Measures what stands on the cards of embedders where folds 1 to 3 trained something, and prints it as YAML.

Uses fold 4 of LFW only: the people of folds 1 to 3 trained the purifier, or the embedder (`--purifier none`),
and fold 5 is kept for scoring.

    .venv/bin/python -m bench.pin_card --faces faces.npz --models ../shared/assets/models

With --write the entry goes onto the card of one embedder, which lies in the last folder of --models.

Thresholds of similarity are measured as bench.card_thresholds does. The evidence threshold is calibrated
on the clean photographs and on the same under every corruption of middle severity.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.card_thresholds import BATCH, embed_all, entry_of, show_entry
from bench.errors import in_one_line
from bench.lfw import Cut
from pipeline.embed.evidence import EvidenceEmbedder
from pipeline.embed.load import load_embedder
from pipeline.evidence import calibrate_evidence
from pipeline.models import CardThresholds, Catalogue, ModelCard, ModelKind
from pipeline.models.saving import save_card
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


def measured(
    cuts: Sequence[Cut], name: str, purified: FaceEmbedder, bare: FaceEmbedder, fmr: float
) -> CardThresholds:
    """The entry of an embedder behind the purifier `name`; without one before it no attack evidence."""
    people = len({cut.person for cut in cuts})
    data = f"LFW, {len(cuts)} photographs of the {people} people of fold 4, who trained nothing"
    entry = entry_of(name, [embed_all(cuts, purified)], fmr, data)
    if purified.key == bare.key:
        return entry
    negatives = unattacked(np.stack([cut.crop_rgb for cut in cuts]))
    found = calibrate_evidence(shifts(list(negatives), EvidenceEmbedder(purified, bare)))
    return replace(
        entry,
        evidence=round(found.threshold, 4),
        evidence_far=float(f"{found.false_alarm_rate:.2g}"),
        evidence_negatives=found.negatives,
    )


def with_entry(card: ModelCard, entry: CardThresholds) -> ModelCard:
    """The card with the entry in the place of what it said of the same purifier."""
    others = [one for one in card.thresholds if one.purifier != entry.purifier]
    return replace(card, thresholds=tuple(sorted([*others, entry], key=lambda one: one.purifier)))


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
    parser.add_argument("--write", action="store_true", help="put what was found on the card")
    given = parser.parse_args()
    catalogue = Catalogue.load(given.models)
    cuts = cuts_of(load_faces(given.faces), Split.SELECT)
    purifiers = [catalogue.open(name, ModelKind.PURIFIER) for name in (given.purifier, "none")]
    print(f"{len(cuts)} photographs of fold 4, {purifiers[0].card.model_id}")
    for name in given.embedder or [card.name for card in catalogue.cards(ModelKind.EMBEDDER)]:
        opened = catalogue.open(name, ModelKind.EMBEDDER)
        print(f"\n{name} behind {given.purifier}")
        purified, bare = (load_embedder(opened, before, threads=given.threads) for before in purifiers)
        entry = measured(cuts, given.purifier, purified, bare, given.fmr)
        show_entry(entry)
        if given.write:
            save_card(given.models[-1], with_entry(opened.card, entry))


if __name__ == "__main__":
    main()
