"""Pairs of photographs of the people who train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.errors import UsageError


class People:
    """Draws pairs: two photographs of one person, or of two.

    Args:
        rows: Of each photograph that may be used, its row.
        names: Who is on it.

    Raises:
        UsageError: there are not two people, or nobody has two photographs.
    """

    def __init__(self, rows: Sequence[int], names: Sequence[str]) -> None:
        by_name: dict[str, list[int]] = {}
        for row, name in zip(rows, names, strict=True):
            by_name.setdefault(name, []).append(row)
        self._rows = list(rows)
        self._name: Mapping[int, str] = dict(zip(rows, names, strict=True))
        self._several = [photos for photos in by_name.values() if len(photos) > 1]
        if len(by_name) < 2 or not self._several:
            raise UsageError(
                "training needs photographs of two people at least, and two photographs of one of them: "
                "a folder for each person, or names like Name_0001.jpg"
            )

    @property
    def rows(self) -> list[int]:
        """Of every photograph that may be used."""
        return list(self._rows)

    def name(self, row: int) -> str:
        """Who is on the photograph of a row."""
        return self._name[row]

    def pair(self, *, same: bool, random: np.random.Generator) -> tuple[int, int]:
        """Two rows."""
        if same:
            photos = self._several[int(random.integers(len(self._several)))]
            first, second = random.choice(photos, 2, replace=False)
            return int(first), int(second)
        while True:
            one, other = (int(row) for row in random.choice(self._rows, 2, replace=False))
            if self._name[one] != self._name[other]:
                return one, other
