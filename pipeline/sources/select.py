"""What a user means by a source: file, folder, address, camera number or the name of a saved camera."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceNotFound
from pipeline.redact import SCHEMES, Address, redact

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_INDEX = re.compile(r"\d{1,3}")
_RECORDED = re.compile(r"recorded:(?P<camera>.+?)(?::(?P<epoch>\d{1,18}))?")


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A video file."""

    path: Path


@dataclass(frozen=True, slots=True)
class FolderSpec:
    """A folder of images."""

    path: Path


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A network camera that was given by its address."""

    address: Address


@dataclass(frozen=True, slots=True)
class UsbSpec:
    """A camera of this machine, by number from 0."""

    index: int


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera whose settings are saved under a name."""

    name: str


@dataclass(frozen=True, slots=True)
class RecordedSpec:
    """Footage that was kept of a camera: of one of its epochs, or of the only one."""

    camera_id: str
    stream_epoch: int | None = None


SourceSpec = FileSpec | FolderSpec | StreamSpec | UsbSpec | CameraSpec | RecordedSpec


def parse_source(text: str, cameras: Collection[str] = ()) -> SourceSpec:
    """Tell what `text` means.

    A saved camera comes before a number and that before a file of the same name; ``./0`` is always a file.

    Args:
        text: What the user wrote.
        cameras: Names of the saved cameras.

    Raises:
        SourceNotFound: nothing of that name is there.
        UsageError: it looks like an address but is none.
    """
    if text in cameras:
        return CameraSpec(text)
    recorded = _RECORDED.fullmatch(text)
    if recorded:
        epoch = recorded["epoch"]
        return RecordedSpec(recorded["camera"], None if epoch is None else int(epoch))
    if _SCHEME.match(text):
        return StreamSpec(Address.parse(text))
    if _INDEX.fullmatch(text):
        return UsbSpec(int(text))
    path = Path(text).expanduser()
    if not text or not _exists(path):
        raise SourceNotFound(_nothing(text, cameras))
    return FolderSpec(path) if path.is_dir() else FileSpec(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        return False


def _nothing(text: str, cameras: Collection[str]) -> str:
    saved = ", ".join(sorted(cameras)) or "none"
    schemes = ", ".join(sorted(f"{scheme}://" for scheme in SCHEMES))
    return (
        f"there is no file, folder or camera {redact(text)!r}; give a video file, a folder of images, "
        f"an address ({schemes}), a camera number, a saved camera ({saved}), or recorded:CAMERA"
    )


def camera_id_of(spec: SourceSpec) -> str:
    """A name for the frames of `spec`: without credentials, the same every time, usable as a file name."""
    match spec:
        case FileSpec(path):
            return path.stem
        case FolderSpec(path):
            return path.resolve().name or "root"
        case StreamSpec(address):
            return _slug(str(address))
        case UsbSpec(index):
            return f"usb{index}"
        case CameraSpec(name):
            return name
        case RecordedSpec(camera_id):
            return camera_id


def _slug(shown: str) -> str:
    where = shown.partition("://")[2].rpartition("@")[2]
    return re.sub(r"[^\w.\-]+", "-", where.replace("***", "")).strip("-")
