"""A folder of images as footage: in the order in which people count."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import structlog

from pipeline.errors import SourceNotFound, SourceUnreadable
from pipeline.sources.channel import DropCounter
from pipeline.sources.timeline import NS
from pipeline.types import ByteArray, Frame

log = structlog.get_logger(__name__)

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".jpe", ".png", ".tif", ".tiff", ".webp"})


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sorts ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part)


class FolderSource:
    """The images of a folder, one a frame, at a rate that is given.

    Other files are ignored. Images that cannot be read are skipped and counted as ``unreadable``;
    each keeps its place in time, so that the others' times do not depend on it.

    Args:
        path: The folder; its subfolders are not entered.
        rate_hz: Frames per second.
        camera_id: Whose frames these are; by default the folder's name.
        started_at_ns: Wall-clock time of the first image, nanoseconds since 1970 UTC, if known.

    Raises:
        SourceNotFound: there is no such folder.
        SourceUnreadable: it cannot be listed, or holds no images.
    """

    live = False

    def __init__(
        self,
        path: Path,
        *,
        rate_hz: float = 1.0,
        camera_id: str | None = None,
        started_at_ns: int | None = None,
    ) -> None:
        if rate_hz <= 0:
            raise ValueError(f"the rate must be positive, got {rate_hz}")
        self._path = path
        self._rate_hz = rate_hz
        self._camera_id = camera_id or path.resolve().name
        self._started_at_ns = started_at_ns
        self._images = _list_images(path)
        self._drops = DropCounter()
        self._closed = threading.Event()

    @property
    def camera_id(self) -> str:
        return self._camera_id

    @property
    def frame_count(self) -> int | None:
        return len(self._images)

    @property
    def rate_hz(self) -> float:
        return self._rate_hz

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        return self._drops.as_dict()

    def frames(self) -> Iterator[Frame]:
        """Yield the images in order.

        Raises:
            SourceUnreadable: not one of them can be read.
        """
        first_ns: int | None = None
        for number, path in enumerate(self._images):
            if self._closed.is_set():
                return
            image = self._read(path)
            if image is not None:
                at_ns = round(number * NS / self._rate_hz)
                first_ns = at_ns if first_ns is None else first_ns
                yield self._frame(at_ns - first_ns, image)
        if first_ns is None:
            raise SourceUnreadable(f"none of the {len(self._images)} images in {self._path} can be read")

    def close(self) -> None:
        """End `frames` before its next image; safe from another thread and twice."""
        self._closed.set()

    def _frame(self, pts_ns: int, image: ByteArray) -> Frame:
        at_ns = None if self._started_at_ns is None else self._started_at_ns + pts_ns
        return Frame(self._camera_id, 0, pts_ns, at_ns, image)

    def _read(self, path: Path) -> ByteArray | None:
        image = read_image(path)
        if image is None:
            self._drops.add("unreadable")
            log.warning("skipped an image that cannot be read", path=str(path))
        return image


def _list_images(path: Path) -> list[Path]:
    try:
        if not path.exists():
            raise SourceNotFound(f"there is no folder {path}; check the path")
        if not path.is_dir():
            raise SourceUnreadable(f"{path} is not a folder; give a folder of images")
        names = [child for child in path.iterdir() if child.suffix.lower() in IMAGE_SUFFIXES]
    except OSError as error:
        reason = f"{path} cannot be listed: {error.strerror}; check its permissions"
        raise SourceUnreadable(reason) from error
    images = sorted((child for child in names if not child.name.startswith(".")), key=natural_key)
    if not images:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise SourceUnreadable(f"{path} holds no images ({kinds}); a folder of videos is given file by file")
    return images


def read_image(path: Path) -> ByteArray | None:
    """uint8 (H, W, 3) BGR, upright by its EXIF; ``None`` if the picture cannot be read whole."""
    try:
        # From memory, since OpenCV then refuses a file that was cut off.
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):  # cv2.error: empty, or larger than OpenCV agrees to
        return None
    return None if image is None else np.ascontiguousarray(image, np.uint8)
