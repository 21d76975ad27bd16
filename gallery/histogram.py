"""Any number of similarities in bounded memory: fine bins, and the exact extremes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.types import FloatArray

STEP = 1e-4
_BINS = round(2 / STEP) + 1
"""The last one holds exactly 1."""
_ROUNDING = 1e-6
"""Of a bin: a value on a bin's lower edge must not fall below it by the division's last bit."""


class Histogram:
    """Counts cosine similarities, -1..1, in bins of 0.0001."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._highest = -math.inf
        self._lowest = math.inf

    def add(self, values: FloatArray) -> None:
        if not values.size:
            return
        rounded = np.round(values.astype(np.float64), 6)  # as `pipeline.decide` compares them
        bins = np.floor((rounded + 1.0) / STEP + _ROUNDING)
        self._counts += np.bincount(np.clip(bins, 0, _BINS - 1).astype(np.int64), minlength=_BINS)
        self._highest = max(self._highest, float(values.max()))
        self._lowest = min(self._lowest, float(values.min()))

    @property
    def count(self) -> int:
        return int(self._counts.sum())

    @property
    def highest(self) -> float | None:
        return self._highest if self.count else None

    @property
    def lowest(self) -> float | None:
        return self._lowest if self.count else None

    def threshold_for(self, share: float) -> float:
        """The lowest multiple of 0.0001 that at most `share` of the values reach."""
        allowed = share * self.count
        reaching = np.cumsum(self._counts[::-1])[::-1]  # values in this bin or above
        enough = np.flatnonzero(reaching <= allowed)
        first = int(enough[0]) if len(enough) else _BINS
        return round(first * STEP - 1.0, 4)

    def share_from(self, threshold: float) -> float:
        """The share of values at or above `threshold`, a multiple of 0.0001."""
        first = round((threshold + 1.0) / STEP)
        return float(self._counts[first:].sum() / self.count) if self.count else 0.0

    def coarse(self, bins: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Edges (bins + 1,) and the share of values in each of `bins` equal bins over -1..1."""
        counts = self._counts[:-1].reshape(bins, -1).sum(axis=1)
        counts[-1] += self._counts[-1]
        return np.linspace(-1.0, 1.0, bins + 1), counts / max(1, self.count)
