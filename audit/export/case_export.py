"""Puts a case into one file: decisions opened, their crops and footage, the whole ledger, and a verifier.

::

    case.zip
      README.txt  verify.py          how to verify it, without Pinwatch manifest.json  manifest.sig    every
      file's SHA-256, signed with the ledger's key ledger/                        all chains and
      checkpoints, sealed as they are; no private key decisions/<id>/                page, JSON, content and
      crops; the key of this one track is in the manifest footage/                       the segments that
      show the tracks, as they were recorded
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from audit.case import Case, open_case
from audit.crops import CropStore
from audit.decisions import DecisionRecord
from audit.ledger.folder import LedgerFolder
from audit.ledger.keys import KeyRing
from audit.ledger.sealing import unseal
from audit.ledger.signing import Signer
from audit.page import page
from audit.recording.closed import ClosedSegment
from audit.recording.library import Recordings
from pipeline.errors import StorageError, UsageError
from pipeline.seams import Clock

_NS = 1_000_000_000
_ZIP_BEGINS = (1980, 1, 1, 0, 0, 0)
_README = """Case {case}, exported from Pinwatch on {made_at}.

decisions/   what was decided, a folder each; open the .html in a browser
footage/     the recordings that show it
ledger/      the record that proves it; what belongs to other people in it is sealed

To verify it: unpack, install Python and `pip install cryptography`, then
    python verify.py --public-key KEPT.pem --checkpoint KEPT.json
with the key and the checkpoint that were kept elsewhere, or without them to check that the case agrees with
itself.
"""


@dataclass(frozen=True, slots=True)
class ExportedCase:
    """What is in the file: how many decisions, crops, segments of footage, and bytes."""

    decisions: int
    crops: int
    segments: int
    size_bytes: int


class CaseExporter:
    """Exports cases.

    Args:
        folder: The ledger.
        keys: Open what is sealed.
        crops: The kept crops.
        recordings: Footage.
        names: Of subjects, for the pages.
        clock: Time.
    """

    def __init__(
        self,
        folder: LedgerFolder,
        keys: KeyRing,
        crops: CropStore,
        recordings: Recordings,
        *,
        names: Callable[[Collection[str]], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        self._folder, self._keys, self._crops, self._recordings = folder, keys, crops, recordings
        self._names, self._clock = names, clock

    def export(self, case: str, decisions: Sequence[str], target: Path, *, footage: bool) -> ExportedCase:
        """Write a case; the file appears whole or not at all, and only its owner may read it.

        Args:
            case: Its name.
            decisions: Ids of decisions, or how they begin.
            target: The file.
            footage: Whether footage is taken along.

        Raises:
            UsageError: there is no such decision, or it was erased.
            StorageError: the file cannot be written.
        """
        opened = [open_case(self._folder, self._keys, self._crops, decision) for decision in decisions]
        erased = [each.entry.decision_id for each in opened if each.content is None]
        if erased:
            raise UsageError(f"erased since, and not to be exported: {', '.join(erased)}")
        segments = self._segments(opened) if footage else []
        part = target.with_name(f".{target.name}.part")
        try:
            part.touch(mode=0o600)
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                self._write(_Archive(archive), case, opened, segments)
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StorageError(f"cannot write the case {target}: {error.strerror}") from error
        crops = sum(len(each.crops) for each in opened)
        return ExportedCase(len(opened), crops, len(segments), target.stat().st_size)

    def _write(
        self, archive: _Archive, case: str, opened: Sequence[Case], segments: Sequence[ClosedSegment]
    ) -> None:
        made_at = dt.datetime.fromtimestamp(self._clock.now_ns() / _NS, dt.UTC).isoformat(timespec="seconds")
        archive.text("README.txt", _README.format(case=case, made_at=made_at))
        archive.text(
            "verify.py", resources.files("audit.export").joinpath("verify_case.py").read_text("utf-8")
        )
        for path in self._ledger_files():
            archive.file(f"ledger/{path.relative_to(self._folder.root)}", path)
        told = [self._decision(archive, each) for each in opened]
        footage = [self._segment(archive, segment) for segment in segments]
        manifest = {
            "case": case,
            "made_at": made_at,
            "ledger_id": self._folder.identity(),
            "decisions": told,
            "footage": footage,
            "files": dict(archive.digests),
        }
        text = json.dumps(manifest, indent=1, sort_keys=True).encode()
        archive.bytes("manifest.json", text)
        archive.bytes("manifest.sig", Signer.of(self._folder).sign(text))

    def _ledger_files(self) -> list[Path]:
        chains = [self._folder.chain(writer) for writer in self._folder.writers()]
        return [self._folder.about, self._folder.public_key, self._folder.checkpoints, *chains]

    def _decision(self, archive: _Archive, case: Case) -> dict[str, Any]:
        entry, folder = case.entry, f"decisions/{case.entry.decision_id}"
        secret = self._keys.find(entry.scope)
        if secret is None or case.content is None:
            raise UsageError(f"{entry.decision_id} was erased a moment ago")
        names = self._names([subject_id for subject_id, _ in case.content.neighbours])
        archive.text(f"{folder}/decision.html", page(case, names))
        archive.text(f"{folder}/decision.json", json.dumps(case.as_json(), indent=1, default=str))
        archive.bytes(f"{folder}/content.msgpack", unseal(secret, entry.sealed, entry.decision_id))
        sealed = dict(self._crops.sealed(entry.scope))
        for crop in case.crops:
            content = unseal(secret, sealed[crop.sequence], f"{entry.scope}#{crop.sequence}")
            archive.bytes(f"{folder}/crop-{crop.sequence}.sealed", sealed[crop.sequence])
            archive.bytes(f"{folder}/crop-{crop.sequence}.png", msgspec.msgpack.decode(content)["png"])
        return {
            "decision_id": entry.decision_id,
            "chain": case.record.chain,
            "record": case.record.number,
            "folder": folder,
            "key": secret.hex(),
            "crops": [crop.sequence for crop in case.crops],
        }

    def _segment(self, archive: _Archive, segment: ClosedSegment) -> str:
        name = str(segment.path.relative_to(self._recordings.root))
        archive.file(f"footage/{name}", segment.path)
        return name

    def _segments(self, opened: Sequence[Case]) -> list[ClosedSegment]:
        found = {
            segment.path: segment for case in opened if case.content for segment in self._of(case.content)
        }
        return [found[path] for path in sorted(found)]

    def _of(self, content: DecisionRecord) -> Iterator[ClosedSegment]:
        made = content.sighting
        yield from self._recordings.between(
            made.camera_id, made.stream_epoch, int(made.first_seen_s * _NS), int(made.last_seen_s * _NS)
        )


class _Archive:
    """A zip, and the digest of everything that was put into it."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.digests: dict[str, str] = {}

    def bytes(self, name: str, data: bytes) -> None:
        self._archive.writestr(zipfile.ZipInfo(name, _ZIP_BEGINS), data)
        self.digests[name] = hashlib.sha256(data).hexdigest()

    def text(self, name: str, text: str) -> None:
        self.bytes(name, text.encode())

    def file(self, name: str, path: Path) -> None:
        """A chain that is being written to is taken as it is now."""
        digest = hashlib.sha256()
        with path.open("rb") as source, self._archive.open(zipfile.ZipInfo(name, _ZIP_BEGINS), "w") as member:
            while block := source.read(1 << 20):
                digest.update(block)
                member.write(block)
        self.digests[name] = digest.hexdigest()
