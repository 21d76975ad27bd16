"""The attacked clip of the demonstration: Eileen Collins, changed so that she is taken for Grace Hopper.

The attacker has the camera's footage, the embedder with its weights, the alignment and a photograph of
the person to be taken for, and does not know that there may be a purifier (threat model T2a). They
change the pixels of one face before the footage is stored; the file loses nothing after that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gallery.vision import Vision, cut_faces
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.errors import PinwatchError
from pipeline.robustness.objective import Network, Objective
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.seams import Detector
from pipeline.types import ByteArray, Face, FloatArray
from workers.demo.footage import Studio
from workers.demo.perturb import Effort, FramePerturber
from workers.demo.scene import RATE_HZ, WALKS, Lens, Person

PURIFIER = "pinwatch-pin"
"""Card of the purifier that the demonstration defends with."""
THREAT = ThreatModel.EMBEDDER
EFFORT = Effort()
CLIP = range(84, 146)
"""Frames of the footage: Collins comes past the camera and leaves, Hopper comes after her."""


@dataclass(frozen=True, slots=True, eq=False)
class AttackedFrame:
    """One frame of the clip.

    Attributes:
        number: In the footage.
        clean_bgr: uint8 (720, 1280, 3), as composed.
        attacked_bgr: The same shape; equal to `clean_bgr` where Collins is not seen.
        landmarks: float32 (5, 2) of her face in the clean frame, pixels; ``None`` where it is not seen.
    """

    number: int
    clean_bgr: ByteArray
    attacked_bgr: ByteArray
    landmarks: FloatArray | None

    @property
    def pts_ns(self) -> int:
        """Since the start of the clip."""
        return (self.number - CLIP.start) * 1_000_000_000 // RATE_HZ


def template_of(photo_bgr: ByteArray, vision: Vision) -> FloatArray:
    """float32 (D,): what the attacker's face is to look like to the embedder.

    Raises:
        PinwatchError: the photograph shows no face.
    """
    cuts = cut_faces(photo_bgr, vision)
    if not cuts:
        raise PinwatchError("no face was found in the photograph of the person to be taken for")
    return embed_photo_crops([cuts[0].crop_rgb], vision.embedder)[0].vector


def attacked_frames(
    network: Network, template: FloatArray, detector: Detector, frames: Sequence[int] = CLIP
) -> Iterator[AttackedFrame]:
    """Compose the clip, and attack Collins' face wherever the detector sees it.

    Args:
        network: The embedder, differentiable and without purifier.
        template: float32 (D,), of the person to be taken for.
        detector: As the recogniser has it.
        frames: Their numbers in the footage, in order.
    """
    studio = Studio()
    objective = Objective(network, torch.from_numpy(template)[None], Goal.IMPERSONATE)
    perturber = FramePerturber(objective, EFFORT)
    for number in frames:
        clean = studio.frame(number)
        face = face_of(Person.COLLINS, number, detector.detect([clean])[0])
        landmarks = None if face is None else face.landmarks
        attacked = clean if landmarks is None else perturber.attack(clean, landmarks)
        yield AttackedFrame(number, clean, attacked, landmarks)


def face_of(person: Person, number: int, faces: Sequence[Face]) -> Face | None:
    """Which of the faces found in a frame is a person's, by where the scene has them.

    A face is theirs if the point between its eyes is less than half of its width away.
    """
    poses = [pose for walk in WALKS if walk.person is person and (pose := walk.pose(number / RATE_HZ))]
    if not poses or not faces:
        return None
    expected = np.array(Lens().project(*poses[0].eyes_m))
    off_px = [float(np.linalg.norm(face.landmarks[:2].mean(axis=0) - expected)) for face in faces]
    nearest = int(np.argmin(off_px))
    return faces[nearest] if off_px[nearest] < faces[nearest].width_px / 2 else None
