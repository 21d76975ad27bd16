"""The crops behind decisions, kept losslessly and sealed, a file a track.

``crops/<run>/<camera>/<epoch>-<track>.crops`` holds a crop after another: length and sequence (4 bytes each,
little endian) and the sealed crop. Their digests are in the ledger, so that it can be shown without any key
that none was changed.
"""

from __future__ import annotations

import enum
import fcntl
import hashlib
import os
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from audit.ledger.entries import Kind
from audit.ledger.folder import sync_folder
from audit.ledger.keys import KeyRing
from audit.ledger.sealing import seal, unseal
from audit.ledger.writer import Ledger
from audit.recording.layout import quoted
from audit.scopes import parts_of, scope_of
from pipeline.errors import Erased, LedgerCorrupt, StorageError
from pipeline.seams import Clock
from pipeline.types import ByteArray, FaceCrop, TrackKey

FOLDER = "crops"
SUFFIX = ".crops"
_LENGTH = struct.Struct("<I")
_QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]

Record = tuple[Kind, Mapping[str, Any]]
"""What the ledger is told."""


class CropState(enum.StrEnum):
    """What became of the crops of a track."""

    KEPT = "kept"
    NONE = "none"
    """None was kept, or not in this data folder."""
    ERASED = "erased"


class _Kept(msgspec.Struct, frozen=True):
    """A :class:`FaceCrop`, its pixels as a PNG."""

    sequence: int
    pts_ns: int
    captured_at_ns: int | None
    bbox: tuple[float, float, float, float]
    score: float
    quality: float
    detector_id: str
    png: bytes


