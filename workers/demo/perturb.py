"""The attack of the demonstration: a face's pixels in the frame, changed so that it is taken for another.

Projected gradient ascent with momentum (Madry et al., ICLR 2018; Dong et al., CVPR 2018) on the frame
itself, through the alignment. The detector sees the attacked frame, and gives slightly other landmarks
than the clean one had; the gradient is therefore averaged over a few alignments near the detected one
(expectation over transformation, Athalye et al., ICML 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from pipeline.align import similarity_transform
from pipeline.robustness.attacks.base import project, quantised
from pipeline.robustness.objective import Objective
from pipeline.robustness.warp import FaceWarp
from pipeline.types import ByteArray, FloatArray

_MOMENTUM = 0.9
_STEP = 0.25
"""Of the budget, a step: a few steps cross it, and momentum settles them."""
_MARGIN = 0.1
"""Of the side of the patch: about the crop, for alignments that are off by a little."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard the attacker tries.

    Attributes:
        eps_255: Bound on the change of each value of the frame, 8-bit units.
        first_steps: Steps on the first frame, which starts from nothing.
        steps: Steps on every other frame, which starts from the perturbation of the one before.
        views: Alignments a step: the detected one, and others about it.
        jitter: Standard deviation of their landmarks, as a share of the distance between the eyes.
    """

    eps_255: int = 4
    first_steps: int = 30
    steps: int = 6
    views: int = 2
    jitter: float = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """The part of a frame that is changed.

    Attributes:
        corner: Its upper left corner in the frame, x and y, pixels.
        pixels: float32 (1, 3, h, w), RGB 0..255, clean.
        landmarks: float32 (5, 2), pixels of the patch.
        change: float32 (1, 3, h, w), what was added to a patch; zero before that.
    """

    corner: tuple[int, int]
    pixels: torch.Tensor
    landmarks: FloatArray
    change: torch.Tensor


class FramePerturber:
    """Attacks one person's face in successive frames.

    Each frame starts from the perturbation of the one before, moved along with the face, which is why
    a few steps are enough. The same frames in the same order give the same result.

    Args:
        objective: What to make large, of one crop.
        effort: Budget and steps.
        seed: Of the alignments that are averaged over.
    """

    def __init__(self, objective: Objective, effort: Effort, seed: int = 0) -> None:
        self._objective = objective
        self._effort = effort
        self._random = np.random.default_rng(seed)
        self._previous: _Patch | None = None

    def attack(self, image_bgr: ByteArray, landmarks: FloatArray) -> ByteArray:
        """The frame with the face attacked: uint8 (H, W, 3) BGR, each value within the budget.

        Args:
            image_bgr: uint8 (H, W, 3); stays as it is.
            landmarks: float32 (5, 2) of the face in the clean frame, pixels.

        Raises:
            ValueError: the landmarks fit no face in this frame.
        """
        patch = self._patch(image_bgr, landmarks)
        attacked = self._ascend(patch)
        self._previous = replace(patch, change=attacked - patch.pixels)
        final = quantised(attacked, patch.pixels, self._effort.eps_255)[0].permute(1, 2, 0).numpy()
        (x, y), (height, width) = patch.corner, final.shape[:2]
        result = image_bgr.copy()
        result[y : y + height, x : x + width] = final[:, :, ::-1].astype(np.uint8)
        return result

    def _patch(self, image_bgr: ByteArray, landmarks: FloatArray) -> _Patch:
        """What the crop depends on, and a little around it, for the alignments nearby."""
        height, width = image_bgr.shape[:2]
        x0, y0, x1, y1 = FaceWarp.of(landmarks, height, width).window
        margin = round(_MARGIN * max(x1 - x0, y1 - y0))
        x0, y0 = max(0, x0 - margin), max(0, y0 - margin)
        part_rgb = np.ascontiguousarray(image_bgr[y0 : y1 + margin, x0 : x1 + margin, ::-1], np.float32)
        pixels = torch.from_numpy(part_rgb).permute(2, 0, 1)[None].contiguous()
        local = landmarks - np.array((x0, y0), np.float32)
        return _Patch((x0, y0), pixels, local, torch.zeros_like(pixels))

    def _ascend(self, patch: _Patch) -> torch.Tensor:
        """float32 (1, 3, h, w): the patch attacked, not quantised."""
        effort, clean = self._effort, patch.pixels
        exact = FaceWarp.of(patch.landmarks, *clean.shape[-2:])
        steps = effort.steps if self._previous else effort.first_steps
        step_255 = _STEP * effort.eps_255
        attacked = project(clean + self._start(patch), clean, effort.eps_255)
        velocity = torch.zeros_like(clean)
        for _ in range(steps):
            warps = [exact, *(self._near(patch) for _ in range(effort.views - 1))]
            gradient = self._gradient(attacked, warps)
            velocity = _MOMENTUM * velocity + gradient / gradient.abs().sum().clamp_min(_TINY)
            attacked = project(attacked + step_255 * velocity.sign(), clean, effort.eps_255)
        return attacked

    def _gradient(self, attacked: torch.Tensor, warps: Sequence[FaceWarp]) -> torch.Tensor:
        with torch.enable_grad():
            leaf = attacked.detach().requires_grad_(True)
            crops = torch.cat([warp(leaf) for warp in warps])
            (gradient,) = torch.autograd.grad(self._objective.loss(crops).sum(), leaf)
        return gradient

    def _near(self, patch: _Patch) -> FaceWarp:
        """An alignment with the landmarks off by a little, each by itself."""
        eyes_px = float(np.linalg.norm(patch.landmarks[1] - patch.landmarks[0]))
        moved = patch.landmarks + self._random.normal(0.0, self._effort.jitter * eyes_px, (5, 2))
        return FaceWarp.of(moved, *patch.pixels.shape[-2:])

    def _start(self, patch: _Patch) -> torch.Tensor:
        """The perturbation of the frame before, moved, turned and scaled as the face was."""
        if self._previous is None:
            return patch.change
        matrix = similarity_transform(self._previous.landmarks, patch.landmarks)
        height, width = patch.pixels.shape[-2:]
        change = np.ascontiguousarray(self._previous.change[0].permute(1, 2, 0).numpy())
        moved = cv2.warpAffine(change, matrix, (width, height), flags=cv2.INTER_LINEAR)
        return torch.from_numpy(moved).permute(2, 0, 1)[None].contiguous()
