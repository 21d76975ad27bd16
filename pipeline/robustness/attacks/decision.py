"""HopSkipJump, L-infinity: along the boundary of a decision towards the crop (label feedback only).

Chen, Jordan, Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack", IEEE S&P 2020,
arXiv:1904.02144, algorithm 2 with its L-infinity projection. The evolutionary attack on faces (Dong et
al., CVPR 2019, arXiv:1904.04433) minimises the L2 distance and has no such form, so it would seldom
end within an L-infinity budget.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from pipeline.robustness.attacks.base import project, quantised
from pipeline.robustness.attacks.query import Oracle, QueryResult, private_generator
from pipeline.robustness.objective import Objective

_BOUNDARY_STEPS = 10  # halvings, so that the boundary is known to a thousandth of the distance
_STEP_HALVINGS = 8
_START_TRIES = 10


@dataclass(frozen=True, slots=True, eq=False)
class HopSkipJump:
    """Knows only "match" or "no match", and minimises the distance as long as the decision stays as wanted.

    Differs from the paper in three ways. The noise that probes the boundary is drawn on a coarse grid
    and enlarged, since what moves an embedder is smooth (as Li et al., "QEBA", CVPR 2020,
    arXiv:2005.14137, do). Its size is a share of the current distance rather than the paper's
    distance / d, which is below what float32 resolves. And a row ends at the budget: once the distance
    is within it, the change is scaled up to the whole budget, rounded, and asked about; when that
    picture is decided as wanted the row is done. Queries before that need not be whole numbers, which is in
    the attacker's favour. Rows that do not get there hand over their nearest crop cut to the budget.
    To learn the smallest distance, ask for a budget of zero.

    The objective's penalty plays no part: an attacker who sees only decisions does not see it.

    Attributes:
        threshold: Similarity from which on the recogniser says "match".
        starts: float32 (N, 3, 112, 112) RGB 0..255, a crop for each row that is decided as wanted already:
            for impersonation a face of the target, for dodging any other face. ``None`` tries uniform
            noise, which serves for dodging.
        queries: Most queries a crop.
        probes: For the first estimate of the boundary's direction; the t-th has sqrt(t) times as many.
        probe_share: Root mean square of the probing noise, as a share of the distance.
        grid_px: Side of the grid that the noise is drawn on.
    """

    threshold: float
    starts: torch.Tensor | None = None
    queries: int = 10_000
    probes: int = 100
    probe_share: float = 0.2
    grid_px: int = 28

    @property
    def name(self) -> str:
        return f"hopskipjump-{self.queries}"

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        return self.search(crops, objective, eps_255, generator).crops

    def search(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> QueryResult:
        """As a call; says how many queries each crop took, how near it came, and whether that will do.

        Raises:
            ValueError: there is not one start for each crop.
        """
        if self.starts is not None and self.starts.shape != crops.shape:
            raise ValueError(
                f"starts must be one a crop, {tuple(crops.shape)}, got {tuple(self.starts.shape)}"
            )
        walk = _Walk(self, crops, Oracle(objective, len(crops), self.queries), eps_255)
        random = private_generator(generator)
        walk.begin(None if self.starts is None else self.starts.to(crops.device), random)
        step = 1
        while bool(walk.going.any()):
            walk.hop(step, random)
            step += 1
        return walk.result()


class _Walk:
    """Where each row stands: a crop that is decided as wanted, and its distance."""

    def __init__(self, attack: HopSkipJump, crops: torch.Tensor, oracle: Oracle, eps_255: float) -> None:
        self._attack, self._crops, self._oracle, self._eps_255 = attack, crops, oracle, eps_255
        self._at = crops.clone()
        self._pictures = crops.clone()
        self._distance = torch.full((len(crops),), torch.inf, device=crops.device)
        self._nearest, self._nearest_distance = self._at, self._distance
        self._succeeded = torch.zeros(len(crops), dtype=torch.bool)

    @property
    def going(self) -> torch.Tensor:
        """bool (N,): the rows that stand somewhere, are not done, and may ask."""
        return self._distance.isfinite().cpu() & ~self._succeeded & self._oracle.left

    def begin(self, starts: torch.Tensor | None, random: torch.Generator) -> None:
        """Ask about the crops themselves, find starts for the others, and go to the boundary."""
        everybody = torch.ones(len(self._crops), dtype=torch.bool)
        self._succeeded = self._ask(self._crops, everybody)
        self._move(self._crops, self._succeeded)
        for _ in range(1 if starts is not None else _START_TRIES):
            noise = torch.rand(self._crops.shape, generator=random).to(self._crops.device)
            start = 255.0 * noise if starts is None else starts
            without = self._distance.isinf().cpu()
            self._move(start, self._ask(start, without))
        self._to_boundary()

    def hop(self, step: int, random: torch.Generator) -> None:
        """One round: the boundary's direction here, a jump along it, and back to the boundary."""
        going = self.going
        direction = self._direction(step, random).sign()
        length = self._distance / step**0.5
        todo = going
        for _ in range(_STEP_HALVINGS):
            candidates = (self._at + _spread(length) * direction).clamp(0.0, 255.0)
            there = self._ask(candidates, todo)
            self._move(candidates, there)
            todo = todo & ~there
            length = length / 2
        self._to_boundary(going & ~todo)

    def result(self) -> QueryResult:
        """The pictures that succeeded, and the nearest crops of the other rows cut to the budget."""
        cut = quantised(project(self._nearest, self._crops, self._eps_255), self._crops, self._eps_255)
        done = _spread(self._succeeded).to(cut.device)
        crops = torch.where(done, self._pictures, cut)
        return QueryResult(crops, self._succeeded, self._oracle.queries, self._nearest_distance)

    def _ask(self, candidates: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """bool (N,), on the CPU; false where nothing was asked."""
        rows = wanted.nonzero().flatten()
        label = torch.zeros_like(wanted)
        chosen = candidates[rows.to(candidates.device)]
        label[rows] = self._oracle.decided_as_wanted(chosen, rows, self._attack.threshold)
        return label

    def _move(self, candidates: torch.Tensor, rows: torch.Tensor) -> None:
        """Stand at `candidates` in these rows."""
        here = rows.to(self._at.device)
        self._at = torch.where(_spread(here), candidates, self._at)
        distance = (candidates - self._crops).abs().amax((1, 2, 3))
        self._distance = torch.where(here, distance, self._distance)
        nearer = here & (distance < self._nearest_distance)
        self._nearest = torch.where(_spread(nearer), candidates, self._nearest)
        self._nearest_distance = torch.where(nearer, distance, self._nearest_distance)

    def _to_boundary(self, rows: torch.Tensor | None = None) -> None:
        """Cut the changes as far as the decision allows, and try the picture where that is in the budget."""
        rows = self.going if rows is None else rows
        far, near = self._distance, torch.zeros_like(self._distance)
        origin, here = self._at, rows.to(self._at.device)
        for _ in range(_BOUNDARY_STEPS):
            radius = (far + near) / 2
            candidates = torch.clamp(origin, self._crops - _spread(radius), self._crops + _spread(radius))
            there = self._ask(candidates, rows)
            self._move(candidates, there)
            through = there.to(here.device)
            far = torch.where(through, radius, far)
            near = torch.where(through | ~here, near, radius)
        self._try_pictures(rows)

    def _try_pictures(self, rows: torch.Tensor) -> None:
        """Use up the budget along the change, round, ask."""
        inside = rows & (self._distance <= self._eps_255).cpu() & ~self._succeeded
        fill = self._eps_255 / self._distance.clamp(min=1e-6)
        filled = self._crops + (self._at - self._crops) * _spread(fill)
        pictures = quantised(filled, self._crops, self._eps_255)
        through = self._ask(pictures, inside)
        self._pictures = torch.where(_spread(through).to(pictures.device), pictures, self._pictures)
        self._succeeded = self._succeeded | through

    def _direction(self, step: int, random: torch.Generator) -> torch.Tensor:
        """Estimate of the gradient at the boundary (equation 16 of the paper), float32 (N, 3, 112, 112).

        The mean of the noise with the decision's sign, less the decisions' mean: where nearly all
        probes fall on one side, the few on the other carry the information.
        """
        rows = self.going.nonzero().flatten()
        here = rows.to(self._at.device)
        at, size = self._at[here], _spread(self._attack.probe_share * self._distance[here])
        labelled, plain, labels = torch.zeros_like(at), torch.zeros_like(at), torch.zeros(len(rows))
        count = round(self._attack.probes * step**0.5)
        for _ in range(count):
            probe = (at + size * self._noise(rows, random)).clamp(0.0, 255.0)
            label = 2.0 * self._oracle.decided_as_wanted(probe, rows, self._attack.threshold).float() - 1.0
            labelled += _spread(label).to(at.device) * (probe - at)
            plain += probe - at
            labels += label
        # Where all agree the baseline would leave nothing: then it is not subtracted.
        baseline = torch.where(labels.abs() < count, labels / count, 0.0)
        direction = torch.zeros_like(self._at)
        direction[here] = labelled - _spread(baseline).to(at.device) * plain
        return direction

    def _noise(self, rows: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Normal noise on the coarse grid, enlarged, with a root mean square of 1 in each of `rows`."""
        count, colours, height, width = self._at.shape
        side = self._attack.grid_px
        coarse = torch.randn(count, colours, side, side, generator=random)[rows].to(self._at.device)
        noise = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        return noise / noise.square().mean((1, 2, 3), keepdim=True).sqrt()


def _spread(rows: torch.Tensor) -> torch.Tensor:
    """(N,) -> (N, 1, 1, 1)."""
    return rows.view(-1, 1, 1, 1)
