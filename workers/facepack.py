"""Cuts the faces of a folder of people into the file that training and evaluation read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from gallery.find import find_faces
from gallery.photo import PHOTO_SUFFIXES, read_photo
from pipeline.align import align
from pipeline.errors import ImageError, UsageError
from pipeline.robustness.faces import FacePack, encode_crop, save_faces
from pipeline.robustness.protocol import Split, fold_of_people, person_of, read_pairs, split_of
from pipeline.seams import Detector
from pipeline.types import ByteArray, Face

Track = Callable[..., Iterable[Path]]


def pack_faces(
    folder: Path, pairs_file: Path, out: Path, detector: Detector, *, jpeg: int | None, track: Track
) -> FacePack:
    """The face nearest the middle of every photograph, named by its file.

    Args:
        folder: A subfolder a person, photographs named ``Person_0001``.
        pairs_file: Pairs of LFW's View 2.
        out: File to write.
        detector: Finds the faces.
        jpeg: Quality for people who only train; ``None`` keeps all crops lossless.
        track: Wraps the photographs, to show how far it is.

    Raises:
        UsageError: the folder or the pairs cannot be used.
        StorageError: the file cannot be written.
    """
    pairs = read_pairs(pairs_file)
    folds = fold_of_people(pairs)
    photos = photographs(folder)

    def crops() -> Iterator[tuple[str, bytes]]:
        for path in track(photos, description="cutting faces"):
            crop = crop_of(path, detector)
            if isinstance(crop, str):
                continue
            trains = split_of(person_of(path.stem), folds) is Split.TRAIN
            yield path.stem, encode_crop(crop, jpeg if trains else None)

    packed = save_faces(out, crops(), pairs)
    if not packed.pairs:
        raise UsageError(f"none of the pairs in {pairs_file} has both photographs in {folder}")
    return packed


def pack_people(folder: Path, detector: Detector, *, track: Track) -> FacePack:
    """The faces of a folder, held in memory, for training: without pairs, everybody trains.

    Args:
        folder: A subfolder for each person.
        detector: Finds the faces.
        track: Wraps the photographs, to show how far it is.

    Raises:
        UsageError: there is no such folder, or it holds no faces.
    """
    counts: Counter[str] = Counter()
    photos: list[str] = []
    encoded: list[bytes] = []
    for path in track(photographs(folder), description="finding faces"):
        crop = crop_of(path, detector)
        if not isinstance(crop, str):
            person = path.parent.name
            counts[person] += 1
            photos.append(f"{person}_{counts[person]:04d}")
            encoded.append(encode_crop(crop))
    if not photos:
        raise UsageError(f"no face was found in the photographs of {folder}")
    return FacePack(tuple(photos), tuple(encoded), ())


def crop_of(path: Path, detector: Detector) -> ByteArray | str:
    """uint8 (112, 112, 3) RGB of the face nearest the middle, or why there is none."""
    try:
        image_bgr = read_photo(path).image_bgr
    except ImageError:
        return "they cannot be read"
    faces = find_faces(image_bgr, detector)
    if not faces:
        return "no face was found"
    middle = np.array(image_bgr.shape[1::-1]) / 2
    try:
        return align(image_bgr, min(faces, key=lambda face: _distance(face, middle)).landmarks)
    except ValueError:
        return "the landmarks fit no face"


def _distance(face: Face, middle: np.ndarray) -> float:
    centre = (face.bbox[:2] + face.bbox[2:]) / 2
    return float(np.linalg.norm(centre - middle))


def photographs(folder: Path) -> list[Path]:
    """All photographs of a folder and below, in order of their paths.

    Raises:
        UsageError: it is no folder, or holds none.
    """
    if not folder.is_dir():
        raise UsageError(f"--faces must be a folder of photographs: {folder} is none")
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        raise UsageError(f"the folder {folder} holds no photographs")
    return photos
