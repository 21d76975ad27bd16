"""Receipts of erasures, kept beside the data: they name nobody, and are handed out again."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from audit.erase import Receipt
from gallery.photo_files import write_durably
from pipeline.errors import StorageError

FOLDER = "erasures"
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


class Receipts:
    """Keeps receipts.

    Args:
        data: The data folder.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def keep(self, receipt: Receipt) -> None:
        """Keep one. Raises ``StorageError``."""
        path = self._folder / f"{receipt.subject_id}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, as_json(receipt))
        except OSError as error:
            raise StorageError(f"cannot keep the receipt {path}: {error.strerror}") from error

    def find(self, subject_id: str) -> Receipt | None:
        """The receipt of whoever had that id; ``None`` where none is kept."""
        if not _ID.fullmatch(subject_id):
            return None
        path = self._folder / f"{subject_id}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Receipt)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise StorageError(f"the receipt {path} cannot be read: {error}") from error


def as_json(receipt: Receipt) -> bytes:
    """For programs."""
    return msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"


def as_text(receipt: Receipt) -> str:
    """For people, to be printed."""
    lines = [
        "Receipt of an erasure",
        "",
        f"Id of the person:          {receipt.subject_id}",
        f"Erased at:                 {receipt.erased_at}",
        f"Gallery epoch:             {receipt.gallery_epoch}",
        f"Templates:                 {receipt.templates}",
        f"Photographs:               {receipt.photographs}",
        f"Decisions:                 {receipt.sightings}",
        f"Tracks made unreadable:    {receipt.tracks}",
        f"Footage that still shows:  {len(receipt.footage)} files",
        *(f"  {one.file}{f', captured {one.captured}' if one.captured else ''}" for one in receipt.footage),
        "",
        *(f"Note: {note}" for note in receipt.notes),
    ]
    return "\n".join(lines) + "\n"
