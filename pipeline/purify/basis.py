"""Two bases of the space of 112x112 pictures, ordered by how much of faces each component explains.

`EigenBasis` is the one of the PIN paper (Ren, Zhu, Wang, Sun, IEEE TIFS 2022): principal components
of whole pictures, "eigenfaces". `SeparableBasis` is bilateral two-dimensional PCA (Zhang, Zhou,
Neurocomputing 69, 2005): products of a component of the rows and one of the columns. Both are
orthonormal, so that analysis followed by synthesis projects.
"""

from __future__ import annotations

from typing import Protocol, Self

import torch
from torch import nn

from pipeline.types import CROP_SIZE_PX

SIDE = CROP_SIZE_PX
PIXELS = SIDE * SIDE


class Basis(Protocol):
    """An orthonormal set of pictures.

    Attributes:
        variances: float32 (K,), of the training faces along each component, squared 8-bit units,
            largest first.
    """

    variances: torch.Tensor

    @property
    def count(self) -> int:
        """K, how many components there are."""
        ...

    def analyse(self, planes: torch.Tensor) -> torch.Tensor:
        """float32 (..., 112, 112), centred -> coefficients (..., K)."""
        ...

    def synthesise(self, coefficients: torch.Tensor) -> torch.Tensor:
        """(..., K) -> (..., 112, 112), centred: the transpose of :meth:`analyse`."""
        ...

    def truncated(self, count: int) -> Self:
        """The first `count` components as a basis of its own."""
        ...


def _pictures(flat: torch.Tensor) -> torch.Tensor:
    return flat.reshape(*flat.shape[:-1], SIDE, SIDE)


class EigenBasis(nn.Module):
    """Eigenfaces.

    Args:
        components: float32 (K, 112, 112), orthonormal.
        variances: float32 (K,), largest first.
    """

    components: torch.Tensor
    variances: torch.Tensor

    def __init__(self, components: torch.Tensor, variances: torch.Tensor) -> None:
        super().__init__()
        if components.shape[1:] != (SIDE, SIDE) or len(variances) != len(components):
            raise ValueError(f"components of {tuple(components.shape)} with {len(variances)} variances")
        self.register_buffer("components", components.float().flatten(1).contiguous())
        self.register_buffer("variances", variances.float())

    @property
    def count(self) -> int:
        return len(self.components)

    def analyse(self, planes: torch.Tensor) -> torch.Tensor:
        return torch.matmul(planes.flatten(-2), self.components.T)

    def synthesise(self, coefficients: torch.Tensor) -> torch.Tensor:
        return _pictures(torch.matmul(coefficients, self.components))

    def truncated(self, count: int) -> EigenBasis:
        return EigenBasis(_pictures(self.components[:count]), self.variances[:count])

    def tensors(self) -> dict[str, torch.Tensor]:
        """What a file must hold to make this basis again."""
        return {"components": _pictures(self.components), "variances": self.variances}


class SeparableBasis(nn.Module):
    """Component k is the outer product of one column of `rows` and one of `columns`.

    Args:
        rows: float32 (112, A), orthonormal columns: components along y.
        columns: float32 (112, B), orthonormal columns: components along x.
        order: int64 (K, 2): which pair (a, b) is the k-th component; no pair twice.
        variances: float32 (K,), largest first.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    order: torch.Tensor
    variances: torch.Tensor
    _take: torch.Tensor
    _put: torch.Tensor

    def __init__(
        self, rows: torch.Tensor, columns: torch.Tensor, order: torch.Tensor, variances: torch.Tensor
    ) -> None:
        super().__init__()
        if len(rows) != SIDE or len(columns) != SIDE or order.shape != (len(variances), 2):
            shapes = ", ".join(str(tuple(part.shape)) for part in (rows, columns, order, variances))
            raise ValueError(f"rows, columns, order and variances of shapes {shapes} do not go together")
        # Only the rows and columns that some component uses.
        height, width = int(order[:, 0].max()) + 1, int(order[:, 1].max()) + 1
        flat = order[:, 0] * width + order[:, 1]
        put = torch.full((height * width,), len(flat), dtype=torch.int64)
        put[flat] = torch.arange(len(flat))
        self.register_buffer("rows", rows[:, :height].float().contiguous())
        self.register_buffer("columns", columns[:, :width].float().contiguous())
        self.register_buffer("order", order)
        self.register_buffer("variances", variances.float())
        self.register_buffer("_take", flat)
        self.register_buffer("_put", put)

    @property
    def count(self) -> int:
        return len(self.order)

    def analyse(self, planes: torch.Tensor) -> torch.Tensor:
        grid = torch.matmul(torch.matmul(self.rows.T, planes), self.columns)
        return torch.index_select(grid.flatten(-2), -1, self._take)

    def synthesise(self, coefficients: torch.Tensor) -> torch.Tensor:
        # One zero more, for the places of the grid that hold none of our components.
        padded = torch.cat([coefficients, torch.zeros_like(coefficients[..., :1])], dim=-1)
        grid = torch.index_select(padded, -1, self._put)
        grid = grid.reshape(*coefficients.shape[:-1], self.rows.shape[1], self.columns.shape[1])
        return torch.matmul(torch.matmul(self.rows, grid), self.columns.T)

    def truncated(self, count: int) -> SeparableBasis:
        return SeparableBasis(self.rows, self.columns, self.order[:count], self.variances[:count])

    def tensors(self) -> dict[str, torch.Tensor]:
        """What a file must hold to make this basis again."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "order": self.order,
            "variances": self.variances,
        }
