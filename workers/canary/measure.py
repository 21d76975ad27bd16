"""Decides on clean and attacked probes as the program decides on faces, and says what was right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch

from pipeline.decide import WeightedEmbedding, decide
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.seams import FaceEmbedder, GalleryIndex
from pipeline.types import ByteArray, Outcome, Thresholds
from workers.canary.attackers import Attacks, Attempt
from workers.canary.crowd import subject_of
from workers.canary.records import CLEAN, Condition, Result
from workers.canary.sample import Probe

TOGETHER = 4
"""Probes that are attacked at once; between two such groups a run asks whether its time is up."""


@dataclass(frozen=True, slots=True, eq=False)
class Decider:
    """What names faces: networks, gallery and thresholds.

    Attributes:
        embedder: As live: it measures attack evidence where that is wanted.
        index: Canaries and distractors.
        thresholds: In force.
        purified: Whether there is a purifier in it.
    """

    embedder: FaceEmbedder
    index: GalleryIndex
    thresholds: Thresholds
    purified: bool

    def results(self, probes: Sequence[Probe], crops: torch.Tensor, condition: Condition) -> list[Result]:
        """One a probe; `crops` uint8 (N, 3, 112, 112) are the probes, changed or not."""
        embeddings = self.embedder.embed(as_pictures(crops))
        faces = [
            WeightedEmbedding(one, probe.face.quality) for one, probe in zip(embeddings, probes, strict=True)
        ]
        return [self._result(probe, face, condition) for probe, face in zip(probes, faces, strict=True)]

    def _result(self, probe: Probe, face: WeightedEmbedding, condition: Condition) -> Result:
        live = decide([face], self.index, self.thresholds)
        alone = decide([face], self.index, replace(self.thresholds, evidence=None))
        own = subject_of(probe.face.canary_id)
        if condition.goal == Goal.IMPERSONATE:
            correct = alone.subject_id != subject_of(probe.target or "")
        else:
            correct = alone.subject_id == own
        measured = live.attack_evidence is not None and self.thresholds.evidence is not None
        return Result(
            photo_id=probe.face.photo_id,
            condition=condition,
            correct=correct,
            false_name=live.subject_id not in (None, own),
            suspected=(live.outcome is Outcome.SUSPECTED_ATTACK) if measured else None,
        )


class Measure:
    """Clean and attacked probes before every decider.

    Args:
        attacks: Who attacks.
        deciders: What is attacked; the one behind a purifier, if there is one, takes all attacks, the other
            those of whoever knows of no purifier.
        seed: Of everything random.
    """

    def __init__(self, attacks: Attacks, deciders: Sequence[Decider], seed: int) -> None:
        self._attacks, self._deciders, self._seed = attacks, deciders, seed

    def run(self, probes: Sequence[Probe], go_on: Callable[[], bool]) -> tuple[list[Result], list[str]]:
        """Results, and the ids of the photographs they are of.

        Args:
            probes: In the order of their turns; one group of them is taken in any case.
            go_on: Asked between two groups.
        """
        remaining = iter(probes)
        results: list[Result] = []
        probed: list[str] = []
        while (group := list(islice(remaining, TOGETHER))) and (not probed or go_on()):
            results += self._group(group)
            probed += [probe.face.photo_id for probe in group]
        return results, probed

    def _group(self, group: Sequence[Probe]) -> Iterator[Result]:
        crops = as_tensor([probe.face.crop_rgb for probe in group])
        for decider in self._deciders:
            clean = Condition(ThreatModel.CORRUPTION, CLEAN, 0.0, CLEAN, decider.purified)
            yield from decider.results(group, crops, clean)
        owners = [probe.face.canary_id for probe in group]
        targets = [probe.target for probe in group if probe.target is not None]
        for attempt in self._attacks(crops, owners, targets or None, self._seed):
            yield from self._attempt(group, attempt)

    def _attempt(self, group: Sequence[Probe], attempt: Attempt) -> Iterator[Result]:
        model = attempt.attacker.threat_model
        for decider in self._deciders:
            if not decider.purified and model is not ThreatModel.EMBEDDER:
                continue  # without a purifier the others are that one again
            condition = Condition(
                model, attempt.attacker.label, attempt.eps_255, attempt.goal, decider.purified
            )
            yield from decider.results(group, attempt.crops, condition)


def as_tensor(crops_rgb: Sequence[ByteArray]) -> torch.Tensor:
    """uint8 (112, 112, 3) each -> uint8 (N, 3, 112, 112)."""
    return torch.from_numpy(np.stack(crops_rgb)).permute(0, 3, 1, 2).contiguous()


def as_pictures(crops: torch.Tensor) -> list[ByteArray]:
    """The other way."""
    return list(np.ascontiguousarray(crops.permute(0, 2, 3, 1).numpy()))
