"""Trains an embedder behind PIN, under attack: what purification costs is learnt back, and more.

    python -m training.adversarial --help

The student starts from an embedder's weights and stays close to it, its teacher, on clean faces, while
an attacker who differentiates through purifier and student works against it (Madry et al., 2018; as
distillation: Goldblum, Fowl, Feizi, Goldstein, AAAI 2020). Loss, with x a view and x' attacked:

    1 - cos(S(x), T) + beta * (1 - cos(S(x'), T) + KL of similarities to everybody who trains)

and for a student that says how sure it is of an embedding, what it is wrong by, squared.

A quarter of the views go to the student without purifier, so that its embeddings of raw faces stay what
they are: attack evidence compares the two. Weights are perturbed adversarially before each step (Wu, Xia,
Wang, NeurIPS 2020) and averaged over steps; of the averages the one that withstands most on fold 4 is taken
(:mod:`training.selection`). Batch statistics stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.embed.embedder import Judging
from pipeline.purify.pin import NoPurification, Pin
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split
from training.adversarial_loss import apart, inner_attack, misjudged, neighbourhood
from training.bank import TeacherBank
from training.schedule import Learner, learn, set_rate
from training.selection import ATTACK, EPS_255, Selected, Selection, can_select
from training.views import view_batch


@dataclass(frozen=True, slots=True)
class AdversarialOptions:
    """The recipe.

    Attributes:
        views: How many in all.
        batch: Views a step.
        budget_max_255: Each view's budget is uniform from 0 to this.
        attack_steps: Of the attack inside training.
        last_attack_steps: The same in the last fifth.
        beta: Weight of what is lost under attack.
        raw_share: Views without purifier.
        learning_rate: Peak, AdamW, cosine to 0 after a warm-up of a twentieth.
        weight_decay: Of the same.
        weight_perturbation: Size of the adversarial step in weight space, a share of each tensor's norm.
        ema: Of the averaged weights, per step; reached gradually.
        select_every: Steps between attacks on fold 4, by which averaged weights are chosen; ``None`` is a
            tenth of all, 0 takes the last ones.
        select_pairs: Attacked pairs a goal.
        seed: Of views, budgets and starts.
    """

    views: int = 1_000_000
    batch: int = 64
    budget_max_255: float = 6.0
    attack_steps: int = 3
    last_attack_steps: int = 7
    beta: float = 2.0
    raw_share: float = 0.25
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    weight_perturbation: float = 5e-3
    ema: float = 0.999
    select_every: int | None = None
    select_pairs: int = 50
    seed: int = 0

    @property
    def steps(self) -> int:
        return max(1, self.views // self.batch)

    @property
    def selection_interval(self) -> int:
        """Steps, 0 for no selection."""
        return max(1, self.steps // 10) if self.select_every is None else self.select_every


@dataclass(frozen=True, slots=True)
class Progress:
    """After a step: how many are done, and the means since the last report."""

    step: int
    clean_loss: float
    attacked_loss: float


class Behind(nn.Module):
    """The student with the purifier before it, for the rows that have one."""

    def __init__(self, purifier: nn.Module, student: nn.Module) -> None:
        super().__init__()
        self.purifier = purifier
        self.student = student

    def forward(self, crops: torch.Tensor, raw: torch.Tensor) -> torch.Tensor:
        """Crops float32 (N, 3, 112, 112); bool (N,) says which go in as they are."""
        vectors: torch.Tensor = self.student(self._seen(crops, raw))
        return vectors

    def judged(self, crops: torch.Tensor, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The same, and how sure the student is of each embedding, float32 (N,), if it says so."""
        if isinstance(self.student, Judging):
            return self.student.embed_and_judge(self._seen(crops, raw))
        return self(crops, raw), None

    def _seen(self, crops: torch.Tensor, raw: torch.Tensor) -> torch.Tensor:
        return torch.where(raw.view(-1, 1, 1, 1), crops, self.purifier(crops))


