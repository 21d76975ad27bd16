"""Reads photographs that people hand in: any size, kind or orientation, and some that are traps."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from gallery.records import PhotoRecord
from pipeline.errors import ImageError
from pipeline.types import ByteArray

MIN_SIDE_PX = 32
MAX_PIXELS = 128_000_000
MAX_BYTES = 256 * 2**20

EXTENSIONS = {
    "AVIF": "avif",
    "BMP": "bmp",
    "GIF": "gif",
    "JPEG": "jpg",
    "JPEG2000": "jp2",
    "PNG": "png",
    "PPM": "ppm",
    "TIFF": "tif",
    "WEBP": "webp",
}
"""Pillow's name of each format that we read, and the extension that such a photograph is kept under.

Telephones write JPEG files of several pictures, which Pillow calls MPO; the first is the photograph."""

PHOTO_SUFFIXES = frozenset(f".{name}" for name in (*EXTENSIONS.values(), "jpeg", "jpe", "jfif", "tiff"))
"""What a folder's files must end in (in any case) to count as photographs."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photograph, upright.

    Attributes:
        image_bgr: uint8 (H, W, 3) in full size; H and W are those of `record`.
        data: The file's bytes.
        record: Checksum, size, and where it came from.
    """

    image_bgr: ByteArray
    data: bytes
    record: PhotoRecord


def read_photo(path: Path) -> Photo:
    """Read a photograph file.

    Raises:
        ImageError: the file is missing, unreadable, no photograph, damaged, or outside the bounds;
            the message names it.
    """
    return decode_photo(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of bounded size. Raises ``ImageError``."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImageError(f"{path} is larger than {MAX_BYTES >> 20} MiB: reduce it first")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from error


def decode_photo(data: bytes, name: str) -> Photo:
    """Decode a photograph: turned upright as its EXIF says, grey as three equal channels, alpha left
    out, 16 bits reduced to 8.

    Args:
        data: The file's bytes.
        name: What to call it in messages and in the gallery.

    Raises:
        ImageError: as :func:`read_photo`.
    """
    extension = _check_header(data, name)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{name} cannot be decoded: {error.err}") from error
    if image is None:
        raise ImageError(f"{name} is damaged or cut short: it cannot be decoded to its end")
    height, width = image.shape[:2]
    record = PhotoRecord(
        sha256=hashlib.sha256(data).hexdigest(),
        extension=extension,
        original_name=_short_name(name),
        width_px=width,
        height_px=height,
        size_bytes=len(data),
    )
    return Photo(np.asarray(image, np.uint8), data, record)


def _check_header(data: bytes, name: str) -> str:
    """The extension for this kind of file; refuses by the header alone what would be too large to decode."""
    if not data:
        raise ImageError(f"{name} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(data), formats=tuple(EXTENSIONS)) as header:
                (width, height), kind = header.size, header.format
    except PIL.UnidentifiedImageError as error:
        raise ImageError(f"{name} is not a photograph that we can read") from error
    except PIL.Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels: reduce it first"
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageError(f"{name} is damaged: {error}") from error
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} is {width}x{height}, more than {MAX_PIXELS // 1_000_000} megapixels: reduce it first"
        )
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(f"{name} is {width}x{height}: both sides must be at least {MIN_SIDE_PX} px")
    return EXTENSIONS["JPEG" if kind == "MPO" else str(kind)]


def _short_name(name: str) -> str:
    """The file's own name, as text that any database takes."""
    return Path(name).name.encode("utf-8", "replace").decode("utf-8")[:255]
