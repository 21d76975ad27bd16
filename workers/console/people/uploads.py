"""Photographs that come by upload: what is taken, before anything of them is decoded."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

import PIL.Image
from fastapi import UploadFile

from pipeline.errors import ImageError, UsageError

KINDS = ("JPEG", "PNG", "WEBP")
MAX_PHOTOS = 20
MAX_PIXELS = 50_000_000
_MIB = 2**20
_OVERHEAD_BYTES = 64 * 1024
_UNUSUAL = re.compile(r"[^\w.\- ()]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """A photograph's bytes, and what its file was called there."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What is taken.

    Attributes:
        photo_mib: Largest file.
        photos: Most of them at once.
        pixels: Largest picture.
    """

    photo_mib: int = 20
    photos: int = MAX_PHOTOS
    pixels: int = MAX_PIXELS

    @property
    def body_bytes(self) -> int:
        """Largest request: a few large photographs or many small ones."""
        return 4 * self.photo_mib * _MIB + _OVERHEAD_BYTES

    def take(self, files: Iterable[UploadFile]) -> list[Upload]:
        """Read what was uploaded.

        Raises:
            UsageError: there is none, or there are too many.
            ImageError: one is too large, in bytes or pixels, or of another kind.
        """
        chosen = [file for file in files if file.filename or file.size]
        if not chosen:
            raise UsageError("choose a photograph first")
        if len(chosen) > self.photos:
            raise UsageError(f"{len(chosen)} photographs are too many at once: choose up to {self.photos}")
        return [self._take_one(file) for file in chosen]

    def _take_one(self, file: UploadFile) -> Upload:
        name = plain_name(file.filename or "")
        data = file.file.read(self.photo_mib * _MIB + 1)
        if len(data) > self.photo_mib * _MIB:
            raise ImageError(f"{name} is larger than {self.photo_mib} MiB: reduce it first")
        self._check_header(name, data)
        return Upload(name, data)

    def _check_header(self, name: str, data: bytes) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
                with PIL.Image.open(io.BytesIO(data), formats=KINDS) as header:
                    width, height = header.size
        except PIL.UnidentifiedImageError:
            raise ImageError(f"{name} is not a photograph of the kinds {', '.join(KINDS)}") from None
        except (PIL.Image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError):
            raise ImageError(f"{name} is damaged, or far too large") from None
        if width * height > self.pixels:
            raise ImageError(
                f"{name} is {width}x{height}, more than {self.pixels // 1_000_000} megapixels: "
                "reduce it first"
            )


def plain_name(name: str) -> str:
    """The bare name of a file of any system, harmless as a name here."""
    bare = PureWindowsPath(PurePosixPath(name).name).name
    return _UNUSUAL.sub("_", bare).strip(" .")[-100:] or "photograph"
