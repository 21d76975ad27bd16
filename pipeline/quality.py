"""How well a face can be recognised from one picture: a number with reasons.

The number is a product of factors in 0..1, one a cause, so that whoever asks why a crop was passed
over gets an answer. The factors of size, pose, border and the detector's confidence need only the
detection; since none exceeds 1 their product is a *ceiling*: a face whose ceiling is below the best
so far cannot win, and its crop need not be cut at all.

The defaults are fitted to what an embedder makes of photographs of one person of which one was
shrunk, blurred, moved, darkened or overexposed: each factor follows the similarity that is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from pipeline.align import ARCFACE_TEMPLATE
from pipeline.types import CROP_SIZE_PX, ByteArray, Face, FloatArray, Quality, check_array

_EYES, _MOUTH = ARCFACE_TEMPLATE[:2].mean(axis=0), ARCFACE_TEMPLATE[3:].mean(axis=0)
_SIDE_PER_EYE_MOUTH = CROP_SIZE_PX / float(_MOUTH[1] - _EYES[1])
_NOSE_REST = 0.55  # the nose tip's way from eyes to mouth when the head is level, as detectors see it
_NOSE_DEPTH_IN_HALF_EYES = 0.8  # how far the nose tip stands out: about 25 of 31 mm
_NOSE_DEPTH_IN_EYE_MOUTH = 0.35  # about 25 of 72 mm
_FREE_TURN_DEG = 15.0  # turns that cost an embedder nothing
_BLOWN_OUT = 250  # luma from which a sensor has no detail left
_FACE_ROWS, _FACE_COLUMNS = slice(28, 104), slice(24, 88)  # of a crop: eyebrows to chin, no background


@dataclass(frozen=True, slots=True)
class QualityOptions:
    """What makes a face unusable, and from where on a cause stops mattering.

    Attributes:
        min_size_px: Smaller faces are ``too_small``; `full_size_px` and more lose nothing.
        min_sharpness: Less is ``blurred``; `full_sharpness` and more loses nothing. Variance of
            the Laplacian of the aligned crop's luma.
        min_score: Faces of which the detector is less sure are ``unsure``; `full_score` and more
            lose nothing.
        max_yaw_deg: Turned further to a side is ``turned_away``; so is `max_pitch_deg` up or down.
        min_exposure: A darker mean luma is ``too_dark``; `full_exposure` and more loses nothing.
        max_blown_out: A larger share of saturated pixels in the face is ``too_bright``.
        min_visible: Share of the face box inside the frame; less is ``cut_off``.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    min_size_px: float = 20.0
    full_size_px: float = 64.0
    min_sharpness: float = 10.0
    full_sharpness: float = 100.0
    min_score: float = 0.6
    full_score: float = 0.9
    max_yaw_deg: float = 70.0
    max_pitch_deg: float = 50.0
    min_exposure: float = 6.0
    full_exposure: float = 30.0
    max_blown_out: float = 0.7
    min_visible: float = 0.75


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the detection alone says.

    Attributes:
        ceiling: Upper bound of ``Quality.value``, 0..1.
        reasons: Why the face is unusable whatever its pixels; empty if it may be usable.
        size_px: As ``Quality.size_px``.
        yaw_deg: As ``Quality.yaw_deg``.
        pitch_deg: Estimated from the landmarks; positive when the face looks down.
        visible: Share of the face box inside the frame, 0..1.
    """

    ceiling: float
    reasons: tuple[str, ...]
    size_px: float
    yaw_deg: float
    pitch_deg: float
    visible: float


def _pose(landmarks: FloatArray) -> tuple[float, float, float]:
    """Distance from eyes to mouth in px, yaw and pitch in degrees.

    The nose tip stands out from the plane of eyes and mouth by a depth d, so turning the head by t
    moves its picture, measured in (foreshortened) distances within that plane, by d tan t.
    """
    points = landmarks.astype(np.float64)
    eyes, mouth = (points[0] + points[1]) / 2, (points[3] + points[4]) / 2
    down = mouth - eyes
    length = math.hypot(down[0], down[1])
    half_eyes = math.hypot(points[1, 0] - points[0, 0], points[1, 1] - points[0, 1]) / 2
    if length < 1e-6:
        return 0.0, 90.0, 90.0
    down /= length
    across = np.array([down[1], -down[0]])
    nose = points[2] - eyes
    aside, along = float(nose @ across), float(nose @ down)
    middle = float((mouth - eyes) @ across) * along / length
    yaw = math.atan2(aside - middle, _NOSE_DEPTH_IN_HALF_EYES * max(half_eyes, 1e-6))
    pitch = math.atan2(along / length - _NOSE_REST, _NOSE_DEPTH_IN_EYE_MOUTH)
    return length, math.degrees(yaw), math.degrees(pitch)


def _visible(bbox: FloatArray, frame_shape: Sequence[int]) -> float:
    """Share of the box inside a frame of shape (H, W, ...)."""
    x0, y0, x1, y1 = (float(v) for v in bbox)
    area = (x1 - x0) * (y1 - y0)
    if x1 <= x0 or y1 <= y0:
        return 0.0
    inside_w = max(0.0, min(x1, frame_shape[1]) - max(x0, 0.0))
    inside_h = max(0.0, min(y1, frame_shape[0]) - max(y0, 0.0))
    return inside_w * inside_h / area


def _fading(value: float, full: float, loss_per_halving: float) -> float:
    """1 from `full` on, less by `loss_per_halving` with each halving, never below 0."""
    if value <= 0:
        return 0.0
    return min(1.0, max(0.0, 1.0 + loss_per_halving * math.log2(value / full)))


def _excess(angle_deg: float, max_deg: float) -> float:
    """0 for turns that cost nothing, 1 at `max_deg`."""
    return max(0.0, abs(angle_deg) - _FREE_TURN_DEG) / max(max_deg - _FREE_TURN_DEG, 1e-6)


class QualityAssessor:
    """Judges faces by the given options; keeps no state."""

    def __init__(self, options: QualityOptions | None = None) -> None:
        self._options = options or QualityOptions()

    def geometry(self, face: Face, frame_shape: Sequence[int]) -> Geometry:
        """Judge a detection without its pixels; `frame_shape` is (H, W, ...) of the face's picture."""
        length, yaw, pitch = _pose(face.landmarks)
        size = length * _SIDE_PER_EYE_MOUTH
        visible = _visible(face.bbox, frame_shape)
        o = self._options
        turned = _excess(yaw, o.max_yaw_deg) ** 2 + _excess(pitch, o.max_pitch_deg) ** 2
        sure = min(1.0, max(0.0, (face.score - 0.5) / (o.full_score - 0.5)))
        ceiling = _fading(size, o.full_size_px, 0.25) * max(0.0, 1.0 - turned) * sure * visible
        reasons = tuple(self._geometry_reasons(size, yaw, pitch, visible, face.score))
        return Geometry(ceiling, reasons, size, yaw, pitch, visible)

    def _geometry_reasons(
        self, size: float, yaw: float, pitch: float, visible: float, score: float
    ) -> Iterator[str]:
        o = self._options
        if score < o.min_score:
            yield "unsure"
        if size < o.min_size_px:
            yield "too_small"
        if abs(yaw) > o.max_yaw_deg or abs(pitch) > o.max_pitch_deg:
            yield "turned_away"
        if visible < o.min_visible:
            yield "cut_off"

    def _pixel_reasons(self, sharpness: float, exposure: float, blown_out: float) -> Iterator[str]:
        o = self._options
        if sharpness < o.min_sharpness:
            yield "blurred"
        if exposure < o.min_exposure:
            yield "too_dark"
        if blown_out > o.max_blown_out:
            yield "too_bright"

    def assess(self, face: Face, crop_rgb: ByteArray, frame_shape: Sequence[int]) -> Quality:
        """Judge a face and its aligned crop.

        Args:
            face: The detection.
            crop_rgb: uint8 (112, 112, 3), from ``pipeline.align.align`` with the face's landmarks.
            frame_shape: (H, W, ...) of the picture whose pixels `face` is measured in.

        Returns:
            A quality whose `value` never exceeds ``geometry(face, frame_shape).ceiling``.
        """
        check_array("crop_rgb", crop_rgb, np.uint8, (CROP_SIZE_PX, CROP_SIZE_PX, 3))
        geometry = self.geometry(face, frame_shape)
        luma = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
        sharpness = float(np.var(cv2.Laplacian(luma, cv2.CV_16S)))
        exposure = float(luma.mean())
        blown_out = float((luma[_FACE_ROWS, _FACE_COLUMNS] >= _BLOWN_OUT).mean())
        o = self._options
        lit = _fading(exposure, o.full_exposure, 0.2) * (1.0 - blown_out**2)
        value = geometry.ceiling * _fading(sharpness, o.full_sharpness, 0.2) * lit
        reasons = geometry.reasons + tuple(self._pixel_reasons(sharpness, exposure, blown_out))
        return Quality(value, reasons, geometry.size_px, sharpness, geometry.yaw_deg, exposure)
