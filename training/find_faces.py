"""Trains a :class:`~pipeline.detect.compact.CompactNet` from nothing on scenes that never repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from pipeline.detect.compact import CompactNet
from pipeline.purify.checkpoint import load_checkpoint, save_checkpoint
from training.detection_loss import Cells, losses
from training.labels import LabelledPhoto, digest_of
from training.scenes import SIDE_PX, Scene, SceneMaker
from training.schedule import average_into, parameter_groups, set_rate, warm_stay_fall


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """The recipe.

    Attributes:
        scenes: How many in all.
        batch: Scenes a step.
        learning_rate: Of AdamW, where it stays.
        weight_decay: Of the same.
        ema: Of the averaged weights, per step; reached gradually.
        seed: Of scenes and first weights.
    """

    scenes: int = 600_000
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    ema: float = 0.999
    seed: int = 0

    @property
    def steps(self) -> int:
        return max(1, self.scenes // self.batch)


@dataclass(frozen=True, slots=True)
class DetectorProgress:
    """After a step: how many are done, and mean losses of a cell that finds a face since the last report."""

    step: int
    score: float
    box: float
    landmarks: float


class Scenes(Dataset[list[Scene]]):
    """Step -> its scenes."""

    def __init__(self, maker: SceneMaker, options: DetectorOptions) -> None:
        self._maker, self._options = maker, options

    def __len__(self) -> int:
        return self._options.steps

    def __getitem__(self, step: int) -> list[Scene]:
        random = np.random.default_rng((self._options.seed, step))
        return [self._maker.scene(random) for _ in range(self._options.batch)]


class DetectorTraining:
    """One training run.

    Args:
        network: Trained in place; what is to be taken of it is in :attr:`averaged`.
        maker: Of scenes.
        photos: That it makes them from.
        options: The recipe.
        checkpoint: Where the state is kept and taken from, ``None`` for nowhere.
        device: Where `network` is.
        readers: Processes that make scenes; 0 for none beside this one.
    """

    def __init__(
        self,
        network: CompactNet,
        maker: SceneMaker,
        photos: Sequence[LabelledPhoto],
        *,
        options: DetectorOptions,
        checkpoint: Path | None,
        device: torch.device,
        readers: int = 0,
    ) -> None:
        self._network = network.requires_grad_(True).train()
        self._maker, self._options = maker, options
        self._made_with = {**asdict(options), "photographs": digest_of(photos)}
        self._checkpoint, self._device, self._readers = checkpoint, device, readers
        self._cells = Cells.of(SIDE_PX, device)
        groups = parameter_groups(network, options.weight_decay)
        self._optimiser = torch.optim.AdamW(groups, options.learning_rate)
        self.averaged = {name: value.clone() for name, value in network.state_dict().items()}
        self._step = 0
        self._resume()

    @property
    def step(self) -> int:
        return self._step

    def run(self, report_every: int = 50, keep_every: int = 500) -> Iterator[DetectorProgress]:
        """Train to the end; yields every `report_every` steps and keeps a checkpoint every `keep_every`."""
        batches = DataLoader(
            Scenes(self._maker, self._options),
            batch_size=None,
            sampler=range(self._step, self._options.steps),
            num_workers=self._readers,
            collate_fn=_as_they_are,
        )
        sums = torch.zeros(3)
        for scenes in batches:
            sums += self._train_step(scenes).cpu()
            if self._step % report_every == 0:
                yield DetectorProgress(self._step, *(sums / report_every).tolist())
                sums.zero_()
            if self._step % keep_every == 0 or self._step == self._options.steps:
                self.keep()

    def keep(self) -> None:
        """Write the checkpoint now."""
        if self._checkpoint is not None:
            state = {
                "step": self._step,
                "network": self._network.state_dict(),
                "averaged": self.averaged,
                "optimiser": self._optimiser.state_dict(),
            }
            save_checkpoint(self._checkpoint, state, self._made_with)

    def _resume(self) -> None:
        state = load_checkpoint(self._checkpoint, self._made_with) if self._checkpoint else None
        if state is not None:
            self._step = int(state["step"])
            self._network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            self.averaged = {name: value.to(self._device) for name, value in state["averaged"].items()}

    def _train_step(self, scenes: Sequence[Scene]) -> torch.Tensor:
        """Mean losses of score, box and landmarks, float32 (3,)."""
        images = torch.from_numpy(np.stack([scene.image_bgr for scene in scenes]))
        images = images.to(self._device).permute(0, 3, 1, 2).float()
        set_rate(
            self._optimiser, warm_stay_fall(self._step, self._options.steps, self._options.learning_rate)
        )
        loss = losses(torch.cat(self._network(images), dim=1), scenes, self._cells)
        self._optimiser.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimiser.step()
        self._step += 1
        average_into(self.averaged, self._network, self._step, self._options.ema)
        return torch.stack([loss.score, loss.box, loss.landmarks]).detach() / loss.found.clamp(min=1.0)


def _as_they_are(scenes: list[Scene]) -> list[Scene]:
    return scenes
