"""Segments of footage in the ledger: closed, deleted, and whether the rest is what it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.ledger.entries import Entry
from audit.ledger.frames import Frame
from audit.ledger.report import Problem, Report
from audit.recording.closed import ClosedSegment
from audit.recording.layout import SegmentPaths, epoch_folders, records_in
from audit.recording.media import sha256_of


def told_of(segment: ClosedSegment, root: Path) -> dict[str, Any]:
    """What a record says of a segment.

    Args:
        segment: That was closed.
        root: ``<data>/recordings``.
    """
    fields = {field.name: getattr(segment, field.name) for field in dataclasses.fields(segment)}
    del fields["path"]
    return {**fields, "file": str(segment.path.relative_to(root))}


class ToldSegments:
    """What the ledger says of footage, gathered while it is read."""

    def __init__(self) -> None:
        self._closed: dict[str, tuple[str, int, Mapping[str, Any]]] = {}
        self._deleted: set[str] = set()

    def take(self, chain: str, frame: Frame, entry: Entry) -> None:
        """A record of the kind ``segment``."""
        fields = entry.fields
        file = str(fields["file"])
        if fields["what"] == "deleted":
            self._deleted.add(file)
        else:  # closed anew after it was deleted: another file of that name
            self._deleted.discard(file)
            self._closed[file] = (chain, frame.number, fields)

    def check(self, root: Path, report: Report) -> None:
        """Compare the files with what was told.

        Args:
            root: ``<data>/recordings``.
            report: Takes the problems, and notes of footage that no record tells of.
        """
        for file, (chain, number, fields) in sorted(self._closed.items()):
            if file in self._deleted:
                continue
            paths = SegmentPaths(root / file)
            for path, digest in (
                (paths.media, str(fields["media_sha256"])),
                (paths.index, str(fields["index_sha256"])),
            ):
                wrong = _wrong(path, digest)
                if wrong:
                    report.problems.append(
                        Problem(chain, number, f"footage {path.relative_to(root)} {wrong}")
                    )
        for name in self._untold(root):
            report.notes.append(f"no record tells of the footage {name}")

    def _untold(self, root: Path) -> list[str]:
        told = {str(Path(file).with_suffix("")) for file in self._closed}
        there = [record for folder in epoch_folders(root, None) for record in records_in(folder)]
        names = (str(record.relative_to(root).with_suffix("")) for record in there)
        return sorted(name for name in names if name not in told)


def _wrong(path: Path, digest: str) -> str | None:
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if found == digest else "is not what was recorded"
