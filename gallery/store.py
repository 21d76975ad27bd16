"""The gallery's front door: subjects, their templates and photographs, and the history of both."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sqlalchemy import select

from gallery import subjects as people
from gallery import templates as rows
from gallery.calibrations import calibration_at
from gallery.changes import Changed, nobody_told
from gallery.database import Database
from gallery.epochs import current_epoch, lock_epoch, raise_epoch
from gallery.list_rows import thresholds_at
from gallery.names import clean_name
from gallery.photo_files import FOLDER, PhotoFiles
from gallery.records import Added, Delta, NewTemplate, PhotoRecord, Snapshot, StoredTemplate, Subject
from gallery.tables import photos, templates
from gallery.times import utc_text_from_ns
from pipeline.errors import GalleryBusy, UsageError
from pipeline.types import TemplateKey, Thresholds


def random_id() -> str:
    """An opaque id: 64 random bits."""
    return secrets.token_hex(8)


class GalleryStore:
    """Who is enrolled, now and at any earlier epoch.

    Every method is one transaction; what it returned from is durable.

    Args:
        database: Where it is kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        new_id: Makes subject ids.
        on_change: Told of every change when it is durable: what was done, to whom, and the epoch since.
    """

    def __init__(
        self,
        database: Database,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = random_id,
        on_change: Changed = nobody_told,
    ) -> None:
        self.database = database
        self.photos = PhotoFiles(database.folder / FOLDER)
        self._now_ns = now_ns
        self._new_id = new_id
        self._on_change = on_change

    def epoch(self) -> int:
        """The gallery epoch now."""
        with self.database.read() as connection:
            return current_epoch(connection)

    def key(self) -> TemplateKey | None:
        """What made the templates; ``None`` for a gallery without any."""
        with self.database.read() as connection:
            return rows.key_at(connection)

    def check_key(self, key: TemplateKey) -> None:
        """Raise ``TemplateKeyMismatch`` unless the gallery can be compared with embeddings of `key`."""
        with self.database.read() as connection:
            rows.check_key(connection, key)

    def subjects(self, epoch: int | None = None) -> list[Subject]:
        """Everybody enrolled, by name; `epoch` asks for an earlier time."""
        with self.database.read() as connection:
            return people.all_subjects(connection, epoch)

    def subject(self, name_or_id: str) -> Subject:
        """Raises ``SubjectNotFound``."""
        with self.database.read() as connection:
            return people.get_subject(connection, name_or_id)

    def names(self, ids: Collection[str]) -> dict[str, str]:
        """Names to show for subject ids, of removed subjects too; unknown ids are left out."""
        with self.database.read() as connection:
            return people.names_by_id(connection, ids)

    def templates(self, subject_id: str | None = None, epoch: int | None = None) -> list[StoredTemplate]:
        """The templates of one subject, or of all, with their photographs; now, or as of an epoch.

        Raises:
            UsageError: that epoch has not been yet.
        """
        own = None if subject_id is None else templates.c.subject_id == subject_id
        with self.database.read() as connection:
            if epoch is not None:
                _check_past(epoch, current_epoch(connection))
            return rows.stored_templates(connection, own, epoch)

    def list_thresholds(self, epoch: int) -> dict[str, float]:
        """The match thresholds that watch lists set as of an epoch, by subject."""
        with self.database.read() as connection:
            return thresholds_at(connection, epoch)

    def has_photo(self, name: str, sha256: str) -> bool:
        """Whether this photograph is enrolled for that subject now."""
        with self.database.read() as connection:
            subject_id = people.id_of_name(connection, clean_name(name))
            same = (templates.c.subject_id == subject_id) & (templates.c.photo_sha256 == sha256)
            return bool(rows.stored_templates(connection, same))

    def add(self, name: str, template: NewTemplate, photo: PhotoRecord, data: bytes) -> Added:
        """Enroll one face for the subject of that name, who is made if there is none.

        The photograph is on disk before the row is committed: a crash leaves at worst a file that
        nothing refers to, never a row without its file.

        Args:
            name: See ``gallery.names.clean_name``.
            template: The face.
            photo: What it was cut from.
            data: The photograph's bytes.

        Raises:
            UsageError: the name cannot be one.
            TemplateKeyMismatch: the gallery's templates were made by another model.
            StorageError: disk full or no permission; the gallery is as before.
        """
        name = clean_name(name)
        now = utc_text_from_ns(self._now_ns())
        with self.database.write() as connection:
            epoch = lock_epoch(connection)
            rows.check_key(connection, template.embedding.key)
            subject_id = people.id_of_name(connection, name) or self._new_id()
            own = (templates.c.subject_id == subject_id) & (templates.c.photo_sha256 == photo.sha256)
            for known in rows.stored_templates(connection, own):
                return Added(subject_id, known.id, epoch, new=False)
            self.photos.put(photo, data)
            epoch = raise_epoch(connection)
            people.ensure_subject(connection, subject_id, name, now, epoch)
            rows.insert_photo(connection, photo, now)
            template_id = rows.insert_template(connection, subject_id, photo.sha256, template, epoch)
        self._on_change("enroll", [subject_id], epoch)
        return Added(subject_id, template_id, epoch, new=True)

    def remove(self, name_or_id: str) -> int:
        """Recognise the subject no longer, from the epoch that is returned on.

        Rows and photographs stay, so that earlier decisions can still be explained.

        Raises:
            SubjectNotFound: nobody is enrolled so.
        """
        with self.database.write() as connection:
            lock_epoch(connection)
            subject = people.get_subject(connection, name_or_id)
            epoch = raise_epoch(connection)
            people.remove_subject(connection, subject.id, epoch)
        self._on_change("remove", [subject.id], epoch)
        return epoch

    def remove_photo(self, name_or_id: str, sha256: str) -> int:
        """Take one photograph of a subject out, named by its checksum or how that begins.

        Raises:
            SubjectNotFound: nobody is enrolled so.
            UsageError: no photograph of theirs, or more than one, begins so.
        """
        with self.database.write() as connection:
            lock_epoch(connection)
            subject = people.get_subject(connection, name_or_id)
            own = rows.stored_templates(connection, templates.c.subject_id == subject.id)
            found = [template.id for template in own if template.photo.sha256.startswith(sha256)]
            if len(found) != 1 or not sha256:
                raise UsageError(
                    f"{len(found)} photographs of {subject.name} have a checksum that begins {sha256!r}"
                )
            epoch = raise_epoch(connection)
            rows.remove_templates(connection, found, epoch)
        self._on_change("remove-photo", [subject.id], epoch)
        return epoch

    def rename(self, name_or_id: str, new_name: str) -> None:
        """Call the subject something else. Decisions carry ids, so no epoch is needed.

        Raises:
            SubjectNotFound: nobody is enrolled so.
            SubjectExists: somebody else has the new name.
            UsageError: the new name cannot be one.
        """
        name = clean_name(new_name)
        with self.database.write() as connection:
            epoch = lock_epoch(connection)
            subject = people.get_subject(connection, name_or_id)
            people.rename_subject(connection, subject.id, name)
        self._on_change("rename", [subject.id], epoch)

    def replace(self, pairs: Sequence[tuple[StoredTemplate, NewTemplate]], drop: Sequence[int] = ()) -> int:
        """Put new templates in the place of old ones and drop others, all in one epoch.

        Raises:
            GalleryBusy: the gallery is not any more what `pairs` and `drop` were made from.
        """
        ids = [old.id for old, _ in pairs] + list(drop)
        with self.database.write() as connection:
            lock_epoch(connection)
            if sorted(rows.live_ids(connection)) != sorted(ids):
                raise GalleryBusy("the gallery was changed meanwhile, so nothing was replaced: try again")
            epoch = raise_epoch(connection)
            rows.remove_templates(connection, ids, epoch)
            for old, new in pairs:
                rows.insert_template(connection, old.subject_id, old.photo.sha256, new, epoch)
        self._on_change("replace-templates", sorted({old.subject_id for old, _ in pairs}), epoch)
        return epoch

    def snapshot(self, key: TemplateKey, epoch: int | None = None) -> Snapshot:
        """The gallery as of an epoch, or now.

        Raises:
            TemplateKeyMismatch: there are templates, but made by another model.
            UsageError: that epoch has not been yet.
        """
        with self.database.read() as connection:
            now = current_epoch(connection)
            at = now if epoch is None else epoch
            _check_past(at, now)
            rows.check_key(connection, key, at)
            return rows.snapshot_at(connection, key, at, thresholds_at(connection, at))

    def delta(self, key: TemplateKey, since: int) -> Delta:
        """What changed after epoch `since`.

        Raises:
            TemplateKeyMismatch: the templates were made again by another model meanwhile.
            UsageError: that epoch has not been yet.
        """
        with self.database.read() as connection:
            now = current_epoch(connection)
            _check_past(since, now)
            rows.check_key(connection, key)
            return rows.delta_between(connection, key, since, now, thresholds_at(connection, now))

    def thresholds(self, key: TemplateKey, card: Thresholds, epoch: int | None = None) -> Thresholds:
        """When a similarity names somebody: the newest calibration of `key`, else the model's card.

        Args:
            key: What makes the embeddings.
            card: The thresholds of the model's card.
            epoch: As of when; the same epoch as the snapshot's gives thresholds that belong to it.
        """
        with self.database.read() as connection:
            at = current_epoch(connection) if epoch is None else epoch
            saved = calibration_at(connection, key, at)
            by_subject = {**card.by_subject, **thresholds_at(connection, at)}
        if saved is None:
            return replace(card, by_subject=by_subject)
        origin = f"calibration:{saved.id}"
        return replace(card, match=saved.match, margin=saved.margin, by_subject=by_subject, origin=origin)

    def sweep(self) -> int:
        """Delete photographs that a crash left without a row; nobody can enroll meanwhile.

        Returns how many.
        """
        with self.database.write() as connection:
            lock_epoch(connection)
            known = set(connection.execute(select(photos.c.sha256)).scalars())
            return self.photos.sweep(known)


def _check_past(epoch: int, now: int) -> None:
    if not 0 <= epoch <= now:
        raise UsageError(f"the gallery has had the epochs 0 to {now}, not {epoch}")
