"""What attackers are set to: crops to change, and what they must match or not match afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from pipeline.robustness.defence import Defence, embed
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split, person_of
from pipeline.robustness.threat import Goal

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """N crops that are attacked with one goal.

    Attributes:
        goal: What the attacker wants.
        probes: uint8 (N, 3, 112, 112) RGB: whoever stands before the camera, changed by the attacker.
        references: uint8 (N, 3, 112, 112): the enrolled photograph of row n; `ANYONE`: uint8
            (M, 3, 112, 112), one photograph of each of the M people of the gallery.
        people: Of each probe: whom its pair shows.
    """

    goal: Goal
    probes: torch.Tensor
    references: torch.Tensor
    people: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.probes)

    def first(self, count: int | None) -> Trial:
        """The first `count` rows, ``None`` for all; they were drawn in random order."""
        if count is None:
            return self
        references = self.references if self.goal is Goal.ANYONE else self.references[:count]
        return replace(self, probes=self.probes[:count], references=references, people=self.people[:count])

    def right(self, similarities: np.ndarray, threshold: float) -> np.ndarray:
        """bool (N,): decided as it should be."""
        return np.asarray(similarities >= threshold if self.goal is Goal.DODGE else similarities < threshold)


class Scorer:
    """Similarities behind one defence; the references of a trial are embedded once.

    Args:
        defence: Decides.
        device: Where it is.
    """

    def __init__(self, defence: Defence, device: torch.device) -> None:
        self._defence = defence
        self._device = device
        self._templates: dict[Trial, torch.Tensor] = {}

    def similarities(self, trial: Trial, probes: torch.Tensor) -> np.ndarray:
        """float32 (N,): cosine of each of `probes` to its reference (`ANYONE`: to the nearest)."""
        if trial not in self._templates:
            self._templates[trial] = embed(self._defence, trial.references, self._device)
        templates = self._templates[trial]
        vectors = embed(self._defence, probes, self._device)
        if trial.goal is Goal.ANYONE:
            return (vectors @ templates.T).amax(dim=1).cpu().numpy()
        return (vectors * templates).sum(dim=1).cpu().numpy()

    def right(self, trial: Trial, probes: torch.Tensor, threshold: float) -> np.ndarray:
        """bool (N,): which of `probes` are decided as they should be."""
        return trial.right(self.similarities(trial, probes), threshold)


def pair_trial(pack: FacePack, split: Split, goal: Goal, count: int | None, seed: int) -> Trial:
    """The listed pairs of `split`: genuine ones for dodging, impostors for impersonation.

    Args:
        pack: Crops and pairs.
        split: Whose people.
        goal: `DODGE` or `IMPERSONATE`.
        count: A random choice of so many, ``None`` for all.
        seed: Of the choice and of the order.
    """
    pairs = [pair for pair in pack.pairs_of(split) if pair.same == (goal is Goal.DODGE)]
    chosen = drawn(pairs, count, seed)
    return Trial(
        goal,
        _crops(pack, [pair.first for pair in chosen]),
        _crops(pack, [pair.second for pair in chosen]),
        tuple(pair.people for pair in chosen),
    )


def open_set_trial(pack: FacePack, split: Split, gallery: int, count: int, seed: int) -> Trial:
    """Strangers of `split`, a photograph each, before a gallery of people who train."""
    strangers = drawn(_one_a_person(pack, split), count, seed)
    enrolled = drawn(_one_a_person(pack, Split.TRAIN), gallery, seed)
    people = tuple((person_of(photo),) for photo in strangers)
    return Trial(Goal.ANYONE, _crops(pack, strangers), _crops(pack, enrolled), people)


def _one_a_person(pack: FacePack, split: Split) -> list[str]:
    first: dict[str, str] = {}
    for row in pack.rows_of(split):
        first.setdefault(person_of(pack.photos[row]), pack.photos[row])
    return list(first.values())


def drawn(items: Sequence[_T], count: int | None, seed: int) -> list[_T]:
    """A random choice of `count`, or all for ``None``, in random order; a larger one begins alike."""
    order = np.random.default_rng(seed).permutation(len(items))
    return [items[n] for n in order[:count]]


def _crops(pack: FacePack, photos: Sequence[str]) -> torch.Tensor:
    return pack.batch([pack.rows[photo] for photo in photos]).to(torch.uint8)
