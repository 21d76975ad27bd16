"""Faces that nobody has: photographs moved, recoloured, covered, and joined with those of other people.

What is done here changes who is seen, so that teachers look at the result, not at the photograph. A few
thousand people are too few to learn the space of faces from; joining two gives any number (the idea of
mixup, Zhang et al., ICLR 2018, and of CutMix, Yun et al., ICCV 2019, with teachers in place of mixed labels),
and so does bending one (elastic distortions: Simard et al., ICDAR 2003), so that a student cannot know
a face again and has to look at it.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.types import CROP_SIZE_PX, ByteArray, FloatArray

_BENT_SHARE = 0.5
_JOINED_SHARE = 0.6
_JOINED_AGAIN_SHARE = 0.25
_REFINED_SHARE = 0.2
_COVERED_SHARE = 0.1
_MIX = (0.2, 0.8)
_MIDDLE_PX = (CROP_SIZE_PX - 1) / 2


def content(crop_rgb: ByteArray, other_rgb: ByteArray, random: np.random.Generator) -> ByteArray:
    """A face made from `crop_rgb` and, more often than not, from `other_rgb`, of somebody else.

    Args:
        crop_rgb: uint8 (112, 112, 3).
        other_rgb: The same.
        random: Draws everything.

    Returns:
        uint8 (112, 112, 3) RGB.
    """
    face = _changed_shape(crop_rgb, random)
    if random.random() < _JOINED_SHARE:
        face = joined(face, _changed_shape(other_rgb, random), random)
        if random.random() < _JOINED_AGAIN_SHARE:
            face = joined(face, _changed_shape(other_rgb, random), random)
    face = recoloured(face, random)
    return covered(face, random) if random.random() < _COVERED_SHARE else face


def _changed_shape(crop_rgb: ByteArray, random: np.random.Generator) -> ByteArray:
    face = moved(crop_rgb, random)
    return bent(face, random) if random.random() < _BENT_SHARE else face


def bent(face: ByteArray, random: np.random.Generator) -> ByteArray:
    """With a longer nose, narrower eyes, a wider chin: every part drawn some pixels aside, smoothly."""
    points = int(random.integers(3, 7))
    strength_px = random.uniform(1.0, 4.0)
    aside = random.normal(0.0, strength_px, (2, points, points)).astype(np.float32)
    size = (CROP_SIZE_PX, CROP_SIZE_PX)
    x, y = (cv2.resize(each, size, interpolation=cv2.INTER_CUBIC) for each in aside)
    across = np.arange(CROP_SIZE_PX, dtype=np.float32)
    return np.asarray(
        cv2.remap(
            face, x + across, y + across[:, np.newaxis], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def moved(crop_rgb: ByteArray, random: np.random.Generator) -> ByteArray:
    """Turned by some degrees, scaled and shifted, as imprecise landmarks do; mirrored half of the time."""
    turn, scale = random.normal(0.0, 3.0), float(np.exp(random.normal(0.0, 0.03)))
    matrix = cv2.getRotationMatrix2D((_MIDDLE_PX, _MIDDLE_PX), turn, scale)
    matrix = matrix + np.array([[0.0, 0.0, shift] for shift in random.normal(0.0, 1.5, 2)])
    size = (CROP_SIZE_PX, CROP_SIZE_PX)
    face = cv2.warpAffine(crop_rgb, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.flip(face, 1) if random.random() < 0.5 else face, np.uint8)


def joined(face: ByteArray, other: ByteArray, random: np.random.Generator) -> ByteArray:
    """Both faces as one: mixed, or `face` with `other`'s fine features."""
    way = refined if random.random() < _REFINED_SHARE else mixed
    return way(face, other, random)


def mixed(face: ByteArray, other: ByteArray, random: np.random.Generator) -> ByteArray:
    """Between both everywhere, or `other`'s within a soft-edged part."""
    share = random.uniform(*_MIX)
    weight = share if random.random() < 0.5 else (0.5 + share / 2) * soft_part(random)[..., np.newaxis]
    return _rounded(face * (1.0 - weight) + matched(other, face) * weight)


def refined(face: ByteArray, other: ByteArray, random: np.random.Generator) -> ByteArray:
    """What is coarse in `face` with what is fine in `other`."""
    coarse_px = random.uniform(2.0, 6.0)
    second = matched(other, face)
    fine = second - cv2.GaussianBlur(second, (0, 0), coarse_px)
    return _rounded(cv2.GaussianBlur(face.astype(np.float32), (0, 0), coarse_px) + fine)


def _rounded(values: FloatArray) -> ByteArray:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def soft_part(random: np.random.Generator) -> FloatArray:
    """float32 (112, 112), 0..1: an ellipse somewhere in the face, or one side of a line through it."""
    y, x = np.mgrid[:CROP_SIZE_PX, :CROP_SIZE_PX].astype(np.float32) - np.float32(_MIDDLE_PX)
    if random.random() < 0.5:
        angle, offset = random.uniform(0.0, 2 * np.pi), random.normal(0.0, 12.0)
        inside = x * np.cos(angle) + y * np.sin(angle) - offset
    else:
        (middle_x, middle_y), (across, down) = random.uniform(-28, 28, 2), random.uniform(14, 44, 2)
        inside = 1.0 - np.hypot((x - middle_x) / across, (y - middle_y) / down)
        inside *= min(across, down)
    softness_px = random.uniform(2.0, 8.0)
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(inside / softness_px, -20, 20))), np.float32)


def matched(other: ByteArray, face: ByteArray) -> FloatArray:
    """`other`, float32, with the mean and contrast that each colour of `face` has: one skin, one light."""
    mean, spread = other.mean(axis=(0, 1)), other.std(axis=(0, 1)) + 1.0
    wanted_mean, wanted_spread = face.mean(axis=(0, 1)), face.std(axis=(0, 1)) + 1.0
    gain = np.clip(wanted_spread / spread, 0.5, 2.0)
    return np.asarray((other - mean) * gain + wanted_mean, np.float32)


def recoloured(face: ByteArray, random: np.random.Generator) -> ByteArray:
    """Brightness, contrast, warmth; grey one time in twelve."""
    values = face.astype(np.float32)
    if random.random() < 1 / 12:
        values[:] = values.mean(axis=2, keepdims=True)
    mean = values.mean()
    values = (values - mean) * np.exp(random.normal(0.0, 0.15)) + mean + random.normal(0.0, 12.0)
    values *= np.exp(random.normal(0.0, 0.04, 3))
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def covered(face: ByteArray, random: np.random.Generator) -> ByteArray:
    """A box of one colour or of noise before a part of the face."""
    height, width = random.integers(12, 48, 2)
    top, left = random.integers(0, CROP_SIZE_PX - height), random.integers(0, CROP_SIZE_PX - width)
    box = np.broadcast_to(random.integers(0, 256, 3), (height, width, 3)).astype(np.float64)
    box = box + random.normal(0.0, random.choice([0.0, 20.0]), box.shape)
    out = face.copy()
    out[top : top + height, left : left + width] = np.clip(box, 0, 255).astype(np.uint8)
    return out
