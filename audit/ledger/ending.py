"""Ends chains whose process died: the next process that writes signs what is there.

Until then nothing shows whether records behind such a chain's last checkpoint were changed. The record that
ends the chain says who wrote it, so that a verification can say which records were signed only then.

Left alone is a chain that no checkpoint covers, for anybody may have put it there; one that is not as it was
signed; and one that its own process ended and did not sign, for it looks the same where the newest
checkpoints were removed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack, closing

from audit.ledger.chain import ChainFile, ChainInUse
from audit.ledger.checkpoints import add_checkpoint, read_checkpoints
from audit.ledger.entries import Entry, Kind, decode_entry, encode_entry
from audit.ledger.folder import LedgerFolder
from audit.ledger.frames import BrokenChain, beginning, read_frames
from audit.ledger.signing import Signer, Verifier
from pipeline.errors import LedgerCorrupt, StorageError

BY = "by"
"""Field of the record that ends a chain: the chain of whoever wrote it in place of a process that died."""


def end_dead_chains(folder: LedgerFolder, signer: Signer, by: str, now_ns: int) -> list[str]:
    """End all chains whose process began, is not there any more, and did not end them.

    Args:
        folder: The ledger.
        signer: Of its key.
        by: Name of the chain of whoever does it.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.

    Returns:
        Names of those that were ended.

    Raises:
        StorageError: the ledger cannot be written.
        LedgerCorrupt: its checkpoints are not as they were signed.
    """
    end = Entry(Kind.CLOSED, now_ns, {BY: by})
    with ExitStack() as held:
        dead = _dead(folder, by, held)
        if not dead:
            return []
        try:
            covered, ended = _covered(folder, dead), []
            for writer, chain in dead.items():
                last = _last_record(folder, writer, covered.get(writer, {}))
                if last is not None:
                    if last.kind != Kind.CLOSED:  # else whoever ended it died before that was signed
                        chain.append([encode_entry(end)])
                    add_checkpoint(folder, signer, {writer: chain.head}, now_ns)
                    ended.append(writer)
                folder.forget_begun(writer)
        except OSError as error:
            raise StorageError(f"cannot read the ledger in {folder.root}: {error.strerror}") from error
        return ended


def _dead(folder: LedgerFolder, by: str, held: ExitStack) -> dict[str, ChainFile]:
    """The chains that nobody writes to any more, by writer; nobody begins to while they are held."""
    found = {}
    for writer in folder.begun():
        path = folder.chain(writer)
        if writer == by or not path.exists():
            continue
        try:
            chain = ChainFile(path, beginning(writer), wait=False)
        except (ChainInUse, LedgerCorrupt):
            continue
        if chain.head.count:
            found[writer] = held.enter_context(closing(chain))
        else:
            chain.close()  # somebody is just beginning it
    return found


def _covered(folder: LedgerFolder, writers: Collection[str]) -> dict[str, dict[int, bytes]]:
    """What checkpoints say of each: hashes of records, by the number of records up to and with them."""
    found: dict[str, dict[int, bytes]] = {}
    try:
        for checkpoint, _ in read_checkpoints(folder, Verifier.read(folder.public_key), about=writers):
            for writer, (count, digest) in checkpoint.heads.items():
                found.setdefault(writer, {})[count] = digest
    except BrokenChain as broken:
        if not broken.torn:
            raise LedgerCorrupt(f"{folder.checkpoints}: {broken}: run `pinwatch audit verify`") from None
    return found


def _last_record(folder: LedgerFolder, writer: str, covered: Mapping[int, bytes]) -> Entry | None:
    """Of a chain that may be ended, and ends in this; ``None`` for those that are left alone."""
    left, last = dict(covered), None
    for frame in read_frames(folder.chain(writer), beginning(writer)):
        if left.pop(frame.number + 1, frame.hash) != frame.hash:
            return None
        last = frame
    if last is None or left or not covered:
        return None
    try:
        entry = decode_entry(last)
    except LedgerCorrupt:
        return None
    return None if entry.kind == Kind.CLOSED and BY not in entry.fields else entry
