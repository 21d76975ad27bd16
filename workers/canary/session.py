"""One measurement from beginning to end: canaries are read, attacked, decided on, and the results kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from gallery.records import Snapshot
from pipeline.errors import UsageError
from pipeline.robustness.attackers import Attacker
from pipeline.seams import Clock, FaceEmbedder
from pipeline.types import ALIGN_VERSION, Thresholds
from workers.canary.attackers import AttackPlan, Attacks, attackers_of
from workers.canary.crowd import Crowd, crowd_of
from workers.canary.measure import Decider, Measure, as_tensor
from workers.canary.records import Circumstances, Deciding, Face, Measured
from workers.canary.sample import Probe, digest_of, in_turn


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """What is attacked and what decides.

    Attributes:
        live: Decides as the program does now, and measures evidence if that does.
        plain: The same without evidence, as templates are made.
        network: The embedder, float32 (N, 3, 112, 112) -> (N, D), differentiable.
        purifier: What is before it; ``None`` for none.
        bare: Decides without the purifier; ``None`` where there is none, or no thresholds.
        device: Where `network` and `purifier` are.
    """

    live: FaceEmbedder
    plain: FaceEmbedder
    network: nn.Module
    purifier: nn.Module | None
    bare: FaceEmbedder | None
    device: torch.device


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """What probes are held against.

    Attributes:
        real: The gallery: distractors. It is read only.
        thresholds: In force at its epoch.
        bare: Those without a purifier, from the card.
    """

    real: Snapshot
    thresholds: Thresholds
    bare: Thresholds | None


class Session:
    """Measures once.

    Args:
        networks: See there.
        against: See there.
        plan: How strong the attacks are.
        clock: Time.
        began_s: When the run began, of the clock's `monotonic_s`.
    """

    def __init__(
        self, networks: Networks, against: Against, plan: AttackPlan, clock: Clock, began_s: float
    ) -> None:
        self._networks, self._against, self._plan = networks, against, plan
        self._clock, self._began_s = clock, began_s

    def measure(self, faces: list[Face], seed: int, budget_s: float) -> Measured:
        """Attack as many probes as the budget allows, one group at least.

        Args:
            faces: Of all canaries.
            seed: Of everything random.
            budget_s: Seconds for attacking, from now on.

        Raises:
            UsageError: there is nobody to attack.
        """
        probes = in_turn(faces, seed)
        if not probes:
            raise UsageError("there are no canaries to attack: `pinwatch canary add` takes one in")
        enrolled = [face for face in faces if face.enrolled]
        live = crowd_of(enrolled, self._networks.plain, self._against.real, self._against.thresholds.match)
        attacks = Attacks(self._attackers(), _by_person(enrolled), self._plan, self._networks.device)
        measure = Measure(attacks, self._deciders(live, enrolled), seed)
        until_s = self._clock.monotonic_s() + budget_s
        results, probed = measure.run(probes, lambda: self._clock.monotonic_s() < until_s)
        return Measured(self._circumstances(faces, probes, live, len(probed)), results, probed)

    def _attackers(self) -> list[Attacker]:
        return attackers_of(self._networks.network, self._networks.purifier, self._plan)

    def _deciders(self, live: Crowd, enrolled: list[Face]) -> list[Decider]:
        networks, against = self._networks, self._against
        purified = networks.purifier is not None
        deciders = [Decider(networks.live, live.index, against.thresholds, purified)]
        if networks.bare is not None and against.bare is not None:
            alone = crowd_of(enrolled, networks.bare, None, against.bare.match)
            deciders.append(Decider(networks.bare, alone.index, against.bare, purified=False))
        return deciders

    def _circumstances(
        self, faces: list[Face], probes: list[Probe], crowd: Crowd, probed: int
    ) -> Circumstances:
        key, bare = self._networks.live.key, self._against.bare
        return Circumstances(
            embedder=key.model_id,
            purifier=key.purifier_id,
            align_version=ALIGN_VERSION,
            thresholds=_deciding(self._against.thresholds),
            bare=None if bare is None or self._networks.bare is None else _deciding(bare),
            gallery_epoch=self._against.real.epoch,
            distractors=crowd.distractors,
            left_out=crowd.left_out,
            canaries=len({face.canary_id for face in faces}),
            templates=sum(face.enrolled for face in faces),
            probes=len(probes),
            probed=probed,
            canary_set=digest_of(faces),
            eps_255=self._plan.eps_255,
            adaptive_eps_255=self._plan.adaptive_eps_255,
            steps=self._plan.steps,
            device=str(self._networks.device),
            seconds=round(self._clock.monotonic_s() - self._began_s, 3),
        )


def _by_person(enrolled: list[Face]) -> Mapping[str, torch.Tensor]:
    people: dict[str, list[Face]] = {}
    for face in enrolled:
        people.setdefault(face.canary_id, []).append(face)
    return {name: as_tensor([face.crop_rgb for face in own]) for name, own in people.items()}


def _deciding(thresholds: Thresholds) -> Deciding:
    return Deciding(
        round(thresholds.match, 6),
        round(thresholds.margin, 6),
        thresholds.votes,
        thresholds.origin,
        thresholds.evidence,
    )


Measures = Callable[[list[Face], int, float], Measured]
"""See :meth:`Session.measure`."""
