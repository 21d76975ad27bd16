"""Aligned crops with their names and the pairs between them, in one file that travels to where a GPU is.

Crops of people who are scored or select are PNG, lossless, since the perturbation under study is
smaller than what JPEG changes; those of people who train may be JPEG, which makes the file small.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch

from pipeline.errors import StorageError, UsageError
from pipeline.robustness.protocol import Pair, Split, fold_of_people, person_of, split_of
from pipeline.types import CROP_SIZE_PX, ByteArray

_FORMAT = "pinwatch.faces/1"


@dataclass(frozen=True)
class FacePack:
    """Crops of named photographs, and the pairs of the protocol.

    Attributes:
        photos: ``Name_0001`` of each crop.
        encoded: PNG or JPEG of each crop.
        pairs: Whose both photographs are here.
    """

    photos: tuple[str, ...]
    encoded: tuple[bytes, ...]
    pairs: tuple[Pair, ...]

    @cached_property
    def folds(self) -> dict[str, int]:
        """Person -> fold, of the people in pairs."""
        return fold_of_people(self.pairs)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Photo -> row."""
        return {photo: row for row, photo in enumerate(self.photos)}

    def rows_of(self, split: Split) -> list[int]:
        """The crops whose people are in `split`."""
        return [row for row, photo in enumerate(self.photos) if self.split(photo) is split]

    def split(self, photo: str) -> Split:
        """The split of the person whom `photo` shows."""
        return split_of(person_of(photo), self.folds)

    def pairs_of(self, split: Split) -> list[Pair]:
        """The pairs between people of `split`."""
        return [pair for pair in self.pairs if self.split(pair.first) is split]

    def crop(self, row: int) -> ByteArray:
        """uint8 (112, 112, 3) RGB."""
        crop_bgr = cv2.imdecode(np.frombuffer(self.encoded[row], np.uint8), cv2.IMREAD_COLOR)
        if crop_bgr is None or crop_bgr.shape != (CROP_SIZE_PX, CROP_SIZE_PX, 3):
            raise UsageError(f"the crop of {self.photos[row]} is damaged: pack the faces again")
        return cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

    def digest(self, rows: Iterable[int]) -> str:
        """Of the crops in `rows`, their names and their places: equal only where all of these are."""
        digest = hashlib.sha256()
        for row in rows:
            encoded = self.encoded[row]
            digest.update(f"{row} {self.photos[row]} {len(encoded)}\n".encode() + encoded)
        return digest.hexdigest()[:12]

    def batch(self, rows: Sequence[int]) -> torch.Tensor:
        """float32 (N, 3, 112, 112) RGB 0..255."""
        crops = np.stack([self.crop(row) for row in rows])
        return torch.from_numpy(crops).permute(0, 3, 1, 2).float().contiguous()


def encode_crop(crop_rgb: ByteArray, jpeg_quality: int | None = None) -> bytes:
    """PNG, or JPEG of the given quality."""
    crop_bgr = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2BGR)
    if jpeg_quality is None:
        _, data = cv2.imencode(".png", crop_bgr)
    else:
        _, data = cv2.imencode(".jpg", crop_bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    return data.tobytes()


def save_faces(path: Path, crops: Iterable[tuple[str, bytes]], pairs: Sequence[Pair]) -> FacePack:
    """Write crops with the pairs whose both photographs are among them.

    Raises:
        StorageError: the file cannot be written.
    """
    named = sorted(crops)
    photos = [photo for photo, _ in named]
    there = set(photos)
    kept = tuple(pair for pair in pairs if pair.first in there and pair.second in there)
    pack = FacePack(tuple(photos), tuple(data for _, data in named), kept)
    lengths = np.array([len(data) for data in pack.encoded], np.int64)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez(
                file,
                format=np.array(_FORMAT),
                photos=np.array(photos),
                lengths=lengths,
                data=np.frombuffer(b"".join(pack.encoded), np.uint8),
                first=np.array([pair.first for pair in kept]),
                second=np.array([pair.second for pair in kept]),
                same=np.array([pair.same for pair in kept], bool),
                fold=np.array([pair.fold for pair in kept], np.int64),
            )
        part.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    return pack


def load_faces(path: Path) -> FacePack:
    """What :func:`save_faces` wrote.

    Raises:
        UsageError: there is no such file, or it is another kind of file.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if str(file["format"]) != _FORMAT:
                raise UsageError(f"{path} is not a pack of faces of format {_FORMAT}")
            blob, ends = file["data"].tobytes(), np.cumsum(file["lengths"])
            starts = ends - file["lengths"]
            encoded = tuple(blob[a:b] for a, b in zip(starts, ends, strict=True))
            columns = (file["first"], file["second"], file["same"], file["fold"])
            pairs = tuple(Pair(str(a), str(b), bool(s), int(f)) for a, b, s, f in zip(*columns, strict=True))
            return FacePack(tuple(map(str, file["photos"])), encoded, pairs)
    except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path} is not a pack of faces (make one with `pinwatch robustness pack`): {error}"
        ) from error
