"""Verifies a data folder, or an export of one: the ledger, and what it tells of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from audit.crops import FOLDER as CROPS
from audit.crops import SUFFIX, crop_path, read_sealed
from audit.ledger.checkpoints import ExportedCheckpoint
from audit.ledger.entries import Entry, Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import Frame
from audit.ledger.signing import Verifier
from audit.ledger.verify import Problem, Report, verify
from audit.recording.layout import FOLDER as RECORDINGS
from audit.segments import ToldSegments


def verify_folder(
    data: Path,
    folder: LedgerFolder,
    verifier: Verifier,
    kept: ExportedCheckpoint | None = None,
    on_record: Callable[[], None] = lambda: None,
    *,
    footage: bool = True,
) -> Report:
    """Whether everything is what was written. Needs no key but the public one.

    Crops and footage that are gone are a problem unless the ledger tells that they were erased or deleted.

    Args:
        data: The data folder, or an export of it.
        folder: Its ledger.
        verifier: Of the ledger's public key.
        kept: A checkpoint that was kept elsewhere.
        on_record: Called for every record, to show how far it is.
        footage: Read all footage as well, which takes as long as reading it takes.

    Raises:
        LedgerCorrupt: there is no ledger.
    """
    told, strange = _Told(), list[Problem]()

    def watch(writer: str, frame: Frame, entry: Entry) -> None:
        try:
            told.take(writer, frame, entry)
        except (KeyError, TypeError, ValueError):
            strange.append(Problem(writer, frame.number, "tells of crops as this program never did"))
        on_record()

    report = verify(folder, verifier, kept, watch)
    report.problems.extend(strange)
    for path, crops in sorted(told.crops.items()):
        if path not in told.erased:
            report.problems.extend(_check(data / CROPS / path, path, crops))
    if footage:
        told.segments.check(data / RECORDINGS, report)
    return report


class _Told:
    """What the ledger says of crops and footage: digests by file, each with where it says so."""

    def __init__(self) -> None:
        self.crops: dict[Path, dict[bytes, tuple[str, int]]] = {}
        self.erased: set[Path] = set()
        self.segments = ToldSegments()

    def take(self, writer: str, frame: Frame, entry: Entry) -> None:
        if entry.kind == Kind.CROPS:
            path = crop_path(entry.fields["scope"])
            known = self.crops.setdefault(path, {})
            known |= {digest: (writer, frame.number) for _, digest in entry.fields["digests"]}
        elif entry.kind == Kind.SEGMENT:
            self.segments.take(writer, frame, entry)
        elif entry.kind == Kind.ERASURE:
            self.erased |= {crop_path(scope) for scope in entry.fields["scopes"]}


def _check(file: Path, path: Path, crops: dict[bytes, tuple[str, int]]) -> list[Problem]:
    """The first record whose crop is not there as it was written."""
    try:
        data = file.read_bytes()
    except OSError:
        data = b""
    there = {hashlib.sha256(sealed).digest() for _, sealed in read_sealed(data)}
    missing = [place for digest, place in crops.items() if digest not in there]
    if not missing:
        return []
    writer, number = min(missing)
    name = path.with_suffix("") if path.suffix == SUFFIX else path
    what = "is gone" if not data else "is not what was written"
    return [Problem(writer, number, f"{len(missing)} of {len(crops)} crops it tells of in {name}: {what}")]
