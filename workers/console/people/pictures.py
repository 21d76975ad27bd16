"""Enrollment photographs for a screen: small, upright, and without what the camera wrote into them."""

from __future__ import annotations

import cv2

from audit.crops import png_of
from gallery.photo import decode_photo
from pipeline.align import align
from pipeline.errors import GalleryCorrupt
from pipeline.types import Face

SIDE_PX = 640
_QUALITY = 85


def face_for_screen(data: bytes, name: str, face: Face) -> bytes:
    """The enrolled face alone, cut out like the crops of tracks, as a PNG.

    Raises:
        GalleryCorrupt: the photograph cannot be shown.
    """
    try:
        return png_of(align(decode_photo(data, name).image_bgr, face.landmarks))
    except ValueError as error:
        raise GalleryCorrupt(f"the face in the photograph {name} cannot be shown: {error}") from None


def for_screen(data: bytes, name: str, side_px: int = SIDE_PX) -> bytes:
    """A JPEG no larger than `side_px` a side.

    Whatever kind of file was enrolled, browsers get a picture that we made.

    Raises:
        GalleryCorrupt: the photograph cannot be shown.
    """
    image = decode_photo(data, name).image_bgr
    scale = min(1.0, side_px / max(image.shape[:2]))
    if scale < 1.0:
        height, width = image.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise GalleryCorrupt(f"the photograph {name} cannot be shown")
    return encoded.tobytes()
