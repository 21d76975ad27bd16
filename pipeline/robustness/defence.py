"""What is attacked: an embedder behind a purifier, and the threshold at which its similarities decide."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from pipeline.robustness.faces import FacePack
from pipeline.robustness.objective import Network
from pipeline.robustness.protocol import Pair, person_of
from pipeline.robustness.statistics import best_accuracy_threshold

BATCH = 32


def weights_of(*parts: object) -> str:
    """Digest of all parameters and buffers of modules: other weights, other digest."""
    digest = hashlib.sha256()
    for part in parts:
        state = part.state_dict() if isinstance(part, nn.Module) else {}
        for name, value in sorted(state.items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class Defence:
    """A recogniser under attack.

    Attributes:
        name: Of the purifier, ``none`` for no defence.
        embedder: Name of the network behind it.
        purifier: float32 (N, 3, 112, 112) RGB 0..255 -> the same; differentiable.
        network: The same -> float32 (N, D), unit norm; differentiable.
    """

    name: str
    embedder: str
    purifier: nn.Module
    network: nn.Module

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """float32 (N, 3, 112, 112) RGB 0..255 -> float32 (N, D), with gradient."""
        vectors: torch.Tensor = self.network(self.purifier(crops))
        return vectors

    @cached_property
    def weights(self) -> str:
        """Digest of purifier and network."""
        return weights_of(self.purifier, self.network)

    @property
    def random(self) -> bool:
        """Whether the purifier draws random numbers, so that an attacker averages over them (EOT)."""
        return any(getattr(module, "random", False) for module in self.purifier.modules())

    def double(self) -> Defence:
        """The same in float64, in place."""
        return Defence(self.name, self.embedder, self.purifier.double(), self.network.double())


def embed(network: Network, crops: torch.Tensor, device: torch.device) -> torch.Tensor:
    """uint8 or float (N, 3, 112, 112) -> float32 (N, D) on `device`, in batches, without gradient."""
    with torch.no_grad():
        return torch.cat([network(part.to(device).float()) for part in torch.split(crops, BATCH)])


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """Similarities of pairs without an attack.

    Attributes:
        genuine: float32 (G,).
        impostor: float32 (I,).
        people: Of each genuine pair: whom it shows.
    """

    genuine: np.ndarray
    impostor: np.ndarray
    people: tuple[tuple[str], ...]

    @property
    def threshold(self) -> float:
        """Of most right decisions on these pairs."""
        scores = np.concatenate([self.genuine, self.impostor])
        return best_accuracy_threshold(scores, np.arange(len(scores)) < len(self.genuine))

    def accuracy(self, threshold: float) -> float:
        """Share of these pairs that `threshold` decides rightly."""
        right = (self.genuine >= threshold).sum() + (self.impostor < threshold).sum()
        return float(right / (len(self.genuine) + len(self.impostor)))


def verify(defence: Defence, pack: FacePack, pairs: list[Pair], device: torch.device) -> Verification:
    """Similarities of `pairs`; every photograph is embedded once."""
    rows = sorted({pack.rows[photo] for pair in pairs for photo in (pair.first, pair.second)})
    place = {row: n for n, row in enumerate(rows)}
    vectors = _vectors(defence, pack, rows, device)
    first = vectors[[place[pack.rows[pair.first]] for pair in pairs]]
    second = vectors[[place[pack.rows[pair.second]] for pair in pairs]]
    scores, same = (first * second).sum(axis=1), np.array([pair.same for pair in pairs])
    people = tuple((person_of(pair.first),) for pair in pairs if pair.same)
    return Verification(scores[same], scores[~same], people)


def all_pairs(defence: Defence, pack: FacePack, rows: list[int], device: torch.device) -> Verification:
    """Similarities of every photograph of `rows` to every other one."""
    vectors = _vectors(defence, pack, rows, device)
    people = np.array([person_of(pack.photos[row]) for row in rows])
    upper = np.triu_indices(len(rows), 1)
    scores = (vectors @ vectors.T)[upper]
    same = people[upper[0]] == people[upper[1]]
    return Verification(
        scores[same], scores[~same], tuple((name,) for name in people[upper[0]][same].tolist())
    )


def _vectors(defence: Defence, pack: FacePack, rows: list[int], device: torch.device) -> np.ndarray:
    """float32 (N, D) of rows of the pack, of which no more than a batch is decoded at a time."""
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return torch.cat([embed(defence, pack.batch(part), device) for part in parts]).cpu().numpy()
