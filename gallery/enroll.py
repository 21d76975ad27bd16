"""Lets faces into the gallery, or says why not."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gallery.duplicates import DuplicateFinder
from gallery.find import side_px
from gallery.index import FaissIndex
from gallery.names import clean_name
from gallery.photo import decode_photo, read_bytes
from gallery.records import NewTemplate, PhotoRecord
from gallery.store import GalleryStore
from gallery.vision import CutFace, Vision, cut_faces
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.errors import ImageError
from pipeline.types import Embedding, Thresholds


class Status(enum.StrEnum):
    """What became of a photograph."""

    ENROLLED = "enrolled"
    SKIPPED = "skipped"
    REFUSED = "refused"


class Refusal(enum.StrEnum):
    """Why a photograph was not enrolled."""

    UNREADABLE = "unreadable"
    NO_FACE = "no_face"
    SECOND_FACE = "second_face"
    LOW_QUALITY = "low_quality"
    NEAR_DUPLICATE = "near_duplicate"
    LOOKALIKE = "lookalike"


@dataclass(frozen=True, slots=True)
class EnrollOptions:
    """What is let in.

    Attributes:
        second_face: A second face with more than this share of the largest one's side is refused.
        largest: Take the most prominent face (large, near the middle) whatever else is in the picture.
        allow_lookalike: Enroll faces that look like another subject.
        min_quality: Faces of a lower quality (0..1) are refused.
    """

    second_face: float = 0.5
    largest: bool = False
    allow_lookalike: bool = False
    min_quality: float = 0.0


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What became of one photograph.

    Attributes:
        photo: The path that was given.
        name: The subject's name.
        status: Enrolled, skipped (this very photograph is enrolled already), or refused.
        refusal: Why, if refused.
        detail: The same in words, for the user; other faces that were passed over.
        subject_id: Whom it was enrolled for.
        resembles: Whose face it looks like, if it was refused for that.
    """

    photo: Path
    name: str
    status: Status
    refusal: Refusal | None = None
    detail: str = ""
    subject_id: str | None = None
    resembles: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A photograph whose face has been found good, on its way to the gallery."""

    path: Path
    name: str
    options: EnrollOptions
    cut: CutFace
    record: PhotoRecord
    data: bytes
    detail: str


class Enroller:
    """Takes photographs of subjects into a gallery.

    A photograph is looked at (:meth:`look`), then several are embedded together and admitted one
    by one (:meth:`admit`), each in a transaction of its own: a crash loses at most the one.

    Args:
        store: The gallery.
        vision: The networks.
        thresholds: When a face looks like another subject.
        options: What is let in, unless a call says otherwise.

    Raises:
        TemplateKeyMismatch: the gallery's templates were made by another embedder or purifier.
    """

    def __init__(
        self,
        store: GalleryStore,
        vision: Vision,
        thresholds: Thresholds,
        options: EnrollOptions | None = None,
    ) -> None:
        self.store = store
        self.vision = vision
        self.options = options or EnrollOptions()
        self._thresholds = thresholds
        self._index = FaissIndex(store.snapshot(vision.embedder.key))
        self._duplicates = DuplicateFinder(store, vision)

    def enroll(
        self, name: str, photos: Iterable[Path], options: EnrollOptions | None = None
    ) -> list[Enrollment]:
        """Enroll photographs of one subject; one result each, in the same order.

        Raises:
            UsageError: the name cannot be one.
            StorageError: disk full or no permission; what was enrolled before that stays.
        """
        return [self._enroll_one(name, path, options) for path in photos]

    def look(self, name: str, path: Path, options: EnrollOptions | None = None) -> Ready | Enrollment:
        """Find the face to enroll, or the reason not to. Nothing is changed.

        Raises:
            UsageError: the name cannot be one.
        """
        name = clean_name(name)
        chosen = options or self.options
        try:
            data = read_bytes(path)
            if self.store.has_photo(name, hashlib.sha256(data).hexdigest()):
                return _known(path, name)
            photo = decode_photo(data, str(path))
        except ImageError as error:
            return _refused(path, name, Refusal.UNREADABLE, str(error))
        faces = cut_faces(photo.image_bgr, self.vision)
        problem = _problem(faces, chosen)
        if problem is not None:
            return _refused(path, name, *problem)
        return Ready(path, name, chosen, faces[0], photo.record, data, _passed_over(faces))

    def admit(self, ready: Sequence[Ready]) -> Iterator[Enrollment]:
        """Embed the faces together, then enroll one after the other; one result each, in order.

        Each is enrolled when its result is asked for, and durable when the result is there.

        Raises:
            StorageError: disk full or no permission; what was enrolled before that stays.
            TemplateKeyMismatch: the gallery was re-embedded meanwhile.
        """
        embeddings = embed_photo_crops([item.cut.crop_rgb for item in ready], self.vision.embedder)
        for item, embedding in zip(ready, embeddings, strict=True):
            yield self._admit_one(item, embedding)

    def _enroll_one(self, name: str, path: Path, options: EnrollOptions | None) -> Enrollment:
        seen = self.look(name, path, options)
        return next(self.admit([seen])) if isinstance(seen, Ready) else seen

    def _admit_one(self, ready: Ready, embedding: Embedding) -> Enrollment:
        if self.store.has_photo(ready.name, ready.record.sha256):
            return _known(ready.path, ready.name)
        self._follow()
        refused = self._resembles(ready, embedding)
        if refused is not None:
            return refused
        template = NewTemplate(
            embedding, ready.cut.face, ready.cut.quality.value, self.vision.detector.detector_id
        )
        added = self.store.add(ready.name, template, ready.record, ready.data)
        if not added.new:
            return _known(ready.path, ready.name)
        return Enrollment(
            ready.path, ready.name, Status.ENROLLED, detail=ready.detail, subject_id=added.subject_id
        )

    def _follow(self) -> None:
        """Bring the index to the gallery as it is now: we, or others, may just have enrolled."""
        self._index.apply(self.store.delta(self._index.key, self._index.gallery_epoch))

    def _resembles(self, ready: Ready, embedding: Embedding) -> Enrollment | None:
        """The refusal, if the face is too much like one that is enrolled."""
        nearest = self._index.search(embedding, 2)
        if not nearest:
            return None
        names = self.store.names([match.subject_id for match in nearest])
        own = next((match for match in nearest if names[match.subject_id] == ready.name), None)
        if own is not None:
            twin = self._duplicates.find(own, ready.cut.crop_rgb)
            if twin is not None:
                same = f"almost the same picture as {twin}, which is enrolled"
                return _refused(ready.path, ready.name, Refusal.NEAR_DUPLICATE, same)
        best = nearest[0]
        threshold = self._thresholds.for_subject(best.subject_id)
        if ready.options.allow_lookalike or best is own or best.similarity < threshold:
            return None
        alike = (
            f"looks like {names[best.subject_id]}, who is enrolled (similarity {best.similarity:.3f}, "
            f"threshold {threshold:.3f}); --allow-lookalike enrolls it nevertheless"
        )
        return _refused(ready.path, ready.name, Refusal.LOOKALIKE, alike, best.subject_id)


def _known(path: Path, name: str) -> Enrollment:
    return Enrollment(path, name, Status.SKIPPED, detail="enrolled already")


def _refused(
    path: Path, name: str, refusal: Refusal, detail: str, resembles: str | None = None
) -> Enrollment:
    return Enrollment(path, name, Status.REFUSED, refusal, detail, resembles=resembles)


def _problem(faces: Sequence[CutFace], options: EnrollOptions) -> tuple[Refusal, str] | None:
    """Why the first of these faces cannot be enrolled; they are sorted by prominence."""
    if not faces:
        return Refusal.NO_FACE, "no face was found"
    sides = sorted((side_px(cut.face) for cut in faces), reverse=True)
    if len(faces) > 1 and not options.largest and sides[1] > options.second_face * sides[0]:
        return Refusal.SECOND_FACE, (
            f"a second face is {sides[1] / sides[0]:.0%} as large as the largest; --largest takes the "
            "largest, and of several alike the one nearest to the middle"
        )
    quality = faces[0].quality
    if not quality.usable:
        return Refusal.LOW_QUALITY, f"the face cannot be used: {', '.join(quality.reasons)}"
    if quality.value < options.min_quality:
        return (
            Refusal.LOW_QUALITY,
            f"the face's quality is {quality.value:.2f}, below {options.min_quality:.2f}",
        )
    return None


def _passed_over(faces: Sequence[CutFace]) -> str:
    if len(faces) == 1:
        return ""
    largest = max(side_px(cut.face) for cut in faces) == side_px(faces[0].face)
    return f"the {'largest' if largest else 'most central'} of {len(faces)} faces was taken"
