"""Signed statements of how far chains go.

A checkpoint names the heads of the chains that its writer has added to; all checkpoints together cover all
chains. Checkpoints are a chain themselves, so whoever keeps the last one elsewhere (``pinwatch audit
checkpoint``) can show that none before it was changed, and that no chain lost a record that it covers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from audit.ledger.chain import ChainFile
from audit.ledger.folder import CHECKPOINTS, LedgerFolder, write_whole
from audit.ledger.frames import BrokenChain, Frame, Head, Place, beginning, next_hash, read_frames
from audit.ledger.signing import Signer, Verifier
from pipeline.errors import LedgerCorrupt

_SIGNED = b"pinwatch checkpoint 1\0"


class Checkpoint(msgspec.Struct, frozen=True):
    """How far chains went at some time.

    Attributes:
        ledger_id: Of the ledger.
        number: From 0; its place in the chain of checkpoints.
        at_ns: When, nanoseconds since 1970 UTC.
        heads: Number of records and hash of the last, by chain.
    """

    ledger_id: str
    number: int
    at_ns: int
    heads: dict[str, tuple[int, bytes]]


class _Signed(msgspec.Struct, frozen=True):
    checkpoint: bytes
    signature: bytes


class ExportedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint to be kept by somebody else, as JSON.

    Attributes:
        ledger_id: Of the ledger.
        number: Of the checkpoint.
        before: Hash of the frame before it, hexadecimal: with it, its signature can be checked.
        hash: Of its frame, hexadecimal: no checkpoint up to it can be changed without changing this.
        body: Its frame's body, signature included.
    """

    ledger_id: str
    number: int
    before: str
    hash: str
    body: bytes

    def open(self, verifier: Verifier) -> Checkpoint:
        """What it says.

        Raises:
            LedgerCorrupt: the ledger's key did not sign it.
        """
        try:
            before = bytes.fromhex(self.before)
            frame = Frame(self.number, 0, self.body, next_hash(before, self.body))
            if frame.hash.hex() != self.hash:
                raise LedgerCorrupt("the checkpoint that was kept is not what was exported")
            return open_checkpoint(frame, before, self.ledger_id, verifier)
        except (ValueError, BrokenChain):
            raise LedgerCorrupt(
                "the checkpoint that was kept was not signed with this key: it or the key was changed"
            ) from None


_encoder = msgspec.msgpack.Encoder(order="deterministic")


def add_checkpoint(folder: LedgerFolder, signer: Signer, heads: Mapping[str, Head], at_ns: int) -> int:
    """Sign and keep how far these chains go.

    Returns:
        The number of the checkpoint.

    Raises:
        StorageError: it cannot be written; LedgerCorrupt: the chain of checkpoints is broken.
    """
    with folder.locked(), closing(ChainFile(folder.checkpoints, _known_place(folder))) as chain:
        number = chain.head.count
        found = {writer: (head.count, head.hash) for writer, head in heads.items()}
        checkpoint = _encoder.encode(Checkpoint(folder.identity(), number, at_ns, found))
        signature = signer.sign(_message(chain.head.hash, checkpoint))
        place = chain.place
        chain.append([_encoder.encode(_Signed(checkpoint, signature))])
        _remember(folder, place)
        return number


def read_checkpoints(
    folder: LedgerFolder,
    verifier: Verifier,
    since: Place | None = None,
    about: Collection[str] | None = None,
) -> Iterator[tuple[Checkpoint, Frame]]:
    """In order, each checked.

    Args:
        folder: The ledger.
        verifier: Of its key.
        since: Where to begin, if not with the first.
        about: Only those that name one of these chains; ``None`` for all.

    Raises:
        BrokenChain: at the first that is not as it was written, or not signed by the ledger's key.
        OSError: the file cannot be read.
    """
    place, identity = since or beginning(CHECKPOINTS), folder.identity()
    for frame in read_frames(folder.checkpoints, place):
        # Signatures take a hundred times as long as reading.
        if about is None or not _statement(frame)[1].heads.keys().isdisjoint(about):
            yield open_checkpoint(frame, place.head.hash, identity, verifier), frame
        place = frame.end


