"""Attacked faces to train a purifier on: made once, kept in pieces, taken in any order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.errors import StorageError
from pipeline.purify.pin import Pin
from pipeline.purify.selector import TopK, Wiener
from pipeline.purify.storage import PinBasis
from pipeline.robustness.faces import FacePack
from training.adversarial_loss import inner_attack
from training.people import People

PIECE = 32
"""Examples in one file."""

_KEPT_COMPONENTS = (250, 3_000)
_WIENER_NOISE = (2e-3, 0.1)
_WIENER_COMPONENTS = 4_000


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How examples are made.

    Attributes:
        examples: How many for each embedder, half of them through surrogates.
        attack_steps: Each of half the budget.
        budget_min_255: Budgets are uniform from this...
        budget_max_255: ... to this.
        seed: Of everything random.
    """

    examples: int = 2_000
    attack_steps: int = 6
    budget_min_255: float = 2.0
    budget_max_255: float = 10.0
    seed: int = 0

    @property
    def pieces(self) -> int:
        return max(2, self.examples // PIECE)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Examples against one embedder.

    Attributes:
        attacked: uint8 (N, 3, 112, 112) RGB.
        reference: int64 (N,), row of the photograph that they must, or must not, match.
        genuine: bool (N,): the attacker dodges; else impersonates.
    """

    attacked: torch.Tensor
    reference: torch.Tensor
    genuine: torch.Tensor


class Surrogates:
    """Purifiers of an attacker's own (threat model T2b), drawn at random: components kept, or noise assumed.

    Evaluation uses others (eigenfaces, cosines, other strengths), so that what is learnt is not their list.
    """

    def __init__(self, mean: torch.Tensor, basis: PinBasis) -> None:
        self._mean, self._basis = mean, basis

    def draw(self, random: np.random.Generator) -> nn.Module:
        """One of them."""
        if random.random() < 0.5:
            count = int(np.exp(random.uniform(*np.log(_KEPT_COMPONENTS))))
            basis = self._basis.truncated(min(count, self._basis.count))
            return Pin("surrogate", self._mean, basis, TopK(basis.count, basis.count), basis.count // 4)
        basis = self._basis.truncated(min(_WIENER_COMPONENTS, self._basis.count))
        noise = float(np.exp(random.uniform(*np.log(_WIENER_NOISE))))
        return Pin("surrogate", self._mean, basis, Wiener(basis.variances, noise), basis.count // 4)


class AttackPool:
    """The pieces for some embedders, in a folder.

    Names of files say what a piece was made with, so that other photographs or weights make other pieces.

    Args:
        folder: Where they are kept, so that making them can be interrupted.
        pack: The photographs.
        people: Who may be used.
        networks: Embedders by model id, that are attacked.
        surrogates: What half of the attackers put before them; fitted to the photographs of `people`.
        options: See there.
        device: Where `networks` are.
    """

    def __init__(
        self,
        folder: Path,
        pack: FacePack,
        people: People,
        networks: Mapping[str, nn.Module],
        *,
        surrogates: Surrogates,
        options: PoolOptions,
        device: torch.device,
    ) -> None:
        self._folder, self._pack, self._people = folder, pack, people
        self._networks, self._surrogates = dict(networks), surrogates
        self._options, self._device = options, device
        self.photographs = pack.digest(people.rows)

    def make(self) -> Iterator[int]:
        """Make what is not there yet; yields how many pieces are done, of all embedders together.

        Raises:
            StorageError: the folder cannot be written.
        """
        done = 0
        for name in self._networks:
            for number in range(self._options.pieces):
                path = self._path(name, number)
                if not path.exists():
                    self._save(path, self._attack(name, number))
                done += 1
                yield done

    @property
    def total(self) -> int:
        """How many pieces there will be."""
        return len(self._networks) * self._options.pieces

    @property
    def recipe(self) -> str:
        """Budgets, steps and seed."""
        options = self._options
        budget = f"{options.budget_min_255:g}-{options.budget_max_255:g}"
        return f"{budget}x{options.attack_steps}-s{options.seed}"

    def piece(self, name: str, number: int) -> Piece:
        """One that was made; even numbers are T2a, odd ones T2b."""
        tensors = load_file(self._path(name, number))
        return Piece(tensors["attacked"], tensors["reference"], tensors["genuine"].bool())

    def _path(self, name: str, number: int) -> Path:
        return self._folder / f"{name}-{self.recipe}-{self.photographs}-{number:05d}.safetensors"

    def _attack(self, name: str, number: int) -> Piece:
        options = self._options
        random = np.random.default_rng((options.seed, number))
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + number)
        genuine = np.arange(PIECE) % 2 == 0
        pairs = [self._people.pair(same=bool(same), random=random) for same in genuine]
        crops = self._pack.batch([first for first, _ in pairs]).to(self._device)
        references = self._pack.batch([second for _, second in pairs]).to(self._device)
        network = self._networks[name]
        if number % 2:
            surrogate = self._surrogates.draw(random).to(self._device)
            network = nn.Sequential(surrogate, network)
        with torch.no_grad():
            targets = network(references)
        sign = torch.from_numpy(np.where(genuine, -1.0, 1.0).astype(np.float32)).to(self._device)
        budget = random.uniform(options.budget_min_255, options.budget_max_255, PIECE).astype(np.float32)
        attacked = inner_attack(
            network,
            crops,
            targets,
            sign,
            eps_255=torch.from_numpy(budget).to(self._device),
            steps=options.attack_steps,
            generator=generator,
        )
        second = torch.tensor([reference for _, reference in pairs])
        return Piece(attacked.to(torch.uint8).cpu(), second, torch.from_numpy(genuine))

    def _save(self, path: Path, piece: Piece) -> None:
        tensors = {
            "attacked": piece.attacked,
            "reference": piece.reference,
            "genuine": piece.genuine.to(torch.uint8),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            save_file(tensors, part)
            part.replace(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise StorageError(f"attacked faces cannot be kept in {path.parent}: {error}") from error
