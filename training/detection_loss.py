"""Which cells are to find a face, and what it costs if they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from torchvision.ops import distance_box_iou_loss

from pipeline.detect.cells import STRIDES_PX

_SIZES_PX = ((0.0, 56.0), (28.0, 120.0), (64.0, float("inf")))
_RADIUS_SHARE = 0.4
_RADIUS_CELLS = (0.55, 1.5)
_TAUGHT_SCORE, _SEEN_SCORE = 0.2, 0.3
_BOX_WEIGHT, _LANDMARK_WEIGHT = 2.0, 8.0


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

    def repeated(self, times: int) -> Cells:
        """Of several pictures, one after the other."""
        return Cells(self.places.repeat(times, 1), self.strides.repeat(times))


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
class Wanted:
    """What each of C cells is to say, in numbers.

    Attributes:
        score: float32 (C,), 0..1; NaN for the overlap of the cell's own box with the wanted one.
        counts: bool (C,): whether its score is judged.
        weight: float32 (C,), of box and landmarks; 0 where there is no face.
        boxes: float32 (C, 4) in pixels.
        landmarks: float32 (C, 5, 2) in pixels.
    """

    score: torch.Tensor
    counts: torch.Tensor
    weight: torch.Tensor
    boxes: torch.Tensor
    landmarks: torch.Tensor

    @classmethod
    def stacked(cls, several: Sequence[Wanted]) -> Wanted:
        """All cells of some pictures, one after the other."""
        return cls(*(torch.cat(parts) for parts in zip(*(each._parts() for each in several), strict=True)))

    def _parts(self) -> tuple[torch.Tensor, ...]:
        return self.score, self.counts, self.weight, self.boxes, self.landmarks


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Sums over cells, to be divided by the weight of the cells that find faces."""

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


def wanted_of_labels(
    cells: Cells, boxes: torch.Tensor, landmarks: torch.Tensor, ignored: torch.Tensor
) -> Wanted:
    """Of a picture whose N faces are known: every cell of :func:`targets_of` is to find its own.

    The score of a cell is to be the overlap of its box with its face, 0 without a face (quality focal loss,
    Li et al., NeurIPS 2020).
    """
    targets = targets_of(cells, boxes, ignored)
    finds = targets.face >= 0
    if not len(boxes):
        boxes, landmarks = boxes.new_zeros(1, 4), landmarks.new_zeros(1, 5, 2)
    face = targets.face.clamp(min=0)
    score = torch.where(finds, torch.nan, 0.0)
    return Wanted(score, targets.counts, finds.float(), boxes[face], landmarks[face])


def wanted_of_teacher(
    said: torch.Tensor, cells: Cells, boxes: torch.Tensor, landmarks: torch.Tensor, ignored: torch.Tensor
) -> Wanted:
    """Of the same picture, where a detector with the same cells was asked as well.

    Cells are to say what its cells say: which of them are to find a face, how surely, and what a face half
    hidden is worth, it has learnt from many more photographs. It is not believed where nobody found a face
    in the photographs that the picture is made of, and labels count for a face that it misses.

    Args:
        said: float32 (C, 15): scores 0..1, boxes and landmarks as :func:`decode_cells` has them.
        cells: C of them.
        boxes: float32 (N, 4).
        landmarks: float32 (N, 5, 2).
        ignored: float32 (M, 4).
    """
    known = torch.cat([boxes, ignored])
    inside = _inside(cells, known)
    score = said[:, 0] * inside.any(dim=1)
    missed = (score[:, None] * inside[:, : len(boxes)]).amax(dim=0) < _SEEN_SCORE
    labels = wanted_of_labels(cells, boxes[missed], landmarks[missed], ignored)
    own = labels.weight > 0
    return Wanted(
        torch.where(own, labels.score, score),
        torch.ones_like(labels.counts),
        torch.where(own, 1.0, score * (score > _TAUGHT_SCORE)),
        torch.where(own[:, None], labels.boxes, _boxes(said, cells)),
        torch.where(own[:, None, None], labels.landmarks, _landmarks(said, cells)),
    )


def _inside(cells: Cells, boxes: torch.Tensor) -> torch.Tensor:
    """bool (C, N): whether a cell touches a box."""
    places, reach = cells.places[:, None], cells.strides[:, None, None]
    return ((places >= boxes[:, :2] - reach) & (places <= boxes[:, 2:])).all(dim=-1)


def losses(outputs: torch.Tensor, wanted: Wanted, cells: Cells) -> Losses:
    """Of a batch: distance-IoU loss of boxes (Zheng et al., AAAI 2020), smooth L1 distance of landmarks in
    shares of the face's size, focal loss of scores.

    Args:
        outputs: float32 (B, C, 15), see :class:`~pipeline.detect.compact.CompactNet`.
        wanted: Of B * C cells.
        cells: C of them.
    """
    several = cells.repeated(len(outputs))
    output = outputs.flatten(0, 1)
    which = torch.nonzero(wanted.weight).squeeze(1)
    weight, boxes = wanted.weight[which], wanted.boxes[which]
    proposed = _boxes(output, several, which)
    box = (weight * distance_box_iou_loss(proposed, boxes)).sum()
    landmarks = (weight * _landmark_loss(output, several, which, wanted.landmarks[which], boxes)).sum()
    score = wanted.score.clone()
    score[which] = torch.where(score[which].isnan(), _overlap(proposed.detach(), boxes), score[which])
    judged = _score_loss(output[:, 0], score)[wanted.counts].sum()
    return Losses(judged, box, landmarks, weight.sum())


def _overlap(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """float32 (K,): intersection over union, row by row."""
    low, high = torch.maximum(boxes[:, :2], others[:, :2]), torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (high - low).clamp(min=0.0).prod(dim=1)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0.0).prod(dim=1) for each in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)


def _boxes(output: torch.Tensor, cells: Cells, which: torch.Tensor | None = None) -> torch.Tensor:
    """float32 (K, 4) as :func:`~pipeline.detect.cells.decode_cells` has them; of all cells by default."""
    output, cells = _chosen(output, cells, which)
    strides = cells.strides[:, None]
    middle = cells.places + output[:, 1:3] * strides
    half = output[:, 3:5].clamp(max=6.0).exp() * strides / 2
    return torch.cat([middle - half, middle + half], dim=1)


def _landmarks(output: torch.Tensor, cells: Cells, which: torch.Tensor | None = None) -> torch.Tensor:
    """float32 (K, 5, 2)."""
    output, cells = _chosen(output, cells, which)
    return cells.places[:, None] + output[:, 5:].view(-1, 5, 2) * cells.strides[:, None, None]


def _chosen(output: torch.Tensor, cells: Cells, which: torch.Tensor | None) -> tuple[torch.Tensor, Cells]:
    return (
        (output, cells)
        if which is None
        else (output[which], Cells(cells.places[which], cells.strides[which]))
    )


def _landmark_loss(
    output: torch.Tensor, cells: Cells, which: torch.Tensor, points: torch.Tensor, boxes: torch.Tensor
) -> torch.Tensor:
    """float32 (K,)."""
    proposed = _landmarks(output, cells, which)
    size = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt().view(-1, 1, 1)
    error = (proposed - points) / size
    distance = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none")
    return distance.flatten(1).mean(dim=1)


def _score_loss(logit: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    distance = (torch.sigmoid(logit) - wanted).abs().square()
    return distance.detach() * functional.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
