"""What can be done with people, for pages and API alike; each look at somebody is recorded first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gallery.enroll import EnrollOptions
from gallery.lists import WatchLists
from gallery.records import StoredTemplate, Subject
from gallery.store import GalleryStore
from pipeline.errors import SubjectNotFound, UsageError
from workers.console.access.principal import Principal
from workers.console.access.record import Changes, RecordAccess
from workers.console.people.desk import EnrollDesk, Enrolled
from workers.console.people.pictures import face_for_screen, for_screen
from workers.console.people.uploads import Upload

PAGE = 50
MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some people, by name.

    Attributes:
        people: They.
        total: How many there are in all.
        next: Where the next page starts; ``None``: this is the last one.
    """

    people: list[Subject]
    total: int
    next: int | None


@dataclass(frozen=True, slots=True)
class PersonPhoto:
    """An enrolled photograph; `quality` is that of the face, 0..1."""

    sha256: str
    original_name: str
    width_px: int
    height_px: int
    quality: float
    embedder: str
    purifier: str
    detector: str
    gallery_epoch: int


@dataclass(frozen=True, slots=True)
class PhotoOf:
    """Where a photograph of somebody is."""

    subject_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is enrolled, with their photographs and watch lists."""

    id: str
    name: str
    created_at: str
    photos: list[PersonPhoto]
    lists: list[str]


class People:
    """The gallery behind the console.

    Args:
        store: The gallery.
        lists: Watch lists.
        desk: Enrolls.
        record: Told who did what to whom.
        changes: Told by `store` what was changed.
    """

    def __init__(
        self,
        store: GalleryStore,
        lists: WatchLists,
        desk: EnrollDesk,
        record: RecordAccess,
        changes: Changes,
    ) -> None:
        self._store, self._lists, self._desk = store, lists, desk
        self._record, self._changes = record, changes

    def page(self, principal: Principal, search: str = "", start: int = 0, limit: int = PAGE) -> PeoplePage:
        """Those whose name contains `search`, from the `start`-th on."""
        wanted = search.strip().casefold()
        found = [person for person in self._store.subjects() if wanted in person.name.casefold()]
        shown = found[start : start + limit]
        self._record(principal.who, "people listed", [person.id for person in shown])
        end = start + len(shown)
        return PeoplePage(shown, len(found), end if end < len(found) else None)

    def show(self, principal: Principal, subject_id: str) -> Person:
        """Raises ``SubjectNotFound``."""
        subject = self._subject(subject_id)
        self._record(principal.who, "person shown", [subject.id])
        photos = [_photo(template) for template in self._store.templates(subject.id)]
        lists = self._lists.lists_of(subject.id)
        return Person(subject.id, subject.name, subject.created_at, photos, lists)

    def photo(self, principal: Principal, subject_id: str, sha256: str) -> bytes:
        """The photograph as a JPEG for the screen.

        Raises:
            SubjectNotFound: nobody is enrolled so, or not with this photograph.
            GalleryCorrupt: the file is not what was enrolled.
        """
        subject = self._subject(subject_id)
        own = (template.photo for template in self._store.templates(subject.id))
        photo = next((found for found in own if found.sha256 == sha256), None)
        if photo is None:
            raise SubjectNotFound(f"{subject.name} has no such photograph")
        self._record(principal.who, "photograph shown", [subject.id])
        return for_screen(self._store.photos.read(photo), photo.original_name)

    def photo_face(self, principal: Principal, subject_id: str, sha256: str) -> bytes:
        """The face of the photograph as decisions compare it, 112x112, as a PNG.

        Raises:
            SubjectNotFound: nobody is enrolled so, or not with this photograph.
            GalleryCorrupt: the file is not what was enrolled.
        """
        subject = self._subject(subject_id)
        own = self._store.templates(subject.id)
        template = next((found for found in own if found.photo.sha256 == sha256), None)
        if template is None:
            raise SubjectNotFound(f"{subject.name} has no such photograph")
        self._record(principal.who, "photograph shown", [subject.id])
        photo = template.photo
        return face_for_screen(self._store.photos.read(photo), photo.original_name, template.face)

    def best_photo(self, subject_id: str | None) -> PhotoOf | None:
        """Which photograph of somebody is best to compare with; ``None`` for who is not enrolled any more.

        Only where it is: whoever looks at it is recorded then.
        """
        found = [] if subject_id is None else self._store.templates(subject_id)
        best = max(found, key=lambda template: (template.quality, template.id), default=None)
        return None if best is None else PhotoOf(best.subject_id, best.photo.sha256)

    def name_of(self, principal: Principal, subject_id: str) -> str | None:
        """What somebody is called, or was; ``None`` for who was never enrolled."""
        self._record(principal.who, "person named", [subject_id])
        return self._store.names([subject_id]).get(subject_id)

    def warm(self) -> None:
        """See :meth:`EnrollDesk.warm`."""
        self._desk.warm()

    def check(self, name: str, upload: Upload) -> Enrolled:
        """Whether a photograph would do; see :meth:`EnrollDesk.look`."""
        return self._desk.look(name, upload)

    def enroll(
        self, principal: Principal, name: str, uploads: Sequence[Upload], options: EnrollOptions
    ) -> list[Enrolled]:
        """See :meth:`EnrollDesk.enroll`. Recorded before and after: the attempt, and for whom it was."""
        self._record(principal.who, "enrollment begun", ())
        with self._changes.by(principal.who):
            results = self._desk.enroll(name, uploads, options)
        named = (some for result in results for some in (result.subject_id, result.resembles))
        shown = {subject_id for subject_id in named if subject_id is not None}
        self._record(principal.who, f"{len(results)} photographs looked at for enrollment", shown)
        return results

    def rename(self, principal: Principal, subject_id: str, name: str) -> None:
        """Raises ``SubjectNotFound``, ``SubjectExists``, or ``UsageError`` for what cannot be a name."""
        subject = self._subject(subject_id)
        self._record(principal.who, "person renamed", [subject.id])
        with self._changes.by(principal.who):
            self._store.rename(subject.id, name)

    def remove(self, principal: Principal, subject_id: str) -> None:
        """End their recognition. Raises ``SubjectNotFound``."""
        subject = self._subject(subject_id)
        self._record(principal.who, "person removed", [subject.id])
        with self._changes.by(principal.who):
            self._store.remove(subject.id)

    def remove_photo(self, principal: Principal, subject_id: str, sha256: str) -> None:
        """Take one photograph out. Raises ``SubjectNotFound``, or ``UsageError`` if it is not theirs."""
        subject = self._subject(subject_id)
        if all(template.photo.sha256 != sha256 for template in self._store.templates(subject.id)):
            raise UsageError(f"{subject.name} has no such photograph")
        self._record(principal.who, "photograph removed", [subject.id])
        with self._changes.by(principal.who):
            self._store.remove_photo(subject.id, sha256)

    def _subject(self, subject_id: str) -> Subject:
        """By id alone: somebody could be enrolled under a name that is another one's id."""
        subject = self._store.subject(subject_id)
        if subject.id != subject_id:
            raise SubjectNotFound(f"nobody has the id {subject_id!r}")
        return subject


def _photo(template: StoredTemplate) -> PersonPhoto:
    photo = template.photo
    return PersonPhoto(
        sha256=photo.sha256,
        original_name=photo.original_name,
        width_px=photo.width_px,
        height_px=photo.height_px,
        quality=round(template.quality, 4),
        embedder=template.key.model_id,
        purifier=template.key.purifier_id,
        detector=template.detector_id,
        gallery_epoch=template.epoch_added,
    )
