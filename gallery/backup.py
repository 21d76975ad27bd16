"""The whole data base and all kept photographs in one file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gallery.database import DATABASE_NAME, Database, sqlite_error
from gallery.photo_files import FOLDER, PhotoFiles
from gallery.records import PhotoRecord
from gallery.schema import HEAD
from pipeline.errors import GalleryCorrupt, StorageError, UsageError

MANIFEST = "manifest.json"
FORMAT = "pinwatch-backup"
VERSION = 1


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What is in a backup; `missing` names photographs that were gone or damaged already."""

    photos: int
    missing: tuple[str, ...]
    size_bytes: int


def backup(database: Database, target: Path) -> BackupReport:
    """Write everything, as of one instant, while others may go on writing.

    The database is copied by SQLite itself. Photographs are on disk before a row refers to them
    and are never changed, so those that the copy refers to are there. The file appears whole or not
    at all, and only its owner may read it: it holds faces and the addresses of cameras.

    Raises:
        StorageError: the file cannot be written.
        UsageError: the database is no file.
    """
    if database.shared:
        raise UsageError(
            "the gallery is in PostgreSQL: back it up with pg_dump, and the folder "
            f"{database.folder / FOLDER} with it"
        )
    photos = PhotoFiles(database.folder / FOLDER)
    try:
        with _temporary_beside(target) as (folder, partial):
            copy = folder / DATABASE_NAME
            copy_database(database.folder / DATABASE_NAME, copy)
            missing = _write(partial, copy, photos)
            partial.replace(target)
        return BackupReport(len(photos_in(target)), missing, target.stat().st_size)
    except OSError as error:
        raise StorageError(f"cannot write the backup {target}: {error.strerror}") from error


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy in a single file, made while others write.

    Raises:
        StorageError: it cannot be written; GalleryCorrupt: it cannot be read.
    """
    with (
        contextlib.closing(sqlite3.connect(source)) as ours,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        try:
            ours.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise (sqlite_error(error, target) or error) from error


def stored_photos(database: Path) -> list[PhotoRecord]:
    """The photographs that a copy of the database refers to."""
    fields = "sha256, extension, original_name, width_px, height_px, size_bytes"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"SELECT {fields} FROM photos ORDER BY sha256")  # noqa: S608
        return [PhotoRecord(*row) for row in rows]


def member_name(photo: PhotoRecord) -> str:
    """Where a photograph is inside the backup."""
    return f"{FOLDER}/{photo.sha256[:2]}/{photo.sha256}.{photo.extension}"


def photos_in(target: Path) -> Sequence[str]:
    with zipfile.ZipFile(target) as archive:
        return [name for name in archive.namelist() if name.startswith(f"{FOLDER}/")]


def _write(partial: Path, copy: Path, photos: PhotoFiles) -> tuple[str, ...]:
    missing: list[str] = []
    with partial.open("wb") as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        archive.write(copy, DATABASE_NAME, zipfile.ZIP_DEFLATED)
        for photo in stored_photos(copy):
            try:
                archive.writestr(member_name(photo), photos.read(photo))  # not compressed: photographs are
            except GalleryCorrupt:
                missing.append(photo.sha256)
        archive.writestr(MANIFEST, _manifest(copy, missing))
        archive.close()
        file.flush()
        os.fsync(file.fileno())
    return tuple(missing)


def _manifest(copy: Path, missing: Sequence[str]) -> str:
    content = {
        "format": FORMAT,
        "version": VERSION,
        "schema": HEAD,
        "database_sha256": hashlib.sha256(copy.read_bytes()).hexdigest(),
        "missing_photos": list(missing),
    }
    return json.dumps(content, indent=1)


@contextlib.contextmanager
def _temporary_beside(target: Path) -> Iterator[tuple[Path, Path]]:
    """A private folder beside the target, and the file in it that will become the target."""
    with tempfile.TemporaryDirectory(prefix=".pinwatch-backup-", dir=target.parent) as name:
        partial = Path(name) / "partial.zip"
        partial.touch(mode=0o600)
        yield Path(name), partial
