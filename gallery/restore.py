"""Brings a backup back: everything is verified before anything is replaced."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from gallery.backup import FORMAT, MANIFEST, VERSION, member_name, stored_photos
from gallery.database import DATABASE_NAME, sqlite_error
from gallery.photo import EXTENSIONS
from gallery.photo_files import FOLDER, PhotoFiles, make_folder, sync
from gallery.records import PhotoRecord
from gallery.schema import HEAD
from pipeline.errors import GalleryCorrupt, StorageError, UsageError

_SHA256 = re.compile(r"[0-9a-f]{64}")
KEPT_AS = DATABASE_NAME + ".before-restore"


def restore(backup: Path, folder: Path, *, force: bool = False, wait_s: float = 2.0) -> int:
    """Put the contents of a backup into a data folder. Returns the number of photographs.

    Photographs only ever join those that are there; then the database is replaced by one rename.
    A crash at any instant leaves the old gallery or the new one. A database that was there is kept
    as ``pinwatch.db.before-restore``; a process that has it open is waited for at most `wait_s` seconds.

    Raises:
        UsageError: there is no such backup, or the folder has a gallery and `force` is not set.
        GalleryCorrupt: the file is not a backup, or is damaged; nothing was changed.
        GalleryBusy: a process has the folder's database open.
        StorageError: the folder cannot be written.
    """
    if (folder / DATABASE_NAME).exists() and not force:
        raise UsageError(f"{folder} holds a gallery already: choose another, or replace it with --force")
    if not backup.is_file():
        raise UsageError(f"there is no backup {backup}")
    try:
        make_folder(folder)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder) as name, _opened(backup) as archive:
            fresh = Path(name) / DATABASE_NAME
            manifest = _extract_database(archive, backup, fresh)
            photos = _verified_photos(archive, backup, fresh, manifest["missing_photos"])
            files = PhotoFiles(folder / FOLDER)
            for photo in photos:
                files.put(photo, archive.read(member_name(photo)))
            _replace_database(fresh, folder / DATABASE_NAME, wait_s)
            return len(photos)
    except OSError as error:
        raise StorageError(f"cannot restore into {folder}: {error.strerror or error}") from error


@contextlib.contextmanager
def _opened(backup: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(backup) as archive:
            yield archive
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise GalleryCorrupt(f"{backup} is not a backup of Pinwatch, or is damaged: {error}") from error


def _extract_database(archive: zipfile.ZipFile, backup: Path, fresh: Path) -> dict[str, Any]:
    manifest = _manifest(archive, backup)
    with archive.open(DATABASE_NAME) as source, fresh.open("wb") as target:
        shutil.copyfileobj(source, target)
    with fresh.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != manifest["database_sha256"]:
        raise GalleryCorrupt(f"{backup} is damaged: its database is not the one that was backed up")
    with contextlib.closing(sqlite3.connect(fresh)) as connection:
        try:
            result = connection.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            result = str(error)
    if result != "ok":
        raise GalleryCorrupt(f"{backup} is damaged: {result}")
    return manifest


def _manifest(archive: zipfile.ZipFile, backup: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
    except ValueError as error:
        raise GalleryCorrupt(f"{backup} is damaged: its manifest cannot be read") from error
    if manifest.get("format") != FORMAT:
        raise GalleryCorrupt(f"{backup} is not a backup of Pinwatch")
    if manifest["version"] > VERSION or manifest["schema"] > HEAD:
        raise UsageError(f"{backup} was made by a newer Pinwatch: upgrade this one")
    return manifest


def _verified_photos(
    archive: zipfile.ZipFile, backup: Path, database: Path, missing: Collection[str]
) -> list[PhotoRecord]:
    """The photographs to bring back. Their names come from the database and are checked by content."""
    photos = [photo for photo in stored_photos(database) if photo.sha256 not in set(missing)]
    for photo in photos:
        named_well = _SHA256.fullmatch(photo.sha256) and photo.extension in EXTENSIONS.values()
        if not named_well or hashlib.sha256(archive.read(member_name(photo))).hexdigest() != photo.sha256:
            raise GalleryCorrupt(
                f"{backup} is damaged: the photograph {photo.sha256} is not what was enrolled"
            )
    return photos


def _replace_database(fresh: Path, target: Path, wait_s: float) -> None:
    if target.exists():
        _let_go(target, wait_s)
        shutil.copyfile(target, target.with_name(KEPT_AS))
    fresh.replace(target)
    sync(target.parent)


def _let_go(target: Path, wait_s: float) -> None:
    """Fold the old database's log into it: SQLite would replay a log that is left onto the new one."""
    try:
        with contextlib.closing(sqlite3.connect(target, timeout=wait_s)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchall()
    except sqlite3.Error as error:
        ours = sqlite_error(error, target)
        if not isinstance(ours, GalleryCorrupt):
            raise (ours or error) from error
    for suffix in ("-wal", "-shm"):  # only a damaged database still has them here
        target.with_name(target.name + suffix).unlink(missing_ok=True)
