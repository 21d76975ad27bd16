"""Ledgers for tests, and a reader of their bytes that shares nothing with the one under test."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import msgspec

from audit.ledger.checkpoints import ExportedCheckpoint, export_checkpoint, read_exported
from audit.ledger.entries import Kind
from audit.ledger.folder import LedgerFolder
from audit.ledger.signing import Verifier
from audit.ledger.verify import Report, verify
from audit.ledger.writer import Ledger
from pipeline.clock import ManualClock

NEVER_S = 3600.0


def cut(data: bytes) -> list[bytes]:
    """The frames of a file, each with its length and hash."""
    frames, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        end = at + 4 + length + 32
        frames.append(data[at:end])
        at = end
    return frames


def body_of(frame: bytes) -> bytes:
    return frame[4:-32]


def framed(before: bytes, body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body + hashlib.sha256(before + body).digest()


def start_of(name: str) -> bytes:
    """What the first frame of a chain is hashed onto."""
    return hashlib.sha256(b"pinwatch chain 1\0" + name.encode()).digest()


def first_bad(original: bytes, changed: bytes) -> int:
    """Number of the first record that is not as it was, from nothing but the bytes."""
    pairs = enumerate(zip(original, changed, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(original), len(changed)))
    end = 0
    frames = cut(original)
    for number, frame in enumerate(frames):
        end += len(frame)
        if same < end:
            return number
    return len(frames)


@dataclass(frozen=True, slots=True)
class Written:
    """A ledger of three processes that have all ended, and what somebody keeps of it elsewhere."""

    folder: LedgerFolder
    verifier: Verifier
    kept: ExportedCheckpoint

    def verify(self) -> Report:
        return verify(self.folder, self.verifier, self.kept)

    def files(self) -> dict[str, Path]:
        """By name of the chain."""
        chains = {writer: self.folder.chain(writer) for writer in self.folder.writers()}
        return chains | {"checkpoints": self.folder.checkpoints}

    def covers(self, writer: str) -> list[int]:
        """Numbers of records up to which checkpoints sign a chain, ascending."""
        found = set()
        for frame in cut(self.folder.checkpoints.read_bytes()):
            signed = msgspec.msgpack.decode(body_of(frame))
            heads = msgspec.msgpack.decode(signed["checkpoint"])["heads"]
            found |= {count for name, (count, _) in heads.items() if name == writer}
        return sorted(found)


def write_ledger(root: Path, records: int = 198) -> Written:
    """Three processes in turns, that sign now and then, and all end."""
    folder, clock = LedgerFolder(root), ManualClock(1_700_000_000_000_000_000)
    ledgers = []
    for name in ("watch", "console", "record"):
        clock.advance(1)
        ledgers.append(Ledger(folder, name, clock, NEVER_S))
        ledgers[-1].append(Kind.SESSION, {"program": name})
    for number in range(records - len(ledgers)):
        clock.advance(0.01)
        ledger = ledgers[number % 3]
        ledger.append(Kind.DECISION, {"decision_id": f"{number:08x}", "sealed": os.urandom(number % 60)})
        if number % 25 == 24:
            ledger.checkpoint()
    for ledger in ledgers:
        ledger.close()
    verifier = Verifier.read(folder.public_key)
    kept = root.parent / "kept.json"
    kept.write_bytes(export_checkpoint(folder, verifier))
    return Written(folder, verifier, read_exported(kept))
