"""Trains Pinwatch's selector: what to keep of a face so that attacked faces are still told apart.

The loss is about decisions, not about pictures. s is the similarity of a probe to its template, both
purified; t the threshold, learnt from clean pairs alone, since that is how thresholds are set:

    softplus((t - s) / T) for genuine pairs, softplus((s - t) / T) for impostors

Drawing the purified face near the clean one (mean-squared error, or 1 - cosine of embeddings) was tried:
it leaves an attacked face where attacker and owner pull equally, past the threshold either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.purify.adaptive import AdaptiveWiener
from pipeline.purify.checkpoint import load_checkpoint, save_checkpoint
from pipeline.purify.pin import Pin
from pipeline.robustness.faces import FacePack
from training.attack_pool import PIECE, AttackPool
from training.people import People

TEMPERATURE = 0.05
_START_THRESHOLD = 0.27
_HALF = PIECE // 2


@dataclass(frozen=True, slots=True)
class PinOptions:
    """The recipe.

    Attributes:
        steps: Each takes 16 examples of either threat model and 16 clean genuine pairs.
        clean_weight: Of the clean pairs; less is more robust and less accurate.
        learning_rate: Peak, AdamW; one cycle.
        threshold_rate: Of the threshold.
        weight_decay: Of the network.
        noise_255: Clean probes have Gaussian noise of up to this standard deviation, as cameras do.
        seed: Of everything random.
    """

    steps: int = 600
    clean_weight: float = 1.0
    learning_rate: float = 4e-3
    threshold_rate: float = 5e-3
    weight_decay: float = 1e-4
    noise_255: float = 2.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PinProgress:
    """Means since the last report: share decided rightly, and the threshold."""

    step: int
    attacked: float
    clean_genuine: float
    clean_impostor: float
    threshold: float


class PinTraining:
    """One training run.

    Args:
        pin: Purifier with an :class:`AdaptiveWiener`; its network is trained in place.
        networks: Embedders by model id, frozen; steps take turns.
        pool: Attacked faces, made already.
        pieces: How many the pool has of each embedder.
        pack: The photographs.
        people: Who trains.
        options: The recipe.
        checkpoint: Where the state is kept and taken from, ``None`` for nowhere.
        device: Where `pin` and `networks` are.
    """

    def __init__(
        self,
        pin: Pin,
        networks: Mapping[str, nn.Module],
        pool: AttackPool,
        pieces: int,
        *,
        pack: FacePack,
        people: People,
        options: PinOptions,
        checkpoint: Path | None,
        device: torch.device,
    ) -> None:
        selector = pin.selector
        if not isinstance(selector, AdaptiveWiener):
            raise TypeError("only the selector `pinwatch` is trained so")
        self._pin, self.selector, self._device = pin, selector, device
        self._networks, self._pool, self._pieces = dict(networks), pool, pieces
        self._pack, self._people, self._options = pack, people, options
        self._checkpoint = checkpoint
        weights = list(selector.network.parameters())
        for weight in weights:
            weight.requires_grad_(True)
        start = torch.full((len(self._networks),), _START_THRESHOLD, device=device)
        self._thresholds = nn.Parameter(start)
        groups = [
            {"params": weights, "weight_decay": options.weight_decay},
            {"params": [self._thresholds], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, options.learning_rate)
        self.step = 0
        self._resume()

    def run(self, report_every: int = 10, keep_every: int = 50) -> Iterator[PinProgress]:
        """Train to the end, with a report every so many steps."""
        sums = np.zeros(4)
        while self.step < self._options.steps:
            sums += self._train_step()
            if self.step % report_every == 0:
                yield PinProgress(self.step, *(float(value) for value in sums / report_every))
                sums[:] = 0.0
            if self.step % keep_every == 0 or self.step == self._options.steps:
                self.keep()

    def keep(self) -> None:
        """Write the checkpoint now."""
        if self._checkpoint is not None:
            state = {
                "step": self.step,
                "network": self.selector.network.state_dict(),
                "thresholds": self._thresholds.detach(),
                "optimiser": self._optimiser.state_dict(),
            }
            save_checkpoint(self._checkpoint, state, self._made_with())

    def _made_with(self) -> dict[str, object]:
        return {
            **asdict(self._options),
            "embedders": ", ".join(self._networks),
            "attacked faces": self._pool.recipe,
            "pieces": self._pieces,
            "photographs": self._pool.photographs,
        }

    def _resume(self) -> None:
        state = load_checkpoint(self._checkpoint, self._made_with()) if self._checkpoint else None
        if state is not None:
            self.step = int(state["step"])
            self.selector.network.load_state_dict(state["network"])
            self._thresholds.data.copy_(state["thresholds"])
            self._optimiser.load_state_dict(state["optimiser"])

    def _train_step(self) -> tuple[float, float, float, float]:
        random = np.random.default_rng((self._options.seed, self.step))
        turn = self.step % len(self._networks)
        name, threshold = list(self._networks)[turn], self._thresholds[turn]
        similarity, genuine = self._attacked_pairs(name, random)
        clean_genuine, clean_impostor = self._clean_pairs(name, random)
        held = threshold.detach()
        attacked_loss = _margin_loss(held - similarity, genuine).mean()
        clean_loss = 0.5 * (
            functional.softplus((threshold - clean_genuine) / TEMPERATURE).mean()
            + functional.softplus((clean_impostor - threshold) / TEMPERATURE).mean()
        )
        loss = attacked_loss + self._options.clean_weight * clean_loss
        self._set_rate()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.selector.network.parameters(), 1.0)
        self._optimiser.step()
        self.step += 1
        right = torch.where(genuine, similarity >= held, similarity < held).float().mean()
        accepted, refused = (clean_genuine >= held).float().mean(), (clean_impostor < held).float().mean()
        return right.item(), accepted.item(), refused.item(), held.item()

    def _attacked_pairs(self, name: str, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities float32 (2 x 16,) of attacked probes to their templates; bool, which are genuine."""
        pieces = [self._pool.piece(name, 2 * int(random.integers(self._pieces // 2)) + odd) for odd in (0, 1)]
        rows = [random.permutation(PIECE)[:_HALF] for _ in pieces]
        probes = torch.cat([piece.attacked[row] for piece, row in zip(pieces, rows, strict=True)])
        reference = torch.cat([piece.reference[row] for piece, row in zip(pieces, rows, strict=True)])
        genuine = torch.cat([piece.genuine[row] for piece, row in zip(pieces, rows, strict=True)])
        with torch.no_grad():
            templates = self._embed(name, self._pack.batch(reference.tolist()))
        return (self._embed(name, probes.float()) * templates).sum(dim=1), genuine.to(self._device)

    def _clean_pairs(self, name: str, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities of 16 genuine pairs, and of each probe to the templates of all others."""
        pairs = [self._people.pair(same=True, random=random) for _ in range(_HALF)]
        probes = self._pack.batch([first for first, _ in pairs])
        noise = random.normal(size=probes.shape) * random.uniform(
            0, self._options.noise_255, (_HALF, 1, 1, 1)
        )
        noisy = (probes + torch.from_numpy(noise).float()).round().clamp(0.0, 255.0)
        vectors = self._embed(name, torch.cat([noisy, self._pack.batch([second for _, second in pairs])]))
        similarity = vectors[:_HALF] @ vectors[_HALF:].T
        people = [self._people.name(first) for first, _ in pairs]
        other = torch.tensor([[a != b for b in people] for a in people], device=self._device)
        return similarity.diagonal(), similarity[other]

    def _embed(self, name: str, crops: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self._networks[name](self._pin(crops.to(self._device)))
        return vectors

    def _set_rate(self) -> None:
        """Up for a tenth of the steps, then down along a cosine."""
        done = self.step / self._options.steps
        shape = done / 0.1 + 0.02 if done < 0.1 else 0.5 * (1.0 + np.cos(np.pi * (done - 0.1) / 0.9))
        peaks = (self._options.learning_rate, self._options.threshold_rate)
        for group, peak in zip(self._optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, float(shape))


def _margin_loss(below: torch.Tensor, genuine: torch.Tensor) -> torch.Tensor:
    """softplus of how far similarities lie on the wrong side of the threshold."""
    return functional.softplus(torch.where(genuine, below, -below) / TEMPERATURE)
