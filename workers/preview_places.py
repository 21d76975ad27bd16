"""Where the pictures of every camera can be had: the table in which readers say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from gallery.database import insert_new
from gallery.tables import camera_leases, reader_previews, readers

if TYPE_CHECKING:
    from gallery.database import Database


@dataclass(frozen=True, slots=True)
class PreviewPlace:
    """Who reads a camera now.

    Attributes:
        reader_id: The reader that holds its lease.
        beat: Counter of the lease; it moves for as long as the reader lives.
        url: Where that reader shows its pictures; ``None`` where it shows none.
    """

    reader_id: str
    beat: int
    url: str | None


class PreviewPlaces:
    """The places of all readers.

    Args:
        database: Shared by readers and consoles.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, reader_id: str, url: str) -> None:
        """Say where `reader_id` shows pictures; again and again, for others strike off whom they hold dead.

        Raises:
            StorageError, GalleryBusy: the database cannot be reached.
        """
        if self._url_of(reader_id) == url:
            return
        with self._database.write() as connection:
            gone = reader_previews.c.reader_id.not_in(select(readers.c.reader_id))
            connection.execute(delete(reader_previews).where(gone))
            insert_new(connection, reader_previews, reader_id=reader_id, url=url)

    def withdraw(self, reader_id: str) -> None:
        """It shows none any more."""
        with self._database.write() as connection:
            connection.execute(delete(reader_previews).where(reader_previews.c.reader_id == reader_id))

    def of_cameras(self) -> Mapping[str, PreviewPlace]:
        """Every leased camera by its name.

        Raises:
            StorageError, GalleryBusy: the database cannot be reached.
        """
        wanted = select(
            camera_leases.c.camera_id, camera_leases.c.reader_id, camera_leases.c.beat, reader_previews.c.url
        ).outerjoin(reader_previews, reader_previews.c.reader_id == camera_leases.c.reader_id)
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
        return {str(row.camera_id): PreviewPlace(str(row.reader_id), int(row.beat), row.url) for row in rows}

    def _url_of(self, reader_id: str) -> str | None:
        own = reader_previews.c.reader_id == reader_id
        with self._database.read() as connection:
            return connection.execute(select(reader_previews.c.url).where(own)).scalar_one_or_none()
