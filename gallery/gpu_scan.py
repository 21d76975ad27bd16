"""A first look at a large gallery on a GPU: half-precision copies of all templates.

Written for the extra `gpu` and not run: no machine with a GPU had that package.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gallery.code_scan import nearest_rows
from pipeline.types import FloatArray

_CANDIDATES = 1024


class GpuScan:
    """As :class:`gallery.code_scan.CodeScan`, by inner products on the first GPU.

    Args:
        dim: Length of a template.
    """

    def __init__(self, dim: int) -> None:
        import faiss

        gpu: Any = faiss
        options = gpu.GpuIndexFlatConfig()
        options.useFloat16 = True
        self._resources = gpu.StandardGpuResources()
        self._index = gpu.GpuIndexFlatIP(self._resources, dim, options)

    def add(self, vectors: FloatArray) -> None:
        """Float32 (N, D), unit norm: the next N rows."""
        self._index.add(vectors)

    def remove(self, rows: npt.NDArray[np.int64]) -> None:
        """Forget these; the rows that follow move up."""
        import faiss

        gpu: Any = faiss
        kept = gpu.index_gpu_to_cpu(self._index)
        kept.remove_ids(rows)  # which an index on a GPU cannot do
        self._index.reset()
        self._index.add(gpu.rev_swig_ptr(kept.get_xb(), kept.ntotal * kept.d).reshape(kept.ntotal, kept.d))

    def candidates(self, query: FloatArray) -> npt.NDArray[np.int64]:
        """Rows that may be the most similar to `query`, float32 (1, D); in no order."""
        return nearest_rows(self._index, query, _CANDIDATES)
