"""What a record says, as bytes and back."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from audit.ledger.frames import Frame
from pipeline.errors import LedgerCorrupt


class Kind(enum.StrEnum):
    """What a record is about."""

    SESSION = "session"
    """A process begins: program, settings, models, numeric fingerprint."""
    DECISION = "decision"
    CROPS = "crops"
    """Digests of crops that were kept."""
    GALLERY = "gallery"
    """Somebody was enrolled, removed, renamed, or put on a list."""
    ACCESS = "access"
    """Somebody looked at a person's data."""
    DROPS = "drops"
    """How many frames and crops were left out so far, by cause."""
    SEGMENT = "segment"
    """A segment of footage was closed, or deleted."""
    VERDICT = "verdict"
    ERASURE = "erasure"
    CHECKPOINT = "checkpoint"
    """This process signed a checkpoint: so a chain tells of checkpoints that are missing."""
    CLOSED = "closed"
    """The process ended in order; nothing follows."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One record.

    Attributes:
        kind: See :class:`Kind`; a text, so that older programs can verify what newer ones wrote.
        at_ns: When, nanoseconds since 1970 UTC.
        fields: What; msgpack values.
    """

    kind: str
    at_ns: int
    fields: dict[str, Any]


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    """Equal entries are equal bytes."""
    return _encoder.encode(entry)


def decode_entry(frame: Frame) -> Entry:
    """What a frame says.

    Raises:
        LedgerCorrupt: it is no entry. Its hash holds, so a program wrote it that is not this one.
    """
    try:
        return _decoder.decode(frame.body)
    except msgspec.MsgspecError as error:
        raise LedgerCorrupt(f"record {frame.number} cannot be read: {error}") from None
