"""The :class:`~pipeline.seams.FaceEmbedder`: purifier and network as one graph on one runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from pipeline.embed.runtimes import EmbeddingRuntime
from pipeline.types import CROP_SIZE_PX, ByteArray, Embedding, FloatArray, TemplateKey, check_array


@runtime_checkable
class Judging(Protocol):
    """A network that also says how far its embeddings can be trusted."""

    def embed_and_judge(self, crops_rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 (N, 3, 112, 112) -> embeddings float32 (N, D), confidence float32 (N,), 0..1."""
        ...


class PurifiedNetwork(nn.Module):
    """First the purifier, then the embedder; what an adaptive attacker differentiates through.

    float32 (N, 3, 112, 112) RGB 0..255 -> float32 (N, D), unit norm; (N, D + 1) where the embedder is a
    :class:`Judging` one, whose confidence is the last column.
    """

    def __init__(self, purifier: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.purifier = purifier
        self.network = network

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        purified = self.purifier(crops_rgb)
        if isinstance(self.network, Judging):
            vectors, confidence = self.network.embed_and_judge(purified)
            return torch.cat([vectors, confidence.unsqueeze(1)], dim=1)
        only_vectors: torch.Tensor = self.network(purified)
        return only_vectors


class NetworkEmbedder:
    """Embeds crops with one network.

    Args:
        key: Names the embedder, the purifier and the alignment.
        dim: Length of an embedding.
        runtime: Executes purifier and embedder.
    """

    def __init__(self, key: TemplateKey, dim: int, runtime: EmbeddingRuntime) -> None:
        self._key = key
        self._dim = dim
        self._runtime = runtime

    @property
    def key(self) -> TemplateKey:
        return self._key

    @property
    def dim(self) -> int:
        return self._dim

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        """One unit vector a crop, uint8 (112, 112, 3) RGB each; a crop's result depends on it alone.

        Raises:
            ValueError: a crop has another shape or dtype.
        """
        if not crops_rgb:
            return []
        rows = self._runtime.run(as_network_input(crops_rgb))
        return [self._embedding(row) for row in rows]

    def _embedding(self, row: FloatArray) -> Embedding:
        """Of a row of the network's output, which may end with the confidence."""
        judged = len(row) > self._dim
        return Embedding(row[: self._dim], self._key, confidence=float(row[-1]) if judged else None)

    def fingerprint(self) -> dict[str, str]:
        """What the bits of an embedding depend on: equal fingerprints mean equal bits."""
        return {"models": str(self._key), **self._runtime.fingerprint()}


def as_network_input(crops_rgb: Sequence[ByteArray]) -> FloatArray:
    """uint8 (112, 112, 3) each to one float32 (N, 3, 112, 112), still RGB in 0..255."""
    for crop in crops_rgb:
        check_array("crop", crop, np.uint8, (CROP_SIZE_PX, CROP_SIZE_PX, 3))
    stacked = np.stack(crops_rgb).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(stacked, np.float32)
