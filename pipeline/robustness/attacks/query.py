"""Attacks that only ask: what they give back, and the recogniser as one who counts the questions sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.objective import Objective


@dataclass(frozen=True, slots=True, eq=False)
class QueryResult:
    """What an attack of N crops came to.

    Attributes:
        crops: float32 (N, 3, 112, 112), whole numbers in 0..255 and within the budget.
        succeeded: bool (N,): the attack has seen the decision that it wanted for exactly that crop.
            All false where it had no threshold to compare with.
        queries: int64 (N,): how many crops the recogniser was asked about for each row.
        distance_255: float32 (N,): the L-infinity distance of the nearest crop that was found to be
            decided as wanted, in the budget or not; infinite where none was.
    """

    crops: torch.Tensor
    succeeded: torch.Tensor
    queries: torch.Tensor
    distance_255: torch.Tensor


class QueryAttack(Attack, Protocol):
    """An attack that knows the recogniser's answers and nothing else; it differentiates nothing."""

    def search(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> QueryResult:
        """As a call, with what was asked and found beside the crops."""
        ...


class Oracle:
    """The recogniser, which answers without gradients and no more than `limit` times a row.

    Args:
        objective: Whose network answers.
        count: N, the number of rows.
        limit: Queries a row.
    """

    def __init__(self, objective: Objective, count: int, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"an attack by queries needs at least one, got {limit}")
        self._objective = objective
        self._limit = limit
        self.queries = torch.zeros(count, dtype=torch.int64)

    @property
    def left(self) -> torch.Tensor:
        """bool (N,): the rows that may be asked about again."""
        return self.queries < self._limit

    def similarity(self, candidates: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Score feedback: one query for each of `rows`.

        Args:
            candidates: float32 (M, 3, 112, 112).
            rows: int64 (M,), on the CPU, each at most once: the rows that the candidates belong to.

        Returns:
            float32 (M,).

        Raises:
            RuntimeError: a row is out of queries.
        """
        if not bool(self.left[rows].all()):
            raise RuntimeError(f"more than {self._limit} queries for one crop")
        self.queries[rows] += 1
        with torch.no_grad():
            return self._objective.rows(rows.to(candidates.device)).similarity(candidates)

    def decided_as_wanted(
        self, candidates: torch.Tensor, rows: torch.Tensor, threshold: float
    ) -> torch.Tensor:
        """Label feedback: one query for each of `rows` that has any left.

        Args:
            candidates: float32 (M, 3, 112, 112).
            rows: int64 (M,), on the CPU, each at most once.
            threshold: Similarity from which on the recogniser says "match".

        Returns:
            bool (M,), on the CPU; false where nothing could be asked.
        """
        label = self.left[rows]
        if bool(label.any()):
            similarity = self.similarity(candidates[label.to(candidates.device)], rows[label])
            label[label.clone()] = self._objective.succeeded(similarity, threshold).cpu()
        return label


def private_generator(generator: torch.Generator) -> torch.Generator:
    """A generator of one's own, seeded by one draw, so that early stops do not move the caller's stream."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.Generator().manual_seed(seed)
