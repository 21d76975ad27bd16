"""Erases people for good: what will be gone, the deed itself, and the receipt."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select
from starlette.exceptions import HTTPException

from audit.erase import Eraser, Receipt
from audit.search.faces import FaceStore
from audit.search.sightings import SightingFilter, SightingSearch
from gallery.database import Database
from gallery.store import GalleryStore
from gallery.tables import subjects, templates
from pipeline.errors import UsageError
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.people.receipts import Receipts


@dataclass(frozen=True, slots=True)
class ToErase:
    """Somebody who can be erased, and what will be gone.

    Attributes:
        id: Opaque, and all that stays.
        name: Theirs.
        removed: Whether they were removed before, and are only remembered.
        templates: How many.
        sightings: How many decisions named them.
        faces: How many tracks show them, as was decided or as people said.
    """

    id: str
    name: str
    removed: bool
    templates: int
    sightings: int
    faces: int


class Erasing:
    """Erasing behind the console.

    Args:
        database: Where people are.
        gallery: Names them.
        make_eraser: Makes what erases; ``None``: not from here.
        receipts: Keeps receipts.
        record: Told who did what to whom.
    """

    def __init__(
        self,
        database: Database,
        gallery: GalleryStore,
        make_eraser: Callable[[], Eraser] | None,
        receipts: Receipts,
        record: RecordAccess,
    ) -> None:
        self._database, self._gallery, self._make_eraser = database, gallery, make_eraser
        self._receipts, self._record = receipts, record

    def preview(self, principal: Principal, subject_id: str) -> ToErase:
        """What will be gone. Raises ``HTTPException`` 404."""
        name = self._gallery.names([subject_id]).get(subject_id)
        if name is None:
            raise HTTPException(404, "nobody is, or was, enrolled so, or they were erased")
        self._record(principal.who, "erasure considered", [subject_id])
        with self._database.read() as connection:
            own = select(func.count()).where(templates.c.subject_id == subject_id)
            live = select(subjects.c.epoch_removed).where(subjects.c.id == subject_id)
            kept, removed = connection.execute(own).scalar_one(), connection.execute(live).scalar_one()
        named = SightingSearch(self._database).count(SightingFilter(subject_ids=(subject_id,)))
        faces = len(FaceStore(self._database).of_subject(subject_id))
        return ToErase(subject_id, name, removed is not None, int(kept), named, faces)

    def removed(self, principal: Principal) -> list[tuple[str, str]]:
        """Ids and names of who was removed and is still remembered, by name."""
        query = (
            select(subjects.c.id, subjects.c.name)
            .where(subjects.c.epoch_removed.is_not(None), subjects.c.name != "")
            .order_by(subjects.c.name, subjects.c.id)
        )
        with self._database.read() as connection:
            found = [(str(row.id), str(row.name)) for row in connection.execute(query)]
        self._record(principal.who, "removed people listed", [subject_id for subject_id, _ in found])
        return found

    def erase(self, principal: Principal, subject_id: str, typed: str) -> Receipt:
        """Erase somebody for good.

        Args:
            principal: Who wants it.
            subject_id: Whom.
            typed: Their name, as it was typed to be sure.

        Raises:
            HTTPException: 404, nobody is, or was, enrolled so.
            UsageError: another name was typed, or this console does not erase.
            StorageError: something cannot be written.
        """
        if self._make_eraser is None:
            raise UsageError("this console does not erase: use `pinwatch gallery remove --erase`")
        whom = self.preview(principal, subject_id)
        if unicodedata.normalize("NFC", typed).strip() != whom.name:
            raise UsageError("the name that was typed is another one: nobody was erased")
        self._record(principal.who, "erasure begun", [subject_id])
        receipt = self._make_eraser().erase(subject_id, principal.who.by)
        self._receipts.keep(receipt)
        return receipt

    def receipt(self, principal: Principal, subject_id: str) -> Receipt:
        """The receipt of an erasure. Raises ``HTTPException`` 404."""
        found = self._receipts.find(subject_id)
        if found is None:
            raise HTTPException(404, "there is no receipt of such an erasure")
        self._record(principal.who, "receipt of an erasure shown", [subject_id])
        return found
