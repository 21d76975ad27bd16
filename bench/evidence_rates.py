"""How often attack evidence finds an attack, at the false alarm rate that it was calibrated to.

    .venv/bin/python -m bench.evidence_rates --faces faces.npz --models ../shared/assets/models

The threshold is the one on fold 4's unattacked crops at which 1 % of them are above (the card's own is
stricter); rates are of fold 5's people, who had no part in it. Each crop is a track of one. An attack that
does not change the decision counts as well: evidence should find it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bench.pin_card import cuts_of, unattacked
from pipeline.embed.load import load_network
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.load import load_purifier
from pipeline.robustness.attackers import Attacker, evidence_penalty
from pipeline.robustness.attacks.gradient import Pgd
from pipeline.robustness.controls import SURROGATES, Controls
from pipeline.robustness.defence import Defence, embed
from pipeline.robustness.examples import attacked
from pipeline.robustness.faces import FacePack, load_faces
from pipeline.robustness.protocol import Split
from pipeline.robustness.statistics import wilson_interval
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.robustness.trial import pair_trial
from pipeline.types import ByteArray, Embedding, TemplateKey

FALSE_ALARM_RATE = 0.01
CPU = torch.device("cpu")


class TorchEvidence:
    """The evidence embedder of the product on torch, where attacks are made."""

    dim = 0
    key = TemplateKey("bench", "bench")

    def __init__(self, defence: Defence) -> None:
        self._defence = defence

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        """Purified embeddings with their shift."""
        crops = torch.from_numpy(np.stack(crops_rgb)).permute(0, 3, 1, 2)
        purified, raw = embed(self._defence, crops, CPU), embed(self._defence.network, crops, CPU)
        shift = 1.0 - (purified * raw).sum(1)
        return [
            Embedding(vector.numpy(), self.key, float(one))
            for vector, one in zip(purified, shift, strict=True)
        ]


def attackers(defence: Defence, surrogates: dict[str, nn.Module], steps: int) -> list[tuple[Attacker, float]]:
    """Those whose traces are looked for, each with its budget."""
    pgd, network = Pgd(steps), defence.network
    known = [
        (Attacker(ThreatModel.EMBEDDER, pgd, network), 8.0),
        (Attacker(ThreatModel.EMBEDDER, pgd, network), 4.0),
    ]
    guessed = [
        (Attacker(ThreatModel.SURROGATE, pgd, nn.Sequential(purifier, network), name), 8.0)
        for name, purifier in surrogates.items()
    ]
    hidden = evidence_penalty(defence)
    adaptive = [
        (Attacker(ThreatModel.ADAPTIVE, pgd, defence), 4.0),
        (Attacker(ThreatModel.ADAPTIVE, pgd, defence, "low evidence", hidden), 4.0),
    ]
    return [*known, *guessed, *adaptive]


def shift_of(defence: Defence, crops: torch.Tensor) -> npt.NDArray[np.float64]:
    """float64 (N,) of uint8 (N, 3, 112, 112)."""
    purified, raw = embed(defence, crops, CPU), embed(defence.network, crops, CPU)
    return (1.0 - (purified * raw).sum(1)).double().numpy()


def show(name: str, above: npt.NDArray[np.bool_]) -> None:
    """One line with its interval."""
    interval = wilson_interval(float(above.sum()), len(above))
    print(f"  {name:<52} {above.mean():.3f} [{interval.low:.3f}, {interval.high:.3f}] of {len(above)}")


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--models", type=Path, action="append", required=True)
    parser.add_argument("--embedder", default="mobilefacenet")
    parser.add_argument("--purifier", default="pinwatch-pin")
    parser.add_argument("--pairs", type=int, default=50, help="attacked pairs a goal")
    parser.add_argument("--photos", type=int, default=200, help="unattacked photographs of each fold")
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    pack = load_faces(given.faces)
    catalogue = Catalogue.load(given.models)
    network = load_network(catalogue.open(given.embedder, ModelKind.EMBEDDER))
    purifier = load_purifier(catalogue.open(given.purifier, ModelKind.PURIFIER))
    defence = Defence(given.purifier, given.embedder, purifier, network)
    evidence = TorchEvidence(defence)
    select, score = (_photos(pack, split, given.photos) for split in (Split.SELECT, Split.SCORE))
    threshold = float(np.quantile(unattacked(select, evidence), 1 - FALSE_ALARM_RATE))
    print(f"{given.embedder} behind {given.purifier}: evidence above {threshold:.3f} is an attack")
    show("false alarms, clean and corrupted faces of fold 5", unattacked(score, evidence) > threshold)
    controls = Controls(pack)
    surrogates = {name: controls.get(name) for name in SURROGATES}
    trials = [pair_trial(pack, Split.SCORE, goal, given.pairs, 0) for goal in (Goal.DODGE, Goal.IMPERSONATE)]
    for attacker, eps_255 in attackers(defence, surrogates, given.steps):
        for trial in trials:
            found = shift_of(defence, attacked(attacker, trial, eps_255, 0, CPU)) > threshold
            show(f"{attacker.threat_model} {attacker.label}, {trial.goal}, {eps_255:g}/255", found)


def _photos(pack: FacePack, split: Split, count: int) -> list[ByteArray]:
    return [cut.crop_rgb for cut in cuts_of(pack, split)[:count]]


if __name__ == "__main__":
    main()
