"""Crops whose attack evidence is measured: photographs that nobody attacked, and attacked ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bench.pin_card import versions
from pipeline.embed.evidence import LUMA, NOISE_SHIFT, explained_shift, noise_255
from pipeline.robustness.attackers import (
    Attacker,
    embedder_attackers,
    evidence_penalty,
    surrogate_attackers,
)
from pipeline.robustness.attacks.gradient import Pgd
from pipeline.robustness.attacks.momentum import MomentumIterative
from pipeline.robustness.defence import Defence, embed
from pipeline.robustness.detection_rates import TakenOff
from pipeline.robustness.examples import ExampleStore
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split, person_of
from pipeline.robustness.threat import VERIFICATION_GOALS, Goal, ThreatModel
from pipeline.robustness.trial import drawn, pair_trial
from pipeline.types import ByteArray

CPU = torch.device("cpu")
ALL = "all"

Floats = npt.NDArray[np.float64]
People = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        photographs: Unattacked ones of each fold, a random choice; ``None`` for all.
        pairs: Attacked ones a goal, likewise.
        steps: Of the attacks.
        seed: Of everything random.
    """

    photographs: int | None = None
    pairs: int | None = 100
    steps: int = 10
    seed: int = 0

    def __str__(self) -> str:
        """As options."""
        photographs, pairs = (ALL if n is None else n for n in (self.photographs, self.pairs))
        return f"--photographs {photographs} --pairs {pairs} --steps {self.steps} --seed {self.seed}"


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Crops as attack evidence sees them.

    Attributes:
        shift: float64 (N,), 1 - cosine of the embeddings behind the purifier and without it.
        noise: float64 (N,), the part of it that noise explains.
        explained: float64 (N,), the part of it that is explained at all.
        luma: float64 (N,), mean luma, 8-bit units.
        people: Of each crop: whom it shows, or whom its pair does.
    """

    shift: Floats
    noise: Floats
    explained: Floats
    luma: Floats
    people: People

    @classmethod
    def of(cls, defence: Defence, crops: torch.Tensor, people: People) -> Measured:
        """Of uint8 (N, 3, 112, 112)."""
        cosine = (embed(defence, crops, CPU) * embed(defence.network, crops, CPU)).sum(1)
        pictures = crops.permute(0, 2, 3, 1).numpy()
        return cls(
            (1.0 - cosine).double().numpy(),
            np.array([NOISE_SHIFT * noise_255(crop) for crop in pictures]),
            np.array([explained_shift(crop) for crop in pictures]),
            pictures.mean(axis=(1, 2)) @ np.array(LUMA) / 256,
            people,
        )

    @classmethod
    def joined(cls, parts: Sequence[Measured]) -> Measured:
        """All crops of `parts`."""
        return cls(
            np.concatenate([part.shift for part in parts]),
            np.concatenate([part.noise for part in parts]),
            np.concatenate([part.explained for part in parts]),
            np.concatenate([part.luma for part in parts]),
            tuple(people for part in parts for people in part.people),
        )

    def evidence(self, taken_off: TakenOff) -> Floats:
        """float64 (N,)."""
        parts = {TakenOff.NOTHING: np.zeros_like(self.noise), TakenOff.NOISE: self.noise}
        return np.maximum(self.shift - parts.get(taken_off, self.explained), 0.0)


@dataclass(frozen=True, slots=True)
class Condition:
    """What was done to crops, or that nothing was: fields as in :class:`DetectionRate`."""

    attack: str
    threat_model: ThreatModel = ThreatModel.CORRUPTION
    goal: Goal | None = None
    eps_255: float = 0.0

    def __str__(self) -> str:
        parts = (self.threat_model, self.attack, self.goal, f"{self.eps_255:g}/255" if self.eps_255 else None)
        return " ".join(part for part in parts if part is not None)


def unattacked_of(pack: FacePack, split: Split, defence: Defence, size: Size) -> dict[str, Measured]:
    """Photographs of `split`, by what was done to them without meaning harm."""
    rows = sorted(drawn(pack.rows_of(split), size.photographs, size.seed))
    people = tuple((person_of(pack.photos[row]),) for row in rows)
    crops = np.stack([pack.crop(row) for row in rows])
    return {name: Measured.of(defence, _as_batch(changed), people) for name, changed in versions(crops)}


def attackers(
    defence: Defence, surrogates: Mapping[str, nn.Module], steps: int
) -> list[tuple[Attacker, float]]:
    """Those whose traces are looked for, each with its budget."""
    pgd = Pgd(steps)
    (bare,) = embedder_attackers(defence.network, [pgd])
    guessed = surrogate_attackers(defence.network, surrogates, [pgd], MomentumIterative(steps))
    adaptive = partial(Attacker, ThreatModel.ADAPTIVE, pgd, defence, weights=defence.weights)
    exact, hidden = adaptive(), adaptive("low evidence", evidence_penalty(defence))
    return [(bare, 8.0), (bare, 4.0), *((one, 8.0) for one in guessed), (exact, 4.0), (hidden, 4.0)]


def attacked_of(
    pack: FacePack, defence: Defence, surrogates: Mapping[str, nn.Module], store: ExampleStore, size: Size
) -> Iterator[tuple[Condition, Measured]]:
    """Crops of `SCORE` as each attacker changes them, for either goal.

    Args:
        pack: Crops and pairs.
        defence: Whose evidence is measured.
        surrogates: T2b: purifiers of the attacker's own, by name.
        store: Where examples are kept.
        size: How much.
    """
    trials = [pair_trial(pack, Split.SCORE, goal, size.pairs, size.seed) for goal in VERIFICATION_GOALS]
    for attacker, eps_255 in attackers(defence, surrogates, size.steps):
        adapted = attacker.threat_model is ThreatModel.ADAPTIVE
        owner = f"{defence.embedder}+{defence.name}" if adapted else defence.embedder
        for trial in trials:
            crops = store.get(owner, attacker, trial, eps_255, seed=size.seed, device=CPU)
            condition = Condition(attacker.label, attacker.threat_model, trial.goal, eps_255)
            yield condition, Measured.of(defence, crops, trial.people)


def _as_batch(crops_rgb: ByteArray) -> torch.Tensor:
    """uint8 (N, 112, 112, 3) -> (N, 3, 112, 112)."""
    return torch.from_numpy(crops_rgb).permute(0, 3, 1, 2)
