"""Attacks on one region of the face, without bound inside it: glasses, a sticker, a mask (threat model T5).

After Sharif et al., "Accessorize to a Crime", CCS 2016 (spectacle frames), Komkov and Petiushko, "AdvHat",
ICPR 2021, arXiv:1908.08705 (sticker on the forehead) and Zolfi et al., "Adversarial Mask", 2021,
arXiv:2111.10759 (face mask). What is computed is a picture; whether print and light would keep it
is not asked, so that figures are those of the strongest such patch.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from pipeline.align import ARCFACE_TEMPLATE
from pipeline.robustness.objective import Objective
from pipeline.types import CROP_SIZE_PX, ByteArray

_SUBPIXEL_BITS = 4
_FIRST_STEP_255 = 32.0


class Region(enum.StrEnum):
    """What the attacker may paint, drawn around the landmarks of the ArcFace template."""

    GLASSES = "glasses"
    """Frames, bridge and temples; the lenses stay clear. 7.3 % of the crop."""

    FOREHEAD = "forehead"
    """A sticker above the brows. 8.0 % of the crop."""

    MASK = "mask"
    """From the bridge of the nose down over the chin, cheek to cheek. 24.9 % of the crop."""

    def mask(self) -> npt.NDArray[np.bool_]:
        """bool (112, 112), true where the attacker may paint."""
        match self:
            case Region.GLASSES:
                return _glasses() > 0
            case Region.FOREHEAD:
                return _forehead() > 0
            case Region.MASK:
                return _mask() > 0


@dataclass(frozen=True, slots=True)
class PatchAttack:
    """Sign steps with momentum (Dong et al., CVPR 2018, arXiv:1710.06081) inside one region.

    Starts from uniform noise in the region; steps shrink from 32 to 1 along a half cosine and are whole
    numbers, so that every iterate is a picture and the best one seen is handed over. The budget of the
    call is ignored: values inside the region may become anything in 0..255, those outside stay.

    Attributes:
        region: What may be painted.
        steps: Gradients a start.
        starts: Of which the best result counts.
        momentum: How much of the accumulated gradient is kept.
    """

    region: Region
    steps: int = 200
    starts: int = 1
    momentum: float = 0.9

    @property
    def name(self) -> str:
        return f"patch-{self.region}-{self.steps}x{self.starts}"

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        """Crops whose region is painted; `eps_255` is ignored."""
        region = torch.from_numpy(self.region.mask()).to(crops.device)
        with torch.no_grad():
            best, best_loss = crops.clone(), objective.loss(crops)
        for _ in range(self.starts):
            noise = torch.randint(256, crops.shape, generator=generator).to(crops)
            painted, loss = self._ascend(torch.where(region, noise, crops), region, objective)
            best, best_loss = _better(best, best_loss, painted, loss)
        return best

    def _ascend(
        self, start: torch.Tensor, region: torch.Tensor, objective: Objective
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The best iterate of each row, and its loss."""
        current, velocity = start, torch.zeros_like(start)
        best, best_loss = start, torch.full((len(start),), -torch.inf, device=start.device)
        for step in range(self.steps):
            loss, gradient = objective.gradient(current)
            best, best_loss = _better(best, best_loss, current, loss)
            gradient = gradient * region
            size = gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=1e-20)
            velocity = self.momentum * velocity + gradient / size
            current = (current + self._length(step) * velocity.sign()).clamp(0.0, 255.0)
        with torch.no_grad():
            return _better(best, best_loss, current, objective.loss(current))

    def _length(self, step: int) -> float:
        return max(1.0, round(_FIRST_STEP_255 * (1.0 + math.cos(math.pi * step / self.steps)) / 2.0))


def _better(
    best: torch.Tensor, best_loss: torch.Tensor, other: torch.Tensor, loss: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Row by row the crop of the larger loss."""
    better = loss > best_loss
    return torch.where(better.view(-1, 1, 1, 1), other, best), torch.where(better, loss, best_loss)


def _canvas() -> ByteArray:
    return np.zeros((CROP_SIZE_PX, CROP_SIZE_PX), np.uint8)


def _fixed(*points: tuple[float, float]) -> npt.NDArray[np.int32]:
    """Points in the fixed-point pixels that OpenCV draws at."""
    return np.asarray(np.round(np.array(points) * 2**_SUBPIXEL_BITS), np.int32)


def _fill(canvas: ByteArray, *corners: tuple[float, float]) -> None:
    cv2.fillPoly(canvas, [_fixed(*corners)], 255, shift=_SUBPIXEL_BITS)


def _glasses() -> ByteArray:
    """Rims of 30 x 22 px around the eyes, 4 px thick; a bridge, and temples of 14 px, 4 px thick as well."""
    canvas = _canvas()
    left, right = (float(x) for x in ARCFACE_TEMPLATE[:2, 0])
    for eye in ARCFACE_TEMPLATE[:2]:
        x, y = (int(v) for v in _fixed((float(eye[0]), float(eye[1])))[0])
        axes = (15 << _SUBPIXEL_BITS, 11 << _SUBPIXEL_BITS)
        cv2.ellipse(canvas, (x, y), axes, 0, 0, 360, 255, 4, shift=_SUBPIXEL_BITS)
    bottom = float(ARCFACE_TEMPLATE[:2, 1].mean())
    top = bottom - 3.0
    for start, end in ((left - 29.0, left - 15.0), (left + 15.0, right - 15.0), (right + 15.0, right + 29.0)):
        _fill(canvas, (start, top), (end, top), (end, bottom), (start, bottom))
    return canvas


def _forehead() -> ByteArray:
    """A rectangle of 50 x 20 px, centred between the eyes, its lower edge 18 px above them."""
    canvas = _canvas()
    x, y = (float(v) for v in ARCFACE_TEMPLATE[:2].mean(axis=0))
    _fill(canvas, (x - 25.0, y - 37.0), (x + 24.0, y - 37.0), (x + 24.0, y - 18.0), (x - 25.0, y - 18.0))
    return canvas


def _mask() -> ByteArray:
    """A polygon: bridge of the nose, cheekbones, jaw, chin."""
    canvas = _canvas()
    nose_x, nose_y = (float(v) for v in ARCFACE_TEMPLATE[2])
    bottom = CROP_SIZE_PX - 1.0
    _fill(
        canvas,
        (nose_x, nose_y - 10.0),
        (nose_x + 14.0, nose_y - 6.0),
        (nose_x + 38.0, nose_y - 2.0),
        (nose_x + 35.0, nose_y + 22.0),
        (nose_x + 24.0, bottom),
        (nose_x - 24.0, bottom),
        (nose_x - 35.0, nose_y + 22.0),
        (nose_x - 38.0, nose_y - 2.0),
        (nose_x - 14.0, nose_y - 6.0),
    )
    return canvas
