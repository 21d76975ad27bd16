"""Ends chains whose process died: the next process that writes signs what is there.

Until then nothing shows whether records behind such a chain's last checkpoint were changed. The record that
ends the chain says who wrote it, so that a verification can say which records were signed only then.

Left alone is a chain that no checkpoint covers, for anybody may have put it there; one that is not as it was
signed; and one that its own process ended and did not sign, for it looks the same where the newest
checkpoints were removed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing

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
    begun = [writer for writer in folder.begun() if writer != by and folder.chain(writer).exists()]
    if not begun:
        return []
    end = Entry(Kind.CLOSED, now_ns, {BY: by})
    try:
        covered = _covered(folder, begun)
        return [writer for writer in begun if _end(folder, signer, writer, covered.get(writer, {}), end)]
    except OSError as error:
        raise StorageError(f"cannot read the ledger in {folder.root}: {error.strerror}") from error


def _end(folder: LedgerFolder, signer: Signer, writer: str, covered: Mapping[int, bytes], end: Entry) -> bool:
    """Write and sign the end of one, if it may have one; whether it was done."""
    try:
        chain = ChainFile(folder.chain(writer), beginning(writer), wait=False)
    except (ChainInUse, LedgerCorrupt):
        return False
    with closing(chain):
        if not chain.head.count:
            return False  # somebody is just beginning it
        last = _last_record(folder, writer, covered)
        theirs = last is not None and (last.kind != Kind.CLOSED or BY in last.fields)
        if last is not None and theirs:
            if last.kind != Kind.CLOSED:  # else whoever ended it died before that was signed
                chain.append([encode_entry(end)])
            add_checkpoint(folder, signer, {writer: chain.head}, end.at_ns)
        folder.forget_begun(writer)
        return theirs


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
    """Of a chain that is as it was signed; ``None`` for others, and for those that nobody signed."""
    left, last = dict(covered), None
    for frame in read_frames(folder.chain(writer), beginning(writer)):
        if left.pop(frame.number + 1, frame.hash) != frame.hash:
            return None
        last = frame
    if last is None or left or not covered:
        return None
    try:
        return decode_entry(last)
    except LedgerCorrupt:
        return None
