"""Verifying the ledger beside everything else, and remembering what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from audit.ledger.folder import LedgerFolder, write_whole
from audit.ledger.report import Problem
from audit.ledger.signing import Verifier
from audit.verification import verify_folder
from gallery.times import utc_text_from_ns
from pipeline.errors import PinwatchError, UsageError

log = structlog.get_logger(__name__)

FILE = "verification.json"
MAX_TOLD = 100


@dataclass(frozen=True, slots=True)
class Told:
    """What a verification found; of many problems and notes the first hundred.

    Attributes:
        holds: Whether everything is as it was written.
        chains, records, checkpoints: How many were read.
        problems: What is not, in words.
        notes: What is no fault and should be known.
    """

    holds: bool
    chains: int
    records: int
    checkpoints: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification that came to its end.

    Attributes:
        began_at: ISO 8601 UTC.
        ended_at: Likewise.
        by: Who wanted it.
        footage: Whether footage was read too.
        report: What it found; ``None`` where it could not be done.
        error: Why not.
    """

    began_at: str
    ended_at: str
    by: str
    footage: bool
    report: Told | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A verification that goes on: who wants it, since when, and how many records were read."""

    began_at: str
    by: str
    records: int


class Verifications:
    """One at a time, in a thread of its own.

    Args:
        data: The data folder; the last result is kept in it.
        folder: Its ledger.
        now_ns: Wall-clock time.
    """

    def __init__(self, data: Path, folder: LedgerFolder, now_ns: Callable[[], int]) -> None:
        self._data, self._folder, self._now_ns = data, folder, now_ns
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._records = 0
        self._thread: threading.Thread | None = None

    def start(self, by: str, *, footage: bool) -> None:
        """Begin one.

        Raises:
            UsageError: one goes on already, or there is no ledger.
        """
        if not self._folder.exists():
            raise UsageError("there is no ledger to verify: nothing was recorded yet")
        with self._lock:
            if self._running is not None:
                raise UsageError("the ledger is being verified already: wait for the result")
            self._records = 0
            self._running = Running(utc_text_from_ns(self._now_ns()), by, 0)
            arguments = (self._running, footage)
            self._thread = threading.Thread(target=self._run, args=arguments, name="verify", daemon=True)
            self._thread.start()

    def running(self) -> Running | None:
        """The one that goes on."""
        running = self._running
        return None if running is None else Running(running.began_at, running.by, self._records)

    def last(self) -> Verification | None:
        """The last one that came to its end, also of an earlier process."""
        try:
            return msgspec.json.decode((self._data / FILE).read_bytes(), type=Verification)
        except (OSError, msgspec.MsgspecError):
            return None

    def wait(self, timeout_s: float) -> None:
        """Until the one that goes on has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, begun: Running, footage: bool) -> None:
        report, error = None, ""
        try:
            report = self._verify(footage)
        except (PinwatchError, OSError) as failure:
            error = str(failure)
        ended_at = utc_text_from_ns(self._now_ns())
        done = Verification(begun.began_at, ended_at, begun.by, footage, report, error)
        try:
            write_whole(self._data / FILE, msgspec.json.format(msgspec.json.encode(done), indent=1) + b"\n")
        except OSError as failure:
            log.error("the result of verifying cannot be kept", error=str(failure))
        finally:
            self._running = None

    def _verify(self, footage: bool) -> Told:
        verifier = Verifier.read(self._folder.public_key)
        found = verify_folder(self._data, self._folder, verifier, None, self._count, footage=footage)
        return Told(
            found.holds,
            found.chains,
            found.records,
            found.checkpoints,
            _first(found.problems),
            tuple(found.notes[:MAX_TOLD]),
        )

    def _count(self) -> None:
        self._records += 1


def _first(problems: list[Problem]) -> tuple[str, ...]:
    more = len(problems) - MAX_TOLD
    told = tuple(str(problem) for problem in problems[:MAX_TOLD])
    return told if more <= 0 else (*told, f"and {more} more: run `pinwatch audit verify --json`")
