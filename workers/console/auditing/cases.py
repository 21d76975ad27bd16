"""Cases for somebody outside: decisions with their proof, in one file that is never left lying about."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audit.export.case_export import CaseExporter
from gallery.names import clean_name
from pipeline.errors import StorageError, UsageError
from pipeline.seams import Clock
from workers.console.auditing.evidence import Evidence

MAX_DECISIONS = 50
_BLOCK_BYTES = 1 << 18
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case, ready to be sent: its file has no name any more, and is gone when it was read.

    Attributes:
        name: What the file is to be called.
        size_bytes: Of the file.
        file: Its content.
    """

    name: str
    size_bytes: int
    file: BinaryIO

    def blocks(self) -> Iterator[bytes]:
        """The content, once."""
        with self.file:
            while block := self.file.read(_BLOCK_BYTES):
                yield block


class Cases:
    """Makes them.

    Args:
        data: The data folder, where there is room.
        evidence: What they are made of.
        names: Of subjects.
        clock: Time.
    """

    def __init__(
        self,
        data: Path,
        evidence: Evidence,
        names: Callable[[Collection[str]], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        self._data, self._evidence, self._names, self._clock = data, evidence, names, clock

    def make(self, case: str, decisions: Sequence[str], *, footage: bool) -> CaseFile:
        """One case.

        Raises:
            UsageError: it has no name, none or too many decisions, or one that was erased.
            StorageError: there is no room for it.
        """
        name = clean_name(case, "case")
        if not 0 < len(decisions) <= MAX_DECISIONS:
            raise UsageError(f"choose 1 to {MAX_DECISIONS} decisions for a case: {len(decisions)} are chosen")
        evidence = self._evidence
        if evidence.ledger is not None:
            evidence.ledger.checkpoint()
        exporter = CaseExporter(
            evidence.folder,
            evidence.keys(),
            evidence.crops(),
            evidence.recordings,
            names=self._names,
            clock=self._clock,
        )
        try:
            with tempfile.TemporaryDirectory(prefix=".case-", dir=self._data) as folder:
                target = Path(folder) / "case.zip"
                done = exporter.export(name, decisions, target, footage=footage)
                file = target.open("rb")  # stays readable when the folder is gone
        except OSError as error:
            raise StorageError(f"cannot write the case: {error.strerror}") from error
        return CaseFile(f"{_UNUSUAL.sub('_', name).strip('._') or 'case'}.zip", done.size_bytes, file)