class AdversarialStage:
    """One training run.

    Args:
        student: Trained in place; what is to be taken of it is in :attr:`weights`.
        purifier: Before it; not trained.
        bank: What the teacher says.
        pack: The photographs, and the pairs that select.
        embedder: Model id of the weights that the student starts from and the teacher has.
        options: The recipe.
        checkpoint: Where the state is kept and taken from, ``None`` for nowhere.
        device: Where `student` and `purifier` are.
    """

    def __init__(
        self,
        student: nn.Module,
        purifier: NoPurification | Pin,
        bank: TeacherBank,
        pack: FacePack,
        *,
        embedder: str,
        options: AdversarialOptions,
        checkpoint: Path | None,
        device: torch.device,
    ) -> None:
        self._network = Behind(purifier.requires_grad_(False), student).eval()
        self._student = student.requires_grad_(True)
        self._bank, self._pack, self._options = bank, pack, options
        self._selection: Selection | None = None
        seen = bank.rows.tolist()
        if options.selection_interval and can_select(pack):
            seen += pack.rows_of(Split.SELECT)
            self._selection = Selection(
                pack, purifier, pairs=options.select_pairs, seed=options.seed, device=device
            )
        self._device = device
        rate, decay = options.learning_rate, options.weight_decay
        self._learner = Learner(
            student,
            torch.optim.AdamW(student.parameters(), rate, weight_decay=decay),
            ema=options.ema,
            checkpoint=checkpoint,
            made_with={
                **asdict(options),
                "embedder": embedder,
                "purifier": purifier.purifier_id,
                "photographs": pack.digest(seen),
            },
        )
        kept = self._learner.resumed and self._learner.resumed["selected"]
        self.selected: Selected | None = Selected(**kept) if kept else None

    @property
    def step(self) -> int:
        return self._learner.step

    @property
    def averaged(self) -> dict[str, torch.Tensor]:
        return self._learner.averaged

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The averaged weights that were selected, else the last ones."""
        return self.averaged if self.selected is None else self.selected.weights

    @property
    def choice(self) -> str:
        """Which those are, and why."""
        if self._selection is None or self.selected is None:
            why = ", for want of pairs of fold 4 to select by" if self._options.selection_interval else ""
            return f"the last averaged weights{why}"
        return (
            f"the averaged weights of step {self.selected.step}, with which {self.selected.accuracy:.1%} of "
            f"{self._selection.pairs} pairs of fold 4 withstand {ATTACK.name} at {EPS_255:g}/255 "
            "(T4, the worse goal)"
        )

    def run(self, report_every: int = 10, keep_every: int = 50) -> Iterator[Progress]:
        """Train to the end; yields every `report_every` steps and keeps a checkpoint every `keep_every`."""
        for clean, attacked in learn(
            range(self.step, self._options.steps),
            lambda _: self._train_step(),
            self._learner,
            self.keep,
            steps=self._options.steps,
            report_every=report_every,
            keep_every=keep_every,
        ):
            yield Progress(self.step, clean, attacked)

    def keep(self) -> None:
        """Write the checkpoint now."""
        self._learner.keep(selected=None if self.selected is None else asdict(self.selected))

    def _train_step(self) -> torch.Tensor:
        """Losses without and with the attack, float64 (2,): means of the batch."""
        options, bank = self._options, self._bank
        random = np.random.default_rng((options.seed, self.step))
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        crops, index, mirror = self._views(random)
        targets = bank.targets(index, mirror)
        raw = self._flags(random, options.raw_share)
        self._set_rate()
        attacked = self._attack(crops, index, targets, raw, random=random, generator=generator)
        with self._worst_weights(attacked, targets, raw):
            self._learner.optimiser.zero_grad()
            clean, clean_confidence = self._network.judged(crops, raw)
            vectors, confidence = self._network.judged(attacked, raw)
            clean_apart, attacked_apart = apart(clean, targets), apart(vectors, targets)
            clean_loss, attacked_loss = clean_apart.mean(), attacked_apart.mean()
            resemblance = neighbourhood(vectors, targets, bank.upright).mean()
            loss = clean_loss + options.beta * (attacked_loss + resemblance)
            loss = loss + misjudged(clean_confidence, clean_apart) + misjudged(confidence, attacked_apart)
            loss.backward()  # type: ignore[no-untyped-call]
        self._learner.advance()
        self._select()
        return torch.stack([clean_loss, attacked_loss]).detach().double()

    def _views(self, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Crops, which photographs they are of, and which are mirrored."""
        index = random.integers(len(self._bank), size=self._options.batch)
        mirror = random.random(len(index)) < 0.5
        crops = [self._pack.crop(int(self._bank.rows[n])) for n in index]
        turned = [
            np.ascontiguousarray(crop[:, ::-1]) if m else crop for crop, m in zip(crops, mirror, strict=True)
        ]
        views = view_batch(turned, random).to(self._device)
        return views, torch.from_numpy(index).to(self._device), torch.from_numpy(mirror).to(self._device)

    def _flags(self, random: np.random.Generator, share: float) -> torch.Tensor:
        return torch.from_numpy(random.random(self._options.batch) < share).to(self._device)

    def _attack(
        self,
        crops: torch.Tensor,
        index: torch.Tensor,
        targets: torch.Tensor,
        raw: torch.Tensor,
        *,
        random: np.random.Generator,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Half of the rows dodge, half impersonate whom they resemble most."""
        options = self._options
        budget = random.uniform(0.0, options.budget_max_255, len(crops)).astype(np.float32)
        dodge = self._flags(random, 0.5)
        aims = torch.where(dodge[:, None], targets, self._bank.nearest_others(index))
        sign = torch.where(dodge, -1.0, 1.0)
        late = self.step >= 0.8 * options.steps
        steps = options.last_attack_steps if late else options.attack_steps
        student = self._student.requires_grad_(False)
        attacked = inner_attack(
            _Rows(self._network, raw),
            crops,
            aims,
            sign,
            eps_255=torch.from_numpy(budget).to(self._device),
            steps=steps,
            generator=generator,
        )
        student.requires_grad_(True)
        return attacked

    @contextmanager
    def _worst_weights(
        self, attacked: torch.Tensor, targets: torch.Tensor, raw: torch.Tensor
    ) -> Iterator[None]:
        """Gradients inside are taken at weights moved where the attacked loss grows most."""
        size = self._options.weight_perturbation
        if not size:
            yield
            return
        weights: list[torch.Tensor] = [w for w in self._student.parameters() if w.ndim > 1]
        loss = apart(self._network(attacked, raw), targets).mean()
        # What only judges the embedding has no part in it, and is not moved.
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        moved = [(w, g) for w, g in zip(weights, gradients, strict=True) if g is not None]
        with torch.no_grad():
            moves = [size * w.norm() * g / (g.norm() + 1e-12) for w, g in moved]
            torch._foreach_add_([w for w, _ in moved], moves)
        yield
        with torch.no_grad():
            torch._foreach_sub_([w for w, _ in moved], moves)

    def _set_rate(self) -> None:
        done = self.step / self._options.steps
        warm = min(1.0, done / 0.05 + 1e-3)
        rate = self._options.learning_rate * warm * 0.5 * (1.0 + float(np.cos(np.pi * done)))
        set_rate(self._learner.optimiser, rate)

    def _select(self) -> None:
        """Attack the averaged weights, if it is time, and keep them if nothing withstood more before."""
        done = self.step == self._options.steps
        if self._selection is None or (self.step % self._options.selection_interval and not done):
            return
        student = copy.deepcopy(self._student).requires_grad_(False)
        student.load_state_dict(self.averaged)
        accuracy = self._selection.withstood(student)
        if self.selected is None or accuracy > self.selected.accuracy:
            weights = {name: value.cpu().clone() for name, value in self.averaged.items()}
            self.selected = Selected(self.step, accuracy, weights)


class _Rows(nn.Module):
    """:class:`Behind` for a fixed choice of raw rows."""

    def __init__(self, network: Behind, raw: torch.Tensor) -> None:
        super().__init__()
        self._behind = network
        self._raw = raw

    def forward(self, crops: torch.Tensor) -> Any:
        return self._behind(crops, self._raw)
