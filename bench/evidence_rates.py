"""How often attack evidence finds an attack, at the false alarm rate that it was calibrated to.

    .venv/bin/python -m bench.evidence_rates --faces faces.npz --models ../shared/assets/models --work work \
        --clip ../shared/assets/clips/crowd.mp4

The threshold is the one on fold 4's unattacked crops at which 1 % of them are above (the card's own is
stricter); rates are of fold 5's people, who had no part in it. Each crop is a track of one. An attack that
does not change the decision counts as well: evidence should find it. The first column is without what is
taken off for noise, the second with it, each at its own threshold; the third is the second at the
threshold at which 1 % of fold 5's own unattacked crops are above, which nobody could know beforehand.
"""

from __future__ import annotations

import argparse
import enum
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bench.errors import in_one_line
from bench.pin_card import unattacked
from pipeline.embed.evidence import LUMA, NOISE_SHIFT, explained_shift, noise_255
from pipeline.embed.load import load_network
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.load import load_purifier
from pipeline.robustness.attackers import Attacker, evidence_penalty
from pipeline.robustness.attacks.gradient import Pgd
from pipeline.robustness.controls import SURROGATES, Controls
from pipeline.robustness.defence import Defence, embed
from pipeline.robustness.examples import ExampleStore
from pipeline.robustness.faces import load_faces
from pipeline.robustness.protocol import Split
from pipeline.robustness.statistics import wilson_interval
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.robustness.trial import pair_trial
from pipeline.types import ByteArray
from workers.build import Context, WatchRequest

FALSE_ALARM_RATE = 0.01
CPU = torch.device("cpu")

Floats = npt.NDArray[np.float64]


class TakenOff(enum.Enum):
    """What is taken off a crop's shift."""

    NOTHING = "nothing taken off"
    NOISE = "noise"
    ALL = "noise and exposure"


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Crops as attack evidence sees them.

    Attributes:
        shift: float64 (N,), 1 - cosine of the embeddings behind the purifier and without it.
        noise: float64 (N,), the part of it that noise explains.
        explained: float64 (N,), the part of it that is explained at all.
        luma: float64 (N,), mean luma, 8-bit units.
    """

    shift: Floats
    noise: Floats
    explained: Floats
    luma: Floats

    @classmethod
    def of(cls, defence: Defence, crops: torch.Tensor) -> Measured:
        """Of uint8 (N, 3, 112, 112)."""
        cosine = (embed(defence, crops, CPU) * embed(defence.network, crops, CPU)).sum(1)
        pictures = crops.permute(0, 2, 3, 1).numpy()
        return cls(
            (1.0 - cosine).double().numpy(),
            np.array([NOISE_SHIFT * noise_255(crop) for crop in pictures]),
            np.array([explained_shift(crop) for crop in pictures]),
            (pictures @ np.array(LUMA) / 256).mean(axis=(1, 2)),
        )

    def evidence(self, taken_off: TakenOff) -> Floats:
        """float64 (N,)."""
        parts = {TakenOff.NOTHING: np.zeros_like(self.noise), TakenOff.NOISE: self.noise}
        return np.maximum(self.shift - parts.get(taken_off, self.explained), 0.0)


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


def tracks_of(clip: Path, embedder: str, purifier: str, models: Path) -> Floats:
    """The attack evidence of every track of a clip, as the program watches it."""
    with tempfile.TemporaryDirectory() as folder:
        context = Context({})
        context.override(data=Path(folder), models=models, embedder=embedder, purifier=purifier)
        with context.session(WatchRequest(sources=(str(clip),))) as session:
            sightings = session.run().sightings
        context.close()
    return np.array([one.attack_evidence for one in sightings if one.attack_evidence is not None])


def show(name: str, *found: npt.NDArray[np.bool_]) -> None:
    """One line: shares above the thresholds, with their intervals."""
    cells = []
    for above in found:
        interval = wilson_interval(float(above.sum()), max(1, len(above)))
        share = f"{above.mean():.3f}" if len(above) else "-"
        cells.append(f"{share} [{interval.low:.3f}, {interval.high:.3f}] of {len(above)}")
    print(f"  {name:<52} {'  '.join(cells)}", flush=True)


@in_one_line
def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for examples, to go on from")
    parser.add_argument("--clip", type=Path, help="footage without an attack: crowd.mp4")
    parser.add_argument("--embedder", default="mobilefacenet")
    parser.add_argument("--purifier", default="pinwatch-pin")
    parser.add_argument("--pairs", type=int, default=100, help="attacked pairs a goal")
    parser.add_argument("--photos", type=int, default=200, help="unattacked photographs of each fold")
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    pack, catalogue = load_faces(given.faces), Catalogue.load([given.models])
    network = load_network(catalogue.open(given.embedder, ModelKind.EMBEDDER))
    purifier = load_purifier(catalogue.open(given.purifier, ModelKind.PURIFIER))
    defence = Defence(given.purifier, given.embedder, purifier, network)
    select, score = (
        Measured.of(defence, _as_batch(unattacked(np.stack([pack.crop(row) for row in rows]))))
        for rows in (pack.rows_of(split)[: given.photos] for split in (Split.SELECT, Split.SCORE))
    )
    columns = [
        (taken_off, float(np.quantile(of.evidence(taken_off), 1 - FALSE_ALARM_RATE)))
        for taken_off, of in (*((each, select) for each in TakenOff), (TakenOff.ALL, score))
    ]
    print(f"{given.embedder} behind {given.purifier}: share of crops with evidence above the threshold")
    print("  columns (threshold): " + ", ".join(f"{off.value} ({at:.3f})" for off, at in columns))
    _, shipped = columns[2]
    dark, bright = np.quantile(score.luma, (1 / 3, 2 / 3))

    def tell(name: str, of: Measured) -> None:
        show(name, *(of.evidence(taken_off) > threshold for taken_off, threshold in columns))
        third = np.digitize(of.luma, (dark, bright))
        above = of.evidence(TakenOff.ALL) > shipped
        show("    darkest, middle, brightest third", *(above[third == each] for each in range(3)))

    tell("clean and corrupted faces of fold 5", score)
    if given.clip:
        tracks = tracks_of(given.clip, given.embedder, given.purifier, given.models)
        print(
            f"  tracks of {given.clip.name}: {(tracks > shipped).sum()} of {len(tracks)}; "
            f"highest {tracks.max():.3f}"
        )
    controls, store = Controls(pack, given.work / "controls"), ExampleStore(given.work)
    surrogates = {name: controls.get(name) for name in SURROGATES}
    trials = [pair_trial(pack, Split.SCORE, goal, given.pairs, 0) for goal in (Goal.DODGE, Goal.IMPERSONATE)]
    for attacker, eps_255 in attackers(defence, surrogates, given.steps):
        adapted = attacker.threat_model is ThreatModel.ADAPTIVE
        owner = f"{given.embedder}+{given.purifier}" if adapted else given.embedder
        for trial in trials:
            crops = store.get(owner, attacker, trial, eps_255, seed=0, device=CPU)
            name = f"{attacker.threat_model} {attacker.label}, {trial.goal}, {eps_255:g}/255"
            tell(name, Measured.of(defence, crops))


def _as_batch(crops_rgb: ByteArray) -> torch.Tensor:
    """uint8 (N, 112, 112, 3) -> (N, 3, 112, 112)."""
    return torch.from_numpy(crops_rgb).permute(0, 3, 1, 2)


if __name__ == "__main__":
    main()
