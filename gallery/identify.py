"""Says who is in a photograph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gallery.photo import read_photo
from gallery.vision import CutFace, Vision, cut_faces
from pipeline.decide import WeightedEmbedding, decide
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.errors import ImageError
from pipeline.seams import GalleryIndex
from pipeline.types import Face, Quality, Thresholds, Verdict

BATCH = 8
"""Photographs whose faces are embedded together."""

_HOPELESS = frozenset({"too_small", "landmarks"})
"""Reasons for which a face is not even compared."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedFace:
    """A face of a photograph, in its pixels, and what the gallery says of it."""

    face: Face
    quality: Quality
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class PhotoAnswer:
    """All faces of one photograph, the most prominent first; `error` says why there are none to tell of."""

    photo: Path
    faces: tuple[IdentifiedFace, ...]
    error: str | None = None


class Identifier:
    """Decides on photographs as a track's crops are decided on: each face is a track of one.

    A track can wait for a better crop, a photograph is all there is: a face that is turned away or
    blurred is compared all the same, and the threshold decides.

    Args:
        vision: The networks.
        index: The gallery.
        thresholds: When a similarity names somebody.
    """

    def __init__(self, vision: Vision, index: GalleryIndex, thresholds: Thresholds) -> None:
        self._vision = vision
        self._index = index
        self._thresholds = thresholds

    def identify(self, photos: Iterable[Path]) -> Iterator[PhotoAnswer]:
        """One answer a photograph, in the same order; an unreadable one does not stop the others."""
        remaining = iter(photos)
        while batch := list(islice(remaining, BATCH)):
            seen = [self._look(path) for path in batch]
            yield from self._answer(batch, seen)

    def _look(self, path: Path) -> list[CutFace] | str:
        try:
            return cut_faces(read_photo(path).image_bgr, self._vision)
        except ImageError as error:
            return str(error)

    def _answer(self, paths: Sequence[Path], seen: Sequence[list[CutFace] | str]) -> Iterator[PhotoAnswer]:
        cuts = [cut for found in seen if not isinstance(found, str) for cut in found]
        verdicts = iter(self._verdicts(cuts))
        for path, found in zip(paths, seen, strict=True):
            if isinstance(found, str):
                yield PhotoAnswer(path, (), found)
            else:
                yield PhotoAnswer(
                    path, tuple(IdentifiedFace(cut.face, cut.quality, next(verdicts)) for cut in found)
                )

    def _verdicts(self, cuts: Sequence[CutFace]) -> list[Verdict]:
        usable = [cut for cut in cuts if not _HOPELESS.intersection(cut.quality.reasons)]
        embeddings = embed_photo_crops([cut.crop_rgb for cut in usable], self._vision.embedder)
        evidence = {
            id(cut): [WeightedEmbedding(embedding, cut.quality.value)]
            for cut, embedding in zip(usable, embeddings, strict=True)
        }
        return [decide(evidence.get(id(cut), ()), self._index, self._thresholds) for cut in cuts]
