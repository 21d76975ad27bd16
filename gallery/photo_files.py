"""Enrollment photographs on disk, named by their content: ``photos/ab/<sha256>.<extension>``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from gallery.records import PhotoRecord
from pipeline.errors import GalleryCorrupt, StorageError

FOLDER = "photos"


class PhotoFiles:
    """A folder of photographs. A file that is there is whole: it was renamed into place.

    Args:
        root: The folder; made when the first photograph comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, photo: PhotoRecord) -> Path:
        return self.root / photo.sha256[:2] / f"{photo.sha256}.{photo.extension}"

    def put(self, photo: PhotoRecord, data: bytes) -> Path:
        """Keep `data` so that it survives a crash from here on; nothing happens if it is kept already.

        Raises:
            StorageError: disk full or no permission; nothing is left behind.
        """
        target = self.path(photo)
        if target.exists():
            return target
        try:
            make_folder(target.parent)
            write_durably(target, data)
        except OSError as error:
            raise StorageError(f"cannot keep the photograph {target}: {error.strerror}") from error
        return target

    def read(self, photo: PhotoRecord) -> bytes:
        """The bytes that were enrolled.

        Raises:
            GalleryCorrupt: the file is missing, unreadable, or not what was enrolled.
        """
        path = self.path(photo)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise GalleryCorrupt(
                f"the photograph {path} cannot be read: {error.strerror}; it is in your backups"
            ) from error
        if hashlib.sha256(data).hexdigest() != photo.sha256:
            raise GalleryCorrupt(f"the photograph {path} is not what was enrolled; it is in your backups")
        return data

    def delete(self, photo: PhotoRecord) -> None:
        """Delete a photograph; nothing happens if it is gone.

        Raises:
            StorageError: it cannot be deleted.
        """
        path = self.path(photo)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync(path.parent)
        except OSError as error:
            raise StorageError(f"cannot delete the photograph {path}: {error.strerror}") from error

    def sweep(self, keep: Collection[str]) -> int:
        """Delete what a crash left: files whose checksum is not in `keep`. Returns how many.

        Call it only while nobody can enroll, see ``GalleryStore.sweep``.
        """
        orphans = [path for path in self._files() if path.stem not in keep]
        for path in orphans:
            path.unlink(missing_ok=True)
        return len(orphans)

    def _files(self) -> Iterator[Path]:
        return (path for path in self.root.glob("??/*") if path.is_file())


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, each entry durable."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def write_durably(target: Path, data: bytes) -> None:
    """Write all or nothing: a temporary file, forced to the disk, then renamed."""
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(target.parent)


def sync(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
