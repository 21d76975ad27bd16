"""Enrolls uploaded photographs: one enroller, and one person's photographs at a time."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from gallery.enroll import Enroller, Enrollment, EnrollOptions, Ready, Refusal, Status
from gallery.names import clean_name
from gallery.photo import decode_photo
from gallery.vision import cut_faces
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.errors import ImageError, PinwatchError
from pipeline.types import Embedding, Thresholds
from workers.console.people.uploads import Upload

log = structlog.get_logger(__name__)

_ADVICE = {
    Refusal.UNREADABLE: "save it as JPEG or PNG and try again",
    Refusal.NO_FACE: "choose a photograph that shows the face from the front, larger and in better light",
    Refusal.SECOND_FACE: "cut the photograph so that one person is left, or choose to take the largest face",
    Refusal.LOW_QUALITY: "choose a sharper, larger or better lit photograph",
    Refusal.NEAR_DUPLICATE: "another photograph would help more",
    Refusal.LOOKALIKE: "check who this is; enroll nevertheless only if these are two people",
}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one photograph, or would.

    Attributes:
        photo: The file's name.
        status: ``enrolled``, ``skipped``, ``refused``; or ``good`` where it was only looked at.
        reason: Why it was refused.
        detail: The same for people.
        advice: What to do about it.
        quality: Of the face, 0..1, where one was found good.
        subject_id: Whom it was enrolled for.
        resembles: Whose face it looks like, if it was refused for that.
    """

    photo: str
    status: str
    reason: str | None
    detail: str
    advice: str
    quality: float | None
    subject_id: str | None
    resembles: str | None = None


class EnrollDesk:
    """Keeps an enroller ready: its networks take seconds to load, and serve one thread.

    Args:
        make: Makes one.
        thresholds: Those in force; when they change, so does the enroller.
    """

    def __init__(self, make: Callable[[], Enroller], thresholds: Callable[[], Thresholds]) -> None:
        self._make, self._thresholds = make, thresholds
        self._lock = threading.Lock()
        self._ready: tuple[Thresholds, Enroller] | None = None
        self._warming: threading.Thread | None = None

    def warm(self) -> None:
        """Load the networks in the background, so that the first photograph need not wait for them."""
        if self._ready is None and self._warming is None:
            self._warming = threading.Thread(target=self._warm, name="load-networks", daemon=True)
            self._warming.start()

    def _warm(self) -> None:
        try:
            with self._lock:
                self._enroller()
        except PinwatchError as error:  # whoever enrolls is told
            log.warning("the networks for enrolling could not be loaded", error=str(error))

    def probe(self, upload: Upload) -> Embedding:
        """The most prominent face of a photograph, to search by. Nothing is kept.

        Raises:
            ImageError: it cannot be read, or shows no face.
        """
        image = decode_photo(upload.data, upload.name).image_bgr
        with self._lock:
            vision = self._enroller().vision
            faces = cut_faces(image, vision)
            if not faces:
                raise ImageError(f"no face was found in {upload.name}: choose another photograph")
            return embed_photo_crops([faces[0].crop_rgb], vision.embedder)[0]

    def look(self, name: str, upload: Upload) -> Enrolled:
        """Say whether the photograph is good enough. Nothing is kept.

        Raises:
            UsageError: the name cannot be one.
        """
        with self._lock, _as_files([upload]) as (path,):
            seen = self._enroller().look(name, path)
        return _outcome(seen, path)

    def enroll(self, name: str, uploads: Sequence[Upload], options: EnrollOptions) -> list[Enrolled]:
        """Enroll photographs of one person; one result each, in order.

        Raises:
            UsageError: the name cannot be one.
            StorageError: disk full or no permission; what was enrolled before that stays.
        """
        clean_name(name)
        with self._lock, _as_files(uploads) as paths:
            enroller = self._enroller()
            return [_enroll_one(enroller, name, path, options) for path in paths]

    def _enroller(self) -> Enroller:
        thresholds = self._thresholds()
        if self._ready is None or self._ready[0] != thresholds:
            self._ready = (thresholds, self._make())
        return self._ready[1]


def _enroll_one(enroller: Enroller, name: str, path: Path, options: EnrollOptions) -> Enrolled:
    seen = enroller.look(name, path, options)
    if not isinstance(seen, Ready):
        return _outcome(seen, path)
    return _outcome(next(iter(enroller.admit([seen]))), path, seen.cut.quality.value)


def _outcome(seen: Ready | Enrollment, path: Path, quality: float | None = None) -> Enrolled:
    if isinstance(seen, Ready):
        found = round(seen.cut.quality.value, 4)
        return Enrolled(path.name, "good", None, seen.detail, "", found, None)
    return Enrolled(
        photo=path.name,
        status=seen.status.value,
        reason=None if seen.refusal is None else seen.refusal.value,
        detail=_for_pages(seen.detail, path),
        advice="" if seen.refusal is None else _ADVICE[seen.refusal],
        quality=round(quality, 4) if quality is not None and seen.status is Status.ENROLLED else None,
        subject_id=seen.subject_id,
        resembles=seen.resembles,
    )


def _for_pages(detail: str, path: Path) -> str:
    """Without the folder that the file was in for a moment, and without options of the command line."""
    return detail.replace(f"{path.parent}/", "").partition("; --")[0]


@contextmanager
def _as_files(uploads: Sequence[Upload]) -> Iterator[list[Path]]:
    """The uploads as files, each under its own name, as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="pinwatch-upload-") as folder:
        paths = []
        for number, upload in enumerate(uploads):
            path = Path(folder) / str(number) / upload.name
            path.parent.mkdir()
            path.write_bytes(upload.data)
            paths.append(path)
        yield paths
