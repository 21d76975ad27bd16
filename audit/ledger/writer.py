"""Adds to the ledger: a chain of its own for every process."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any

import structlog

from audit.ledger.chain import ChainFile
from audit.ledger.checkpoints import add_checkpoint
from audit.ledger.ending import end_dead_chains
from audit.ledger.entries import Entry, Kind, encode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.signing import Signer
from pipeline.errors import PinwatchError, StorageError
from pipeline.seams import Clock

log = structlog.get_logger(__name__)

CHECKPOINT_S = 30.0
FIRST_CHECKPOINT_S = 1.0
"""The first one is signed sooner: until then nothing shows if a whole chain is removed."""
MAX_CHAIN_RECORDS = 1_000_000
"""So that no file grows without end."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class Ledger:
    """Safe from any thread. What :meth:`append` returned from is durable, and covered by a checkpoint
    half a minute later (the first records after a second), or when the process ends.

    The chain is made with the first record: whoever only reads leaves no trace.

    Args:
        folder: Of the ledger; made if it is not there.
        name: Of what this process does, such as ``watch``.
        clock: Time.
        checkpoint_s: How often to sign how far the chain goes.
        max_records: Of a chain; then the process goes on in another one.

    Raises:
        StorageError: the ledger cannot be written; LedgerCorrupt: its key cannot be read.
    """

    def __init__(
        self,
        folder: LedgerFolder,
        name: str,
        clock: Clock,
        checkpoint_s: float = CHECKPOINT_S,
        max_records: int = MAX_CHAIN_RECORDS,
    ) -> None:
        folder.create()
        self.folder = folder
        self._name, self._clock = name, clock
        self._checkpoint_s, self._max_records = checkpoint_s, max_records
        self._signer = Signer.of(folder)
        self._lock = threading.Lock()
        self._chain: ChainFile | None = None
        self._writer = ""
        self._unsigned = False
        self._ending = threading.Event()
        self._signing: threading.Thread | None = None

    def append(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        """Add one record."""
        self.extend([(kind, fields)])

    def extend(self, records: Sequence[tuple[Kind, Mapping[str, Any]]]) -> None:
        """Add records, durable together.

        Raises:
            StorageError: they cannot be written, or the ledger was closed; none of them was.
        """
        if not records:
            return
        now_ns = self._clock.now_ns()
        bodies = [encode_entry(Entry(kind, now_ns, dict(fields))) for kind, fields in records]
        with self._lock:
            if self._ending.is_set():
                raise StorageError("the ledger is closed: this process is ending, and records nothing more")
            self._open_chain().append(bodies)
            self._unsigned = True

    def checkpoint(self) -> None:
        """Sign how far the chain goes, if anything was added since the last time."""
        with self._lock:
            self._sign()

    def close(self) -> None:
        """End the chain and sign it; safe twice."""
        self._ending.set()
        if self._signing is not None:
            self._signing.join()
        with self._lock:
            self._end_chain()

    def _open_chain(self) -> ChainFile:
        if self._chain is not None and self._chain.head.count >= self._max_records:
            self._end_chain()
        if self._chain is None:
            self._writer = _writer_name(self._name, self._clock.now_ns())
            self._chain = self._begin_chain()
        if self._signing is None:
            self._signing = threading.Thread(target=self._sign_regularly, name="ledger", daemon=True)
            self._signing.start()
        return self._chain

    def _begin_chain(self) -> ChainFile:
        try:
            self.folder.note_begun(self._writer)
        except OSError as error:
            raise StorageError(f"cannot write the ledger in {self.folder.root}: {error.strerror}") from error
        return ChainFile.begin(self.folder.chain(self._writer), self._writer)

    def _end_chain(self) -> None:
        """A chain ends once: if that fails it is left as a dead process leaves it."""
        chain, self._chain, self._unsigned = self._chain, None, False
        if chain is None:
            return
        with closing(chain):
            now_ns = self._clock.now_ns()
            chain.append([encode_entry(Entry(Kind.CLOSED, now_ns, {}))])
            add_checkpoint(self.folder, self._signer, {self._writer: chain.head}, now_ns)
        self.folder.forget_begun(self._writer)

    def _sign(self) -> None:
        if self._chain is None or not self._unsigned:
            return
        now_ns = self._clock.now_ns()
        number = add_checkpoint(self.folder, self._signer, {self._writer: self._chain.head}, now_ns)
        self._chain.append([encode_entry(Entry(Kind.CHECKPOINT, now_ns, {"number": number}))])
        self._unsigned = False

    def _sign_regularly(self) -> None:
        wait_s, first = min(FIRST_CHECKPOINT_S, self._checkpoint_s), True
        while not self._ending.wait(wait_s):
            try:
                self.checkpoint()
                if first:
                    self._end_dead_chains()
            except PinwatchError as error:
                log.error("no checkpoint signed; trying again", error=str(error))
            else:
                first = False
            wait_s = self._checkpoint_s

    def _end_dead_chains(self) -> None:
        """Not by processes of a second or less: it may take some when a long chain is read."""
        for writer in end_dead_chains(self.folder, self._signer, self._writer, self._clock.now_ns()):
            log.warning("a process died before it ended its chain; it is ended and signed now", chain=writer)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _writer_name(name: str, now_ns: int) -> str:
    """Sorts by time; unlike any other."""
    readable = _NOT_IN_NAMES.sub("-", name.lower()).strip("-")[:40] or "process"
    return f"{now_ns:020d}-{readable}-{os.getpid()}-{secrets.token_hex(4)}"
