"""Faces that a student learns from, with what its teachers say of them: made once, kept in pieces."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import StorageError
from pipeline.robustness.faces import FacePack, encode_crop
from pipeline.robustness.protocol import Split, person_of
from pipeline.types import ByteArray, FloatArray
from training.content import content
from training.teachers import Projection, Teachers
from training.work import Tell

PIECE = 1024
"""Faces in one file."""

_JPEG_QUALITY = 97


@dataclass(frozen=True, slots=True, eq=False)
class FacePool:
    """Faces and where the student is to put them.

    Attributes:
        encoded: JPEG of each, 112x112: raw ones would take six times the memory.
        targets: float32 (N, K), unit norm.
        projection: From the teachers' vectors to `targets`.
    """

    encoded: tuple[bytes, ...]
    targets: FloatArray
    projection: Projection

    def __len__(self) -> int:
        return len(self.encoded)

    def crop(self, row: int) -> ByteArray:
        """uint8 (112, 112, 3) RGB."""
        return _decoded(self.encoded[row])


class PoolMaker:
    """Makes the pieces: photographs of the people who train as they are, then what is made from them.

    Args:
        pack: The photographs.
        teachers: Look at every face.
        folder: Where pieces are kept, so that making them can be interrupted.
        seed: Of everything random.
        mirrored: Whether teachers look at the mirror images of made faces as well, as they do at those of
            photographs: in the same time there are half as many faces, of which they know more.
    """

    def __init__(
        self, pack: FacePack, teachers: Teachers, folder: Path, seed: int, mirrored: bool = True
    ) -> None:
        self._pack, self._teachers, self._folder, self._seed = pack, teachers, folder, seed
        self._mirrored = mirrored
        self._rows = pack.rows_of(Split.TRAIN)
        made_with = f"{pack.digest(self._rows)} {teachers.names} {seed} {mirrored}"
        self._digest = hashlib.sha256(made_with.encode()).hexdigest()[:12]

    @property
    def digest(self) -> str:
        """Equal where photographs, teachers and seed are."""
        return self._digest

    def pool(self, faces: int, dim: int, tell: Tell) -> FacePool:
        """The photographs and about `faces` faces made from them, with targets of `dim` dimensions.

        Raises:
            StorageError: a piece cannot be kept.
        """
        photos = -(-len(self._rows) // PIECE)
        total = photos + -(-faces // PIECE)
        pieces = []
        for number in range(total):
            tell("faces for the student", number, total)
            pieces.append(self._piece(number, number < photos))
        tell("faces for the student", total, total)
        taught = np.concatenate([vectors for _, vectors in pieces])
        projection = Projection.fitted(taught[: len(self._rows)], dim)
        encoded = tuple(data for some, _ in pieces for data in some)
        return FacePool(encoded, projection(taught), projection)

    def _piece(self, number: int, of_photos: bool) -> tuple[Sequence[bytes], FloatArray]:
        kept = _read(self._path(number))
        if kept is not None:
            return kept
        crops = self._photos(number) if of_photos else self._made(number)
        encoded = [encode_crop(crop, _JPEG_QUALITY) for crop in crops]
        vectors = self._teachers([_decoded(data) for data in encoded], of_photos or self._mirrored)
        _write(self._path(number), encoded, vectors)
        return encoded, vectors

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._digest}-{number:05d}.npz"

    def _photos(self, number: int) -> list[ByteArray]:
        return [self._pack.crop(row) for row in self._rows[number * PIECE : (number + 1) * PIECE]]

    def _made(self, number: int) -> list[ByteArray]:
        random = np.random.default_rng((self._seed, number))
        names = [person_of(self._pack.photos[row]) for row in self._rows]
        crops = []
        for _ in range(PIECE):
            one, other = (int(n) for n in random.integers(len(self._rows), size=2))
            while names[other] == names[one]:
                other = int(random.integers(len(self._rows)))
            crops.append(
                content(self._pack.crop(self._rows[one]), self._pack.crop(self._rows[other]), random)
            )
        return crops


def _decoded(data: bytes) -> ByteArray:
    crop_bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert crop_bgr is not None  # encoded here
    return np.asarray(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _read(path: Path) -> tuple[list[bytes], FloatArray] | None:
    """What :func:`_write` kept; ``None`` where nothing whole is there."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            blob, ends, vectors = file["encoded"].tobytes(), np.cumsum(file["lengths"]), file["vectors"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    starts = [0, *ends[:-1]]
    return [blob[start:end] for start, end in zip(starts, ends, strict=True)], vectors


def _write(path: Path, encoded: Sequence[bytes], vectors: FloatArray) -> None:
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(
                file,
                encoded=np.frombuffer(b"".join(encoded), np.uint8),
                lengths=np.array([len(data) for data in encoded], np.int64),
                vectors=vectors,
            )
        part.replace(path)
    except OSError as error:
        raise StorageError(f"faces for the student cannot be kept in {path.parent}: {error}") from error
