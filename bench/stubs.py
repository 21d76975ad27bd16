"""What benchmarks of the bus put in the place of cameras and networks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pipeline.types import ByteArray, Embedding, FaceCrop, TemplateKey, TrackKey

KEY = TemplateKey("stub@00000000", "none")
DETECTOR_ID = KEY.model_id
_POOL = 64


class StubEmbedder:
    """Gives every crop the same embedding.

    Args:
        batch_s: How long it takes for a batch; the processor is free meanwhile.
    """

    key, dim = KEY, 2

    def __init__(self, batch_s: float = 0.0) -> None:
        self._batch_s = batch_s

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        time.sleep(self._batch_s)
        return [Embedding(np.array([1, 0], np.float32), KEY) for _ in crops_rgb]


def noise_crops(keys: Iterable[TrackKey]) -> Iterator[FaceCrop]:
    """A crop of noise, which nothing can shrink, for every track."""
    chance = np.random.default_rng(0)
    pool = [chance.integers(0, 256, (112, 112, 3), np.uint8) for _ in range(_POOL)]
    box = np.array([0, 0, 50, 60], np.float32)
    for number, key in enumerate(keys):
        yield FaceCrop(key, 0, 0, None, box, 0.9, 0.5, DETECTOR_ID, pool[number % _POOL])
