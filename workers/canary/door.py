"""Takes the face out of a photograph that a canary gives, or says why it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gallery.find import side_px
from gallery.photo import decode_photo
from gallery.vision import CutFace, Vision, cut_faces
from pipeline.errors import ImageError
from workers.canary.records import NewPhoto

SECOND_FACE = 0.5
"""A second face with more than this share of the largest one's side: whose consent is it?"""


@dataclass(frozen=True, slots=True)
class Given:
    """A photograph's bytes, and what it is called."""

    name: str
    data: bytes


def cut_photos(photos: Sequence[Given], vision: Vision) -> list[NewPhoto]:
    """The face of each; of the rest nothing is kept.

    Raises:
        ImageError: one cannot be read, shows nobody or several people, or is not good enough to recognise
            somebody by; it is named.
    """
    return [_cut(photo, vision) for photo in photos]


def _cut(photo: Given, vision: Vision) -> NewPhoto:
    faces = cut_faces(decode_photo(photo.data, photo.name).image_bgr, vision)
    problem = _problem(faces)
    if problem is not None:
        raise ImageError(f"{photo.name}: {problem}; choose another photograph")
    face = faces[0]
    return NewPhoto(face.crop_rgb, face.quality.value, vision.detector.detector_id)


def _problem(faces: Sequence[CutFace]) -> str | None:
    """Why the first of these faces cannot be taken; they are sorted by prominence."""
    if not faces:
        return "no face was found"
    sides = sorted((side_px(cut.face) for cut in faces), reverse=True)
    if len(faces) > 1 and sides[1] > SECOND_FACE * sides[0]:
        return "it shows a second person"
    quality = faces[0].quality
    return None if quality.usable else f"the face cannot be used: {', '.join(quality.reasons)}"
