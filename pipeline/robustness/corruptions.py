"""What happens to faces without anybody meaning harm: noise, blur, compression, low resolution, light (T0).

In the manner of Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions
and perturbations", ICLR 2019, arXiv:1903.12261: a few kinds, each in severities 1 to 5. The strengths are
ours, chosen for faces of 112 px; they are neither those of CIFAR-10-C nor of ImageNet-C.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import CROP_SIZE_PX, ByteArray, check_array

SEVERITIES = (1, 2, 3, 4, 5)

_Change = Callable[[ByteArray, float, np.random.Generator], npt.NDArray[np.floating] | ByteArray]


class Corruption(enum.StrEnum):
    """A kind of corruption. Called with crops it returns corrupted ones."""

    GAUSSIAN_NOISE = "gaussian noise"
    """Read-out noise; strength is the standard deviation, 0..255."""

    SHOT_NOISE = "shot noise"
    """Too few photons; strength is how many make white."""

    GAUSSIAN_BLUR = "gaussian blur"
    """Out of focus; strength is sigma in px."""

    MOTION_BLUR = "motion blur"
    """Movement along a straight line in a random direction; strength is its length in px."""

    JPEG = "jpeg"
    """Strength is the quality, 0..100."""

    LOW_RESOLUTION = "low resolution"
    """A face far away; strength is the side in px that the crop is reduced to, and enlarged from."""

    BRIGHTNESS = "brightness"
    """Over-exposure; strength is what is added, 0..255."""

    CONTRAST = "contrast"
    """Haze; strength is the factor on the difference to the crop's mean."""

    GAMMA = "gamma"
    """Dark with crushed shadows; strength is the exponent on 0..1."""

    def strength(self, severity: int) -> float:
        """What `severity` means, in the unit of the kind.

        Raises:
            ValueError: `severity` is not 1 to 5.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"severity must be 1 to 5, got {severity}")
        return float(_KINDS[self][1][severity - 1])

    def __call__(self, crops_rgb: ByteArray, severity: int, seed: int) -> ByteArray:
        """Corrupted crops.

        What is random in it depends on `seed` and on the crop itself, not on its place or company, and
        is the same at all severities: noise grows, and movement keeps its direction.

        Args:
            crops_rgb: uint8 (N, 112, 112, 3).
            severity: 1 (slight) to 5.
            seed: Not negative.

        Returns:
            uint8 (N, 112, 112, 3).

        Raises:
            ValueError: the crops have another shape or dtype, or `severity` is not 1 to 5.
        """
        check_array("crops_rgb", crops_rgb, np.uint8, (None, CROP_SIZE_PX, CROP_SIZE_PX, 3))
        change, strength = _KINDS[self][0], self.strength(severity)
        corrupted = np.empty_like(crops_rgb)
        for row, crop in enumerate(crops_rgb):
            random = np.random.default_rng([seed, zlib.crc32(crop.tobytes())])
            corrupted[row] = np.clip(np.rint(change(crop, strength, random)), 0, 255)
        return corrupted


def _gaussian_noise(
    crop: ByteArray, sigma_255: float, random: np.random.Generator
) -> npt.NDArray[np.floating]:
    return crop + sigma_255 * random.standard_normal(crop.shape)


def _shot_noise(crop: ByteArray, photons: float, random: np.random.Generator) -> npt.NDArray[np.floating]:
    return random.poisson(crop / 255.0 * photons) * (255.0 / photons)


def _gaussian_blur(crop: ByteArray, sigma_px: float, random: np.random.Generator) -> ByteArray:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT), np.uint8)


def _motion_blur(crop: ByteArray, length_px: float, random: np.random.Generator) -> ByteArray:
    angle = random.uniform(0.0, np.pi)
    size = int(length_px) + 2 - int(length_px) % 2  # odd, with room for both ends
    half = (length_px - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (np.round((size // 2 + sign * half) * 16).astype(int) for sign in (-1, 1))
    kernel = np.zeros((size, size), np.uint8)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 255, 1, cv2.LINE_AA, 4)
    weights = kernel.astype(np.float32) / float(kernel.sum())
    return np.asarray(cv2.filter2D(crop, -1, weights, borderType=cv2.BORDER_REFLECT), np.uint8)


def _jpeg(crop: ByteArray, quality: float, random: np.random.Generator) -> ByteArray:
    crop_bgr = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", crop_bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _low_resolution(crop: ByteArray, side_px: float, random: np.random.Generator) -> ByteArray:
    small = cv2.resize(crop, (int(side_px), int(side_px)), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(small, (CROP_SIZE_PX, CROP_SIZE_PX), interpolation=cv2.INTER_LINEAR), np.uint8
    )


def _brightness(crop: ByteArray, added_255: float, random: np.random.Generator) -> npt.NDArray[np.floating]:
    return crop + added_255


def _contrast(crop: ByteArray, factor: float, random: np.random.Generator) -> npt.NDArray[np.floating]:
    mean = float(crop.mean())
    return mean + factor * (crop - mean)


def _gamma(crop: ByteArray, exponent: float, random: np.random.Generator) -> npt.NDArray[np.floating]:
    return 255.0 * np.power(crop / 255.0, exponent)


_KINDS: dict[Corruption, tuple[_Change, tuple[float, ...]]] = {
    Corruption.GAUSSIAN_NOISE: (_gaussian_noise, (5, 10, 20, 30, 45)),
    Corruption.SHOT_NOISE: (_shot_noise, (500, 200, 80, 40, 20)),
    Corruption.GAUSSIAN_BLUR: (_gaussian_blur, (0.7, 1.2, 1.8, 2.5, 3.5)),
    Corruption.MOTION_BLUR: (_motion_blur, (3, 5, 9, 13, 19)),
    Corruption.JPEG: (_jpeg, (80, 60, 40, 20, 10)),
    Corruption.LOW_RESOLUTION: (_low_resolution, (80, 64, 48, 32, 24)),
    Corruption.BRIGHTNESS: (_brightness, (20, 40, 60, 80, 110)),
    Corruption.CONTRAST: (_contrast, (0.75, 0.6, 0.45, 0.3, 0.15)),
    Corruption.GAMMA: (_gamma, (1.3, 1.6, 2.0, 2.6, 3.5)),
}
