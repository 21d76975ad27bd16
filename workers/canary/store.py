"""Where canaries are kept: in tables of their own, which nothing that is matched live reads."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import cv2
import numpy as np
from sqlalchemy import Connection, Row, delete, func, insert, select

from gallery.database import Database
from gallery.names import clean_name
from gallery.tables import canaries, canary_photos
from gallery.times import utc_text_from_ns
from pipeline.errors import GalleryCorrupt, SubjectExists, SubjectNotFound, UsageError
from pipeline.types import ALIGN_VERSION, ByteArray
from workers.canary.records import MIN_PHOTOS, Canary, CanaryPhoto, Consent, Face, NewPhoto, enrolled_of

_SHOWN = (
    canary_photos.c.photo_id,
    canary_photos.c.canary_id,
    canary_photos.c.position,
    canary_photos.c.enrolled,
    canary_photos.c.quality,
    canary_photos.c.detector_id,
    canary_photos.c.probed_at,
)


class CanaryStore:
    """Who lets their face be attacked, with the faces.

    Whose consent is over is never returned, also before :meth:`expire` has deleted them.

    Args:
        database: Where.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        new_id: Makes ids.
    """

    def __init__(
        self,
        database: Database,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._database, self._now_ns, self._new_id = database, now_ns, new_id

    def add(self, name: str, consent: Consent, photos: Sequence[NewPhoto]) -> Canary:
        """Take somebody in, with all their photographs.

        Raises:
            UsageError: the name cannot be one, the consent is over, there are too few photographs, or two of
                them are the same.
            SubjectExists: there is a canary of that name.
        """
        name = clean_name(name, "canary")
        _check(name, consent, photos, self._now())
        canary_id = self._new_id()
        with self._database.write() as connection:
            if connection.execute(select(canaries).where(canaries.c.name == name)).first():
                raise SubjectExists(f"there is a canary called {name!r}: remove it first")
            connection.execute(insert(canaries).values(_row(canary_id, name, consent)))
            connection.execute(insert(canary_photos), self._photo_rows(canary_id, photos))
        return self.get(canary_id)

    def all(self) -> list[Canary]:
        """Everybody, by name."""
        wanted = select(canaries).where(self._consenting()).order_by(canaries.c.name)
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
            photos = _photos(connection, [row.canary_id for row in rows])
        return [_canary(row, photos.get(row.canary_id, ())) for row in rows]

    def get(self, name_or_id: str) -> Canary:
        """Raises ``SubjectNotFound``."""
        named = (canaries.c.canary_id == name_or_id) | (canaries.c.name == name_or_id)
        with self._database.read() as connection:
            row = connection.execute(select(canaries).where(named, self._consenting())).first()
            if row is None:
                raise SubjectNotFound(f"there is no canary {name_or_id!r}: `pinwatch canary list` names all")
            photos = _photos(connection, [row.canary_id])
        return _canary(row, photos.get(row.canary_id, ()))

    def crop(self, canary_id: str, photo_id: str) -> ByteArray:
        """The kept face, uint8 (112, 112, 3) RGB.

        Raises:
            SubjectNotFound: there is no such canary, or no such photograph of theirs.
        """
        self.get(canary_id)
        own = (canary_photos.c.canary_id == canary_id) & (canary_photos.c.photo_id == photo_id)
        with self._database.read() as connection:
            data = connection.execute(select(canary_photos.c.crop).where(own)).scalar()
        if data is None:
            raise SubjectNotFound(f"the canary {canary_id} has no photograph {photo_id}")
        return decode_crop(data)

    def faces(self) -> list[Face]:
        """All kept faces with their pixels, in the order of people and photographs."""
        wanted = (
            select(canary_photos)
            .join(canaries, canaries.c.canary_id == canary_photos.c.canary_id)
            .where(self._consenting(), canary_photos.c.align_version == ALIGN_VERSION)
            .order_by(canary_photos.c.canary_id, canary_photos.c.position)
        )
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
        return [
            Face(
                row.photo_id,
                row.canary_id,
                row.enrolled,
                row.quality,
                decode_crop(row.crop),
                row.probed_at,
            )
            for row in rows
        ]

    def probes(self) -> int:
        """How many faces could be attacked."""
        wanted = (
            select(func.count())
            .select_from(canary_photos.join(canaries))
            .where(self._consenting(), ~canary_photos.c.enrolled)
        )
        with self._database.read() as connection:
            return connection.execute(wanted).scalar_one()

    def remove(self, canary_id: str) -> None:
        """Delete somebody and all their faces. Raises ``SubjectNotFound``."""
        with self._database.write() as connection:
            if not _delete(connection, [canary_id]):
                raise SubjectNotFound(f"there is no canary {canary_id!r}: `pinwatch canary list` names all")

    def expire(self) -> list[str]:
        """Delete everybody whose consent is over; their ids."""
        over = select(canaries.c.canary_id).where(canaries.c.until <= self._now())
        with self._database.read() as connection:
            ids = list(connection.execute(over).scalars())
        if not ids:
            return []
        with self._database.write() as connection:
            _delete(connection, ids)
        return ids

    def _photo_rows(self, canary_id: str, photos: Sequence[NewPhoto]) -> list[dict[str, Any]]:
        enrolled = enrolled_of(len(photos))
        return [
            {
                "photo_id": self._new_id(),
                "canary_id": canary_id,
                "position": position,
                "enrolled": position < enrolled,
                "crop": encode_crop(photo.crop_rgb),
                "quality": photo.quality,
                "detector_id": photo.detector_id,
                "align_version": ALIGN_VERSION,
                "probed_at": None,
            }
            for position, photo in enumerate(photos)
        ]

    def _consenting(self) -> Any:
        return canaries.c.until > self._now()

    def _now(self) -> str:
        return utc_text_from_ns(self._now_ns())


def _check(name: str, consent: Consent, photos: Sequence[NewPhoto], now: str) -> None:
    if consent.until <= now:
        raise UsageError(f"the consent of {name} is over already: it must end later than now")
    if len(photos) < MIN_PHOTOS:
        raise UsageError(
            f"{len(photos)} photographs of {name} are too few: one is enrolled, and another one is attacked"
        )
    if len({photo.crop_rgb.tobytes() for photo in photos}) < len(photos):
        raise UsageError(f"two photographs of {name} are the same: give different ones")


def _row(canary_id: str, name: str, consent: Consent) -> dict[str, str]:
    return {
        "canary_id": canary_id,
        "name": name,
        "consent": consent.text,
        "taken_by": consent.taken_by,
        "taken_at": consent.taken_at,
        "until": consent.until,
    }


def _delete(connection: Connection, ids: Collection[str]) -> int:
    connection.execute(delete(canary_photos).where(canary_photos.c.canary_id.in_(ids)))
    return connection.execute(delete(canaries).where(canaries.c.canary_id.in_(ids))).rowcount


def _photos(connection: Connection, ids: Collection[str]) -> dict[str, list[CanaryPhoto]]:
    own = canary_photos.c.canary_id.in_(ids)
    found: dict[str, list[CanaryPhoto]] = {}
    for row in connection.execute(select(*_SHOWN).where(own).order_by(canary_photos.c.position)):
        photo = CanaryPhoto(
            row.photo_id, row.position, row.enrolled, row.quality, row.detector_id, row.probed_at
        )
        found.setdefault(row.canary_id, []).append(photo)
    return found


def _canary(row: Row[Any], photos: Sequence[CanaryPhoto]) -> Canary:
    consent = Consent(row.consent, row.taken_by, row.taken_at, row.until)
    return Canary(row.canary_id, row.name, consent, tuple(photos))


def encode_crop(crop_rgb: ByteArray) -> bytes:
    """uint8 (112, 112, 3) RGB as PNG: nothing of it is lost."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(crop_rgb[:, :, ::-1]))
    return data.tobytes()


def decode_crop(data: bytes) -> ByteArray:
    """The other way. Raises ``GalleryCorrupt``."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise GalleryCorrupt("a canary's face in the database cannot be read: remove and add that canary")
    return np.ascontiguousarray(image[:, :, ::-1]).astype(np.uint8, copy=False)
