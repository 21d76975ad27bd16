"""The teacher's embeddings of everybody who trains: what a student is to give, and whom attackers aim at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pipeline.robustness.defence import BATCH
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split, person_of


@dataclass(frozen=True, slots=True, eq=False)
class TeacherBank:
    """Embeddings of P photographs.

    Attributes:
        rows: int64 (P,), rows of the pack.
        upright: float32 (P, D), unit norm, of the crops.
        mirrored: float32 (P, D), of their mirror images.
        person: int64 (P,), equal for photographs of one person.
    """

    rows: torch.Tensor
    upright: torch.Tensor
    mirrored: torch.Tensor
    person: torch.Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def targets(self, index: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
        """float32 (N, D): what the teacher says of photographs, mirrored where bool (N,) says so."""
        return torch.where(mirror[:, None], self.mirrored[index], self.upright[index])

    def nearest_others(self, index: torch.Tensor) -> torch.Tensor:
        """float32 (N, D): of each photograph the most similar one of somebody else."""
        similarity = self.upright[index] @ self.upright.T
        similarity[self.person[index][:, None] == self.person[None]] = -1.0
        return self.upright[similarity.argmax(dim=1)]


def make_bank(teacher: nn.Module, pack: FacePack, device: torch.device) -> TeacherBank:
    """Embed every photograph of the people who train, and its mirror image."""
    rows = pack.rows_of(Split.TRAIN)
    upright, mirrored = [], []
    with torch.no_grad():
        for start in range(0, len(rows), BATCH):
            crops = pack.batch(rows[start : start + BATCH]).to(device)
            upright.append(teacher(crops))
            mirrored.append(teacher(crops.flip(3)))
    names = np.array([person_of(pack.photos[row]) for row in rows])
    person = torch.from_numpy(np.unique(names, return_inverse=True)[1]).to(device)
    return TeacherBank(torch.tensor(rows), torch.cat(upright), torch.cat(mirrored), person)
