"""Brings a database to the schema of this program, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from pipeline.errors import GalleryCorrupt, GalleryError

HEAD = "0010"
"""The newest revision in ``gallery/migrations/versions``; known here so that opening is quick."""


def ensure_schema(connection: Connection) -> None:
    """Create or migrate the tables inside the caller's transaction.

    Raises:
        GalleryCorrupt: there are tables, but not those of Pinwatch.
        GalleryError: the schema is newer than this program.
    """
    revision = current_revision(connection)
    if revision == HEAD:
        return
    _check_known(revision)
    _upgrade(connection)


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; ``None`` for an empty one."""
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)
    if names:
        raise GalleryCorrupt(
            f"{connection.engine.url.database} is a database, but not one of Pinwatch: "
            "choose another folder with --data"
        )
    return None


def _check_known(revision: str | None) -> None:
    if revision is not None and revision > HEAD:
        raise GalleryError(
            f"the gallery has schema {revision} and this Pinwatch knows up to {HEAD}: "
            "it was made by a newer Pinwatch; upgrade this one"
        )


def _upgrade(connection: Connection) -> None:
    # Alembic is slow to import, and most openings find the schema as it should be.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
