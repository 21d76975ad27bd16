"""Which cells are to find a face, and what it costs if they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from torchvision.ops import box_iou, distance_box_iou_loss

from pipeline.detect.cells import STRIDES_PX
from training.scenes import Scene

_SIZES_PX = ((0.0, 56.0), (28.0, 120.0), (64.0, float("inf")))
_RADIUS_SHARE = 0.4
_RADIUS_CELLS = (0.55, 1.5)
_BOX_WEIGHT, _LANDMARK_WEIGHT = 2.0, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """All cells of a square picture, stride by stride.

    Attributes:
        places: float32 (C, 2), x and y in pixels of what offsets are counted from.
        strides: float32 (C,).
    """

    places: torch.Tensor
    strides: torch.Tensor

    @classmethod
    def of(cls, side_px: int, device: torch.device) -> Cells:
        """Of a picture of `side_px`, a multiple of the coarsest stride."""
        places, strides = [], []
        for stride in STRIDES_PX:
            line = torch.arange(side_px // stride, dtype=torch.float32) * stride
            y, x = torch.meshgrid(line, line, indexing="ij")
            places.append(torch.stack([x, y], dim=-1).reshape(-1, 2))
            strides.append(torch.full((len(line) ** 2,), float(stride)))
        return cls(torch.cat(places).to(device), torch.cat(strides).to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What each of C cells is to say.

    Attributes:
        face: int64 (C,): row of the face that it is to find, -1 for none.
        counts: bool (C,): whether its score is judged.
    """

    face: torch.Tensor
    counts: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Sums over cells, to be divided by the number of cells that find faces."""

    score: torch.Tensor
    box: torch.Tensor
    landmarks: torch.Tensor
    found: torch.Tensor

    @property
    def total(self) -> torch.Tensor:
        """To be minimised."""
        weighed = self.score + _BOX_WEIGHT * self.box + _LANDMARK_WEIGHT * self.landmarks
        return weighed / self.found.clamp(min=1.0)


def targets_of(cells: Cells, boxes: torch.Tensor, ignored: torch.Tensor) -> Targets:
    """Cells near the middle of a face, at the strides for its size, are to find it; of several the smallest.

    Args:
        cells: C of them.
        boxes: float32 (N, 4).
        ignored: float32 (M, 4): cells inside are not judged, unless they are to find a face.
    """
    places, strides = cells.places[:, None], cells.strides[:, None]
    hidden = (places >= ignored[None, :, :2]) & (places <= ignored[None, :, 2:])
    counts = ~hidden.all(dim=-1).any(dim=1)
    if not len(boxes):
        return Targets(torch.full_like(cells.strides, -1, dtype=torch.int64), counts)
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt()
    low, high = (_by_stride(cells.strides, [pair[side] for pair in _SIZES_PX])[:, None] for side in (0, 1))
    radius = torch.maximum(_RADIUS_SHARE * size, _RADIUS_CELLS[0] * strides)
    radius = torch.minimum(radius, _RADIUS_CELLS[1] * strides)
    near = (places - middle).abs().amax(dim=-1) <= radius
    suits = near & (size >= low) & (size < high)
    smallest = torch.where(suits, size, torch.inf).min(dim=1)
    face = torch.where(smallest.values.isfinite(), smallest.indices, -1)
    return Targets(face, counts | (face >= 0))


def _by_stride(strides: torch.Tensor, values: Sequence[float]) -> torch.Tensor:
    found = torch.zeros_like(strides)
    for stride, value in zip(STRIDES_PX, values, strict=True):
        found[strides == stride] = value
    return found


def losses(outputs: torch.Tensor, scenes: Sequence[Scene], cells: Cells) -> Losses:
    """Of a batch.

    The score of a cell is to be the overlap of its box with its face, 0 without a face (quality focal loss,
    Li et al., NeurIPS 2020); boxes cost their distance-IoU loss (Zheng et al., AAAI 2020), landmarks the
    smooth L1 distance in shares of the face's size.

    Args:
        outputs: float32 (B, C, 15), see :class:`~pipeline.detect.compact.CompactNet`.
        scenes: B of them.
        cells: C of them.
    """
    zero = outputs.new_zeros(())
    score, box, landmarks, found = zero, zero, zero, zero
    for output, scene in zip(outputs, scenes, strict=True):
        boxes, points, ignored = (
            torch.from_numpy(part).to(outputs.device)
            for part in (scene.boxes, scene.landmarks, scene.ignored)
        )
        targets = targets_of(cells, boxes, ignored)
        which = torch.nonzero(targets.face >= 0).squeeze(1)
        wanted = torch.zeros_like(output[:, 0])
        if len(which):
            face = targets.face[which]
            proposed = _boxes(output[which], cells, which)
            box = box + distance_box_iou_loss(proposed, boxes[face], reduction="sum")
            overlap = box_iou(proposed.detach(), boxes[face]).diagonal()
            wanted[which] = overlap.clamp(min=0.0)
            landmarks = landmarks + _landmark_loss(output[which], cells, which, points[face], boxes[face])
            found = found + len(which)
        score = score + _score_loss(output[:, 0], wanted)[targets.counts].sum()
    return Losses(score, box, landmarks, found)


def _boxes(output: torch.Tensor, cells: Cells, which: torch.Tensor) -> torch.Tensor:
    """float32 (K, 4) as :func:`~pipeline.detect.cells.decode_cells` has them."""
    strides = cells.strides[which, None]
    middle = cells.places[which] + output[:, 1:3] * strides
    half = output[:, 3:5].clamp(max=6.0).exp() * strides / 2
    return torch.cat([middle - half, middle + half], dim=1)


def _landmark_loss(
    output: torch.Tensor, cells: Cells, which: torch.Tensor, points: torch.Tensor, boxes: torch.Tensor
) -> torch.Tensor:
    proposed = cells.places[which, None] + output[:, 5:].view(-1, 5, 2) * cells.strides[which, None, None]
    size = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt().view(-1, 1, 1)
    error = (proposed - points) / size
    return functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="sum") / 10.0


def _score_loss(logit: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    distance = (torch.sigmoid(logit) - wanted).abs().square()
    return distance.detach() * functional.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
