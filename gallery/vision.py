"""What the gallery needs to turn a photograph into templates, and the few steps of doing so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gallery.find import find_faces
from pipeline.align import align
from pipeline.seams import Detector, FaceEmbedder
from pipeline.types import ByteArray, Face, FloatArray, Quality

Align = Callable[[ByteArray, FloatArray], ByteArray]
"""Picture (BGR) and landmarks to uint8 (112, 112, 3) RGB; ``ValueError`` for landmarks that fit no face."""


class FaceJudge(Protocol):
    """Says how well a face can be recognised; ``pipeline.quality.QualityAssessor`` is one."""

    def assess(self, face: Face, crop_rgb: ByteArray, frame_shape: Sequence[int]) -> Quality: ...


@dataclass(frozen=True, slots=True)
class Vision:
    """The networks and measures that photographs go through.

    Attributes:
        detector: Finds faces.
        embedder: Purifies and embeds crops.
        judge: Says which faces are good enough.
        align: Cuts crops.
    """

    detector: Detector
    embedder: FaceEmbedder
    judge: FaceJudge
    align: Align = align


@dataclass(frozen=True, slots=True, eq=False)
class CutFace:
    """A face of a photograph with its crop.

    Attributes:
        face: In pixels of the photograph.
        crop_rgb: uint8 (112, 112, 3); black where the landmarks fit no face.
        quality: Not usable in that case, for the reason ``landmarks``.
    """

    face: Face
    crop_rgb: ByteArray
    quality: Quality


def cut_faces(image_bgr: ByteArray, vision: Vision) -> list[CutFace]:
    """All faces of a photograph, the most prominent first."""
    return [cut_face(image_bgr, face, vision) for face in find_faces(image_bgr, vision.detector)]


def cut_face(image_bgr: ByteArray, face: Face, vision: Vision) -> CutFace:
    """Cut one face out of the full picture and judge it."""
    try:
        crop = vision.align(image_bgr, face.landmarks)
    except ValueError:
        no_face = Quality(0.0, ("landmarks",), 0.0, 0.0, 0.0, 0.0)
        return CutFace(face, np.zeros((112, 112, 3), np.uint8), no_face)
    return CutFace(face, crop, vision.judge.assess(face, crop, image_bgr.shape))
