"""Makes attacked crops and keeps them, so that an evaluation that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import StorageError
from pipeline.robustness.attackers import Attacker
from pipeline.robustness.attacks.minimum import MinimumSearch
from pipeline.robustness.defence import BATCH, Defence, embed
from pipeline.robustness.objective import Objective
from pipeline.robustness.trial import Trial

_CROPS = "crops"


def attacked(
    attacker: Attacker, trial: Trial, eps_255: float, seed: int, device: torch.device
) -> torch.Tensor:
    """uint8 (N, 3, 112, 112): the trial's probes, changed within `eps_255`.

    The attacker compares with templates that the network it differentiates makes of the references: it
    knows the photographs, not what the defence makes of them, unless it differentiates the defence.
    """
    templates = embed(attacker.network, trial.references, device)
    objective = Objective(attacker.network, templates, trial.goal, attacker.penalty)
    parts = []
    for rows, crops, generator in _batches(trial, seed, device):
        attack = attacker.attack if attacker.for_rows is None else attacker.for_rows(trial, rows)
        changed = attack(crops, objective.rows(rows), eps_255, generator)
        parts.append(changed.to(torch.uint8).cpu())
    return torch.cat(parts)


def least_budgets(
    search: MinimumSearch,
    defence: Defence,
    trial: Trial,
    threshold: float,
    *,
    seed: int,
    device: torch.device,
) -> np.ndarray:
    """float32 (N,): the least budget, 8-bit units, at which each row is decided as the attacker wants.

    0 where it is so without an attack, infinity where the search's largest budget was not enough.
    """
    objective = Objective(defence, embed(defence, trial.references, device), trial.goal)
    found = [
        search(crops, objective.rows(rows), threshold, generator).eps_255
        for rows, crops, generator in _batches(trial, seed, device)
    ]
    return torch.cat(found).numpy()


def _batches(
    trial: Trial, seed: int, device: torch.device
) -> Iterator[tuple[slice, torch.Tensor, torch.Generator]]:
    """Rows, their probes float32 (N, 3, 112, 112) on `device`, and a generator of their own."""
    for start in range(0, len(trial), BATCH):
        rows = slice(start, start + BATCH)
        generator = torch.Generator().manual_seed(seed * 100_003 + start)
        yield rows, trial.probes[rows].to(device).float(), generator


@dataclass(frozen=True, slots=True)
class ExampleStore:
    """A folder of examples; ``None`` keeps nothing.

    Attributes:
        folder: Where they are. Two evaluations that differ in anything that `attacked` depends on have
            different files.
    """

    folder: Path | None

    def get(
        self,
        owner: str,
        attacker: Attacker,
        trial: Trial,
        eps_255: float,
        *,
        seed: int,
        device: torch.device,
    ) -> torch.Tensor:
        """:func:`attacked`, or what an earlier call with the same arguments kept.

        Args:
            owner: Embedder, and for examples made against one defence only its name.
            attacker: See there, as the other arguments.

        Raises:
            StorageError: the folder cannot be written.
        """
        if self.folder is None:
            return attacked(attacker, trial, eps_255, seed, device)
        path = self.folder / f"{_key(owner, attacker, trial, eps_255, seed)}.safetensors"
        try:
            if path.exists():
                kept: torch.Tensor = load_file(path)[_CROPS]
                return kept
            made = attacked(attacker, trial, eps_255, seed, device)
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            save_file({_CROPS: made.contiguous()}, part)
            part.replace(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise StorageError(f"examples cannot be kept in {self.folder}: {error}") from error
        return made


def _key(owner: str, attacker: Attacker, trial: Trial, eps_255: float, seed: int) -> str:
    """A file name: readable, and different where the examples would be."""
    digest = hashlib.sha256(trial.probes.numpy().tobytes() + trial.references.numpy().tobytes())
    parts = (owner, attacker.threat_model, attacker.label, trial.goal, f"{eps_255:g}", str(seed))
    digest.update("\x1f".join((*parts, attacker.weights)).encode())
    readable = "-".join(parts).replace(" ", "_").replace("/", "_").replace("@", "_")
    return f"{readable}-{digest.hexdigest()[:12]}"
