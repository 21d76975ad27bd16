"""Whether footage is still what was recorded."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.recording.closed import ClosedSegment, read_record
from audit.recording.layout import epoch_folders, records_in
from audit.recording.library import Recordings
from audit.recording.media import sha256_of
from pipeline.errors import StorageError


class ProblemKind(enum.StrEnum):
    """What is wrong with a segment."""

    MISSING = "missing"
    CHANGED = "changed"
    INDEX_MISSING = "index_missing"
    INDEX_CHANGED = "index_changed"
    RECORD_UNREADABLE = "record_unreadable"
    RECORD_CHANGED = "record_changed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Problem:
    """A segment that is not what it was.

    Attributes:
        path: The file at fault.
        kind: What is wrong.
        text: The same for people, with the way out.
    """

    path: Path
    kind: ProblemKind
    text: str


def verify_segment(segment: ClosedSegment) -> Problem | None:
    """Compare the three files of a segment with what was known of it when it was closed.

    Args:
        segment: As a ledger or the library has it. A ledger's is the stronger proof: whoever changes footage
            can change the JSON beside it as well.

    Returns:
        The first problem that is found, ``None`` if there is none.
    """
    paths = segment.paths
    return (
        _verify_record(segment)
        or _verify_file(
            paths.media, segment.media_sha256, ProblemKind.MISSING, ProblemKind.CHANGED, "the footage"
        )
        or _verify_file(
            paths.index,
            segment.index_sha256,
            ProblemKind.INDEX_MISSING,
            ProblemKind.INDEX_CHANGED,
            "the index",
        )
    )


def verify_all(
    recordings: Recordings, camera: str | None = None, *, seen: Callable[[Path], None] = lambda path: None
) -> Iterator[Problem]:
    """Verify every closed segment by its own JSON, and yield the problems.

    Args:
        recordings: Where.
        camera: Only of this camera.
        seen: Told of every segment before it is verified, by the path of its JSON.
    """
    for folder in epoch_folders(recordings.root, camera):
        for path in records_in(folder):
            seen(path)
            problem = _verify_at(path)
            if problem is not None:
                yield problem


def _verify_at(path: Path) -> Problem | None:
    try:
        return verify_segment(read_record(path))
    except StorageError as error:
        return Problem(path, ProblemKind.RECORD_UNREADABLE, str(error))


def _verify_record(segment: ClosedSegment) -> Problem | None:
    path = segment.paths.record
    try:
        now = read_record(path)
    except StorageError as error:
        return Problem(path, ProblemKind.RECORD_UNREADABLE, str(error))
    if now != segment:
        text = f"{path} does not say any more what was known of this footage: bring back a backup"
        return Problem(path, ProblemKind.RECORD_CHANGED, text)
    return None


def _verify_file(
    path: Path, sha256: str, missing: ProblemKind, changed: ProblemKind, what: str
) -> Problem | None:
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        return Problem(path, missing, f"{what} {path} is missing: bring back a backup")
    except OSError as error:
        text = f"{what} {path} cannot be read: {error.strerror}; check its permissions and the disk"
        return Problem(path, ProblemKind.UNREADABLE, text)
    if found != sha256:
        return Problem(path, changed, f"{what} {path} is not what was recorded: bring back a backup")
    return None