def _statement(frame: Frame) -> tuple[_Signed, Checkpoint]:
    """What a frame says, whoever signed it. Raises ``BrokenChain``: it is no checkpoint."""
    try:
        signed = msgspec.msgpack.decode(frame.body, type=_Signed)
        return signed, msgspec.msgpack.decode(signed.checkpoint, type=Checkpoint)
    except msgspec.MsgspecError as error:
        raise BrokenChain(frame.number, frame.offset, f"is no checkpoint: {error}") from None


def open_checkpoint(frame: Frame, before: bytes, identity: str, verifier: Verifier) -> Checkpoint:
    """What a frame of the chain of checkpoints says, if the ledger's key signed it.

    Args:
        frame: Of the chain.
        before: Hash of the frame before it.
        identity: Of the ledger.
        verifier: Of its key.

    Raises:
        BrokenChain: it did not.
    """
    signed, checkpoint = _statement(frame)
    if not verifier.holds(signed.signature, _message(before, signed.checkpoint)):
        why = "was not signed with this public key: either it or the key was exchanged"
        raise BrokenChain(frame.number, frame.offset, why)
    if checkpoint.ledger_id != identity:
        why = f"belongs to ledger {checkpoint.ledger_id}, and this one is called {identity}"
        raise BrokenChain(frame.number, frame.offset, why)
    if checkpoint.number != frame.number:
        raise BrokenChain(frame.number, frame.offset, f"was signed as record {checkpoint.number}")
    return checkpoint


def export_checkpoint(folder: LedgerFolder, verifier: Verifier) -> bytes:
    """The newest checkpoint, as JSON.

    Raises:
        LedgerCorrupt: there is none, or the chain of checkpoints is broken.
    """
    before, last = beginning(CHECKPOINTS).head.hash, None
    try:
        for _, frame in read_checkpoints(folder, verifier):
            before, last = before if last is None else last.hash, frame
    except BrokenChain as broken:
        if not broken.torn:
            raise LedgerCorrupt(f"{folder.checkpoints}: {broken}") from None
    except OSError as error:
        raise LedgerCorrupt(f"cannot read {folder.checkpoints}: {error.strerror}") from None
    if last is None:
        raise LedgerCorrupt(
            f"{folder.checkpoints} holds no checkpoint yet: a process signs one soon after it begins to write"
        )
    return msgspec.json.encode(
        ExportedCheckpoint(folder.identity(), last.number, before.hex(), last.hash.hex(), last.body)
    )


def read_exported(path: Path) -> ExportedCheckpoint:
    """A checkpoint that somebody kept.

    Raises:
        LedgerCorrupt: the file holds none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=ExportedCheckpoint)
    except OSError as error:
        raise LedgerCorrupt(f"cannot read the checkpoint {path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise LedgerCorrupt(f"{path} is no exported checkpoint: {error}") from None


def _message(before: bytes, checkpoint: bytes) -> bytes:
    """What is signed: the checkpoint in its place."""
    return _SIGNED + before + checkpoint


class _Hint(msgspec.Struct, frozen=True):
    """Where the last checkpoint begins: its number, the hash before it, and bytes into the file."""

    number: int
    before: str
    offset: int


def _known_place(folder: LedgerFolder) -> Place:
    """Before the last checkpoint, so that not all are read for every new one; else the beginning.

    The hint is believed only where a checkpoint stands that hashes onto it and bears its number: whoever
    wrote a wrong one could otherwise make us sign one in the wrong place.
    """
    try:
        hint = msgspec.json.decode(_hint(folder).read_bytes(), type=_Hint)
        place = Place(Head(hint.number, bytes.fromhex(hint.before)), hint.offset)
        with closing(read_frames(folder.checkpoints, place)) as frames:
            signed = msgspec.msgpack.decode(next(frames).body, type=_Signed)
        if msgspec.msgpack.decode(signed.checkpoint, type=Checkpoint).number == hint.number:
            return place
    except (OSError, ValueError, OverflowError, StopIteration, BrokenChain):
        pass
    return beginning(CHECKPOINTS)


def _remember(folder: LedgerFolder, place: Place) -> None:
    """Without it all goes on, only slower."""
    hint = _Hint(place.head.count, place.head.hash.hex(), place.offset)
    with contextlib.suppress(OSError):
        write_whole(_hint(folder), msgspec.json.encode(hint))


def _hint(folder: LedgerFolder) -> Path:
    return folder.root / "checkpoints.hint"