class CropStore:
    """Keeps crops and gives them back.

    Args:
        root: ``<data>/crops``.
        keys: Seal them; the same as of the decisions, so that both are erased together.
        ledger: Told the digests; ``None`` only reads.
        clock: Time.
    """

    def __init__(self, root: Path, keys: KeyRing, ledger: Ledger | None, clock: Clock) -> None:
        self._root, self._keys, self._ledger, self._clock = root, keys, ledger, clock
        self._lock = threading.Lock()
        self._written: set[Path] = set()
        self._untold: list[Record] = []

    def keep(self, run_id: str, crops: Sequence[FaceCrop]) -> None:
        """Keep crops for good; a crop that comes again is kept again, and read once.

        Raises:
            StorageError: they cannot be written.
        """
        assert self._ledger is not None, "this store only reads"
        self.put(run_id, crops)
        self._ledger.extend(self.settle())

    def settle(self) -> list[Record]:
        """Make durable what was put, and say what the ledger has to be told of it, once.

        Raises:
            StorageError: it cannot be written.
        """
        with self._lock:
            written, self._written = self._written, set()
            untold, self._untold = self._untold, []
        for path in written:
            _sync(path)
        return untold

    def put(self, run_id: str, crops: Sequence[FaceCrop]) -> None:
        """Keep crops, for good once they are settled: a disk takes as long for one as for many.

        Raises:
            StorageError: they cannot be written.
        """
        by_track: dict[TrackKey, list[FaceCrop]] = {}
        for crop in crops:
            by_track.setdefault(crop.key, []).append(crop)
        scopes = {key: scope_of(run_id, key) for key in by_track}
        keys = self._keys.obtain(list(scopes.values()), self._clock.now_ns())
        for key, some in by_track.items():
            scope = scopes[key]
            sealed = [seal(keys[scope], _encode(crop), f"{scope}#{crop.sequence}") for crop in some]
            self._append(self._root / crop_path(scope), sealed, [crop.sequence for crop in some])
            digests = [
                [crop.sequence, hashlib.sha256(one).digest()] for crop, one in zip(some, sealed, strict=True)
            ]
            with self._lock:
                self._written.add(self._root / crop_path(scope))
                self._untold.append((Kind.CROPS, {"scope": scope, "digests": digests}))

    def read(self, run_id: str, key: TrackKey) -> list[FaceCrop]:
        """The crops of a track, by sequence; none where none was kept.

        Raises:
            Erased: their key was destroyed.
            LedgerCorrupt: a crop is not what was written.
        """
        scope = scope_of(run_id, key)
        sealed = dict(self.sealed(scope))
        if not sealed:
            return []
        secret = self._keys.find(scope)
        if secret is None:
            raise Erased(f"the crops of {scope} were erased")
        return [
            _decode(unseal(secret, sealed[sequence], f"{scope}#{sequence}"), key)
            for sequence in sorted(sealed)
        ]

    def state(self, run_id: str, key: TrackKey) -> CropState:
        """Whether crops of a track can be read, without reading them."""
        scope = scope_of(run_id, key)
        there = (self._root / crop_path(scope)).exists()
        if self._keys.is_destroyed(scope) or (there and self._keys.find(scope) is None):
            return CropState.ERASED
        return CropState.KEPT if there else CropState.NONE

    def sealed(self, scope: str) -> Iterator[tuple[int, bytes]]:
        """Every crop of a track as it lies on disk: sequence and sealed bytes. A torn end is left out."""
        path = self._root / crop_path(scope)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error
        yield from read_sealed(data)

    def erase(self, scope: str) -> bool:
        """Delete the crops of a track; whether there were any. Their key is destroyed by whoever holds it."""
        path = self._root / crop_path(scope)
        if not path.exists():
            return False
        path.unlink()
        sync_folder(path.parent)
        return True

    def _append(self, path: Path, sealed: Sequence[bytes], sequences: Sequence[int]) -> None:
        data = b"".join(
            _LENGTH.pack(len(one)) + _LENGTH.pack(sequence) + one
            for one, sequence in zip(sealed, sequences, strict=True)
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.truncate(_whole_bytes(path.read_bytes()))  # what a crash tore was never acknowledged
                file.write(data)
        except OSError as error:
            raise StorageError(f"cannot keep crops in {path}: {error.strerror}") from error


def _sync(path: Path) -> None:
    try:
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except FileNotFoundError:  # erased meanwhile
        return
    except OSError as error:
        raise StorageError(f"cannot keep crops in {path}: {error.strerror}") from error


def crop_path(scope: str) -> Path:
    """Where the crops of a track lie, below ``<data>/crops``."""
    run, key = parts_of(scope)
    return Path(run) / quoted(key.camera_id) / f"{key.stream_epoch}-{key.track_id}{SUFFIX}"


def read_sealed(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Sequence and sealed bytes of every whole crop in a file."""
    for offset, length, sequence in _places(data):
        yield sequence, data[offset : offset + length]


def _places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Offset, length and sequence of every whole crop."""
    offset = 2 * _LENGTH.size
    while offset <= len(data):
        (length,) = _LENGTH.unpack_from(data, offset - 2 * _LENGTH.size)
        (sequence,) = _LENGTH.unpack_from(data, offset - _LENGTH.size)
        if offset + length > len(data):
            return
        yield offset, length, sequence
        offset += length + 2 * _LENGTH.size


def _whole_bytes(data: bytes) -> int:
    """How much of a file is whole crops."""
    return max((offset + length for offset, length, _ in _places(data)), default=0)


def png_of(image_rgb: ByteArray) -> bytes:
    """A picture, uint8 (H, W, 3) RGB, as a PNG."""
    done, png = cv2.imencode(".png", np.ascontiguousarray(image_rgb[:, :, ::-1]), _QUICK)
    assert done
    return png.tobytes()


def _encode(crop: FaceCrop) -> bytes:
    x_min, y_min, x_max, y_max = (float(value) for value in crop.bbox)
    return msgspec.msgpack.encode(
        _Kept(
            crop.sequence,
            crop.pts_ns,
            crop.captured_at_ns,
            (x_min, y_min, x_max, y_max),
            crop.score,
            crop.quality,
            crop.detector_id,
            png_of(crop.image_rgb),
        )
    )


def _decode(content: bytes, key: TrackKey) -> FaceCrop:
    try:
        kept = msgspec.msgpack.decode(content, type=_Kept)
    except msgspec.MsgspecError as error:
        raise LedgerCorrupt(f"a kept crop of {key} cannot be read: {error}") from None
    image_bgr = cv2.imdecode(np.frombuffer(kept.png, np.uint8), cv2.IMREAD_COLOR)
    if image_bgr is None:
        raise LedgerCorrupt(f"a kept crop of {key} is no picture")
    return FaceCrop(
        key,
        kept.sequence,
        kept.pts_ns,
        kept.captured_at_ns,
        np.array(kept.bbox, np.float32),
        kept.score,
        kept.quality,
        kept.detector_id,
        np.ascontiguousarray(image_bgr[:, :, ::-1], np.uint8),
    )
