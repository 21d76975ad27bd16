"""Square attack, L-infinity: random search with squares of full contrast (score feedback).

Andriushchenko, Croce, Flammarion, Hein, "Square Attack: a query-efficient black-box adversarial
attack via random search", ECCV 2020, arXiv:1912.00049, algorithms 1 and 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pipeline.robustness.attacks.base import project, usable_budget
from pipeline.robustness.attacks.query import Oracle, QueryResult, private_generator
from pipeline.robustness.objective import Objective
from pipeline.robustness.threat import Goal

_HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries: section 5 of the paper
_SCHEDULED_QUERIES = 10_000


@dataclass(frozen=True, slots=True)
class SquareAttack:
    """Starts from vertical stripes; then one square a query, kept where the loss grows.

    Each value of the change is the full budget up or down, so that with whole crops and the budget
    rounded down to a whole number every query is a picture. All random numbers are drawn for all rows
    in every step: what happens to one row does not depend on when others have finished.

    Attributes:
        queries: Most queries a crop, of which the first is the crop itself.
        threshold: Similarity at which the recogniser decides. Rows whose decision is as wanted stop
            and cost nothing more; without it every row uses all queries.
        share: The first squares' share of the crop: p in the paper, 0.05 there. AutoAttack (Croce and
            Hein, ICML 2020, arXiv:2003.01690) takes 0.8, and on faces that succeeds sooner as well.
    """

    queries: int = 5_000
    threshold: float | None = None
    share: float = 0.8

    @property
    def name(self) -> str:
        return f"square-{self.queries}"

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        return self.search(crops, objective, eps_255, generator).crops

    def search(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> QueryResult:
        """As a call; says how many queries each crop took and whether the threshold was passed."""
        random = private_generator(generator)
        oracle = Oracle(objective, len(crops), self.queries)
        walk = _Walk(crops, objective, usable_budget(eps_255), oracle, self.threshold)
        count, width = len(crops), crops.shape[3]
        for query in range(1, self.queries):
            if not len(walk.rows):
                break
            if query == 1:
                walk.try_stripes(_signs((count, 3, 1, width), random))
            else:
                windows = _windows(count, width, self.side_px(query, width), random)
                walk.try_windows(_signs((count, 3, 1, 1), random), windows)
        return walk.result()

    def side_px(self, query: int, width_px: int) -> int:
        """Side of the square at a query: the paper's schedule, stretched or shrunk to our budget."""
        scheduled = query * _SCHEDULED_QUERIES // self.queries
        share = math.ldexp(self.share, -sum(scheduled > at for at in _HALVED_AT))
        return min(max(round(math.sqrt(share) * width_px), 1), width_px - 1)


class _Walk:
    """The best change of each row so far; what the crops themselves are worth has been asked first."""

    def __init__(
        self,
        crops: torch.Tensor,
        objective: Objective,
        eps_255: float,
        oracle: Oracle,
        threshold: float | None,
    ) -> None:
        self._crops, self._objective, self._eps_255 = crops, objective, eps_255
        self._oracle, self._threshold = oracle, threshold
        self._best = crops.clone()
        self._loss = torch.full((len(crops),), -torch.inf, device=crops.device)
        self._succeeded = torch.zeros(len(crops), dtype=torch.bool)
        self.rows = torch.arange(len(crops))
        """int64 (M,), on the CPU: those who go on."""
        self._keep(crops)
        self._unchanged_loss = self._loss

    def try_stripes(self, signs: torch.Tensor) -> None:
        """Where the search sets out from, be it better than the crop or not; signs are (N, 3, 1, 112)."""
        self._loss = torch.where(self._succeeded.to(self._loss.device), self._loss, -torch.inf)
        self._keep(self._changed(signs))

    def try_windows(self, signs: torch.Tensor, windows: torch.Tensor) -> None:
        """Signs are (N, 3, 1, 1); windows, bool (N, 1, 112, 112), say where they count."""
        best = self._best[self._at]
        self._keep(torch.where(windows[self.rows].to(best.device), self._changed(signs), best))

    def result(self) -> QueryResult:
        """What to hand over: the crop itself where no change was better."""
        changed = (self._loss > self._unchanged_loss) | self._succeeded.to(self._loss.device)
        crops = torch.where(changed.view(-1, 1, 1, 1), self._best, self._crops)
        distance = (crops - self._crops).abs().amax((1, 2, 3))
        distance = torch.where(self._succeeded.to(distance.device), distance, torch.inf)
        return QueryResult(crops, self._succeeded, self._oracle.queries, distance)

    @property
    def _at(self) -> torch.Tensor:
        return self.rows.to(self._crops.device)

    def _changed(self, signs: torch.Tensor) -> torch.Tensor:
        """The whole budget up or down, of those who go on."""
        crops = self._crops[self._at]
        return project(crops + self._eps_255 * signs[self.rows].to(crops.device), crops, self._eps_255)

    def _keep(self, candidates: torch.Tensor) -> None:
        """Ask about a candidate for each who goes on, and keep it where it is better."""
        at = self._at
        similarity = self._oracle.similarity(candidates, self.rows)
        loss = self._loss_of(candidates, similarity)
        better = loss > self._loss[at]
        self._best[at] = torch.where(better.view(-1, 1, 1, 1), candidates, self._best[at])
        self._loss = self._loss.index_put((at,), torch.where(better, loss, self._loss[at]))
        if self._threshold is not None:
            self._retire(candidates, self._objective.succeeded(similarity, self._threshold))

    def _loss_of(self, candidates: torch.Tensor, similarity: torch.Tensor) -> torch.Tensor:
        """As ``Objective.loss``, of a similarity that has been asked for."""
        loss = -similarity if self._objective.goal is Goal.DODGE else similarity
        if self._objective.penalty is None:
            return loss
        with torch.no_grad():
            return loss - self._objective.penalty(candidates)

    def _retire(self, candidates: torch.Tensor, through: torch.Tensor) -> None:
        """Rows that got through hand over the crop that did, even where a penalty says others are better."""
        done = self.rows[through.cpu()]
        self._best[done.to(self._best.device)] = candidates[through]
        self._succeeded[done] = True
        self.rows = self.rows[~through.cpu()]


def _signs(shape: tuple[int, ...], random: torch.Generator) -> torch.Tensor:
    return 2.0 * torch.randint(2, shape, generator=random).float() - 1.0


def _windows(count: int, width_px: int, side_px: int, random: torch.Generator) -> torch.Tensor:
    """bool (N, 1, width, width): one square a row, anywhere inside."""
    corner = torch.randint(width_px - side_px + 1, (2, count, 1), generator=random)
    inside = (torch.arange(width_px) >= corner) & (torch.arange(width_px) < corner + side_px)
    return (inside[0].unsqueeze(2) & inside[1].unsqueeze(1)).unsqueeze(1)
