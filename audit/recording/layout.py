"""Where footage lies: ``recordings/<camera>/<epoch>/<first pts_ns, 20 digits>.mp4`` (or ``.mkv``), and beside
each its ``.index`` and, when it is closed, its ``.json``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "recordings"
MEDIA_SUFFIXES = ("mp4", "mkv")

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_LONGEST = 150
_NAME = re.compile(r"\d{20}")


def quoted(camera_id: str) -> str:
    """A folder name for any camera id; two ids never share one, and none leads out of its folder.

    Lower-case letters, digits, ``_`` and ``-`` stay; every other byte becomes ``%XX``, capitals too, since
    some file systems do not tell them apart. Of what gets too long for a file system the rest is a checksum
    after ``%%``. An empty id is ``%``.
    """
    raw = camera_id.encode("utf-8", "surrogatepass")
    text = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)
    if len(text) <= _LONGEST:
        return text or "%"
    return f"{text[: _LONGEST - 66]}%%{hashlib.sha256(raw).hexdigest()}"


def epoch_folder(root: Path, camera_id: str, stream_epoch: int) -> Path:
    """The folder of one camera's epoch below ``recordings``."""
    if stream_epoch < 0:
        raise ValueError(f"a stream epoch must not be negative, got {stream_epoch}")
    return root / quoted(camera_id) / str(stream_epoch)


@dataclass(frozen=True, slots=True)
class SegmentPaths:
    """The three files of one segment.

    Attributes:
        media: The footage. Its name without the suffix is the `pts_ns` of its first frame.
    """

    media: Path

    @classmethod
    def of(cls, folder: Path, first_pts_ns: int, suffix: str) -> SegmentPaths:
        return cls(folder / f"{first_pts_ns:020d}.{suffix}")

    @property
    def index(self) -> Path:
        return self.media.with_suffix(".index")

    @property
    def record(self) -> Path:
        return self.media.with_suffix(".json")

    @property
    def first_pts_ns(self) -> int:
        return int(self.media.stem)

    def any_exists(self) -> bool:
        """Whether footage is kept under this name, whatever its container."""
        media = (self.media.with_suffix(f".{suffix}") for suffix in MEDIA_SUFFIXES)
        return any(path.exists() for path in (self.index, self.record, *media))


def records_in(folder: Path) -> list[Path]:
    """The JSON files of the closed segments in the folder of an epoch, in the order of time."""
    return sorted(path for path in folder.glob("*.json") if _NAME.fullmatch(path.stem))


def indexes_in(folder: Path) -> list[Path]:
    """The index files, of open segments too, in the order of time."""
    return sorted(path for path in folder.glob("*.index") if _NAME.fullmatch(path.stem))


def epoch_folders(root: Path, camera_id: str | None = None) -> Iterator[Path]:
    """The folders of all epochs, or of those of one camera: by camera, then by epoch."""
    cameras = sorted(root.iterdir()) if root.is_dir() else []
    if camera_id is not None:
        cameras = [root / quoted(camera_id)]
    for camera in cameras:
        if camera.is_dir():
            epochs = [path for path in camera.iterdir() if path.name.isdecimal() and path.is_dir()]
            yield from sorted(epochs, key=lambda path: int(path.name))
