"""Templates in the database: rows that are added and marked removed, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, Select, insert, select, update

from gallery.epochs import at_epoch
from gallery.records import Delta, NewTemplate, PhotoRecord, Snapshot, StoredTemplate
from gallery.rows import key_of, key_values, photo_values, template_of, template_values, vectors_of
from gallery.tables import photos, templates
from pipeline.errors import TemplateKeyMismatch
from pipeline.types import FloatArray, TemplateKey

_ROWS_AT_ONCE = 500  # a statement takes a bounded number of parameters


def key_at(connection: Connection, epoch: int | None = None) -> TemplateKey | None:
    """What made the templates of the gallery at `epoch`; ``None`` where there are none.

    There is never more than one: templates of two models cannot be compared, so ``reembed``
    replaces all of them in one epoch.
    """
    query = select(templates.c.model_id, templates.c.purifier_id, templates.c.align_version)
    row = connection.execute(query.where(at_epoch(templates, epoch)).limit(1)).mappings().first()
    return None if row is None else key_of(row)


def check_key(connection: Connection, key: TemplateKey, epoch: int | None = None) -> None:
    """Raise unless the gallery's templates at `epoch` can be compared with those of `key`.

    Raises:
        TemplateKeyMismatch: they were made by another model, purifier or alignment.
    """
    found = key_at(connection, epoch)
    if found not in (None, key):
        raise TemplateKeyMismatch(
            f"the gallery's templates were made by {found} and cannot be compared with {key}: choose the "
            "embedder and purifier that made them, or make the templates again from the kept photographs "
            "with `pinwatch gallery reembed`"
        )


def insert_photo(connection: Connection, photo: PhotoRecord, created_at: str) -> None:
    known = select(photos.c.sha256).where(photos.c.sha256 == photo.sha256)
    if connection.execute(known).first() is None:
        connection.execute(insert(photos).values(**photo_values(photo), created_at=created_at))


def insert_template(
    connection: Connection, subject_id: str, photo_sha256: str, template: NewTemplate, epoch: int
) -> int:
    """The id of the new row."""
    row = insert(templates).values(
        **template_values(template), subject_id=subject_id, photo_sha256=photo_sha256, epoch_added=epoch
    )
    return int(connection.execute(row.returning(templates.c.id)).scalar_one())


def live_ids(connection: Connection) -> list[int]:
    """The ids of all templates that there are now."""
    return list(connection.execute(select(templates.c.id).where(at_epoch(templates, None))).scalars())


def remove_templates(connection: Connection, ids: Sequence[int], epoch: int) -> None:
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        some = templates.c.id.in_(ids[start : start + _ROWS_AT_ONCE])
        connection.execute(update(templates).where(some).values(epoch_removed=epoch))


def stored_templates(
    connection: Connection, where: ColumnElement[bool] | None = None, epoch: int | None = None
) -> list[StoredTemplate]:
    """Templates at `epoch` with their photographs, in the order in which they came."""
    columns = [column for column in templates.c if column.name != "vector"]
    there = (at_epoch(templates, epoch), _not_erased())
    query = select(*columns, photos).join(photos).where(*there).order_by(templates.c.id)
    if where is not None:
        query = query.where(where)
    return [template_of(row) for row in connection.execute(query).mappings()]


def snapshot_at(
    connection: Connection, key: TemplateKey, epoch: int, thresholds: dict[str, float]
) -> Snapshot:
    query = _vectors(key).where(at_epoch(templates, epoch))
    ids, subject_ids, vectors = _arrays(connection.execute(query))
    return Snapshot(key, epoch, ids, subject_ids, vectors, thresholds)


def delta_between(
    connection: Connection, key: TemplateKey, since: int, epoch: int, thresholds: dict[str, float]
) -> Delta:
    added = _vectors(key).where(templates.c.epoch_added > since, at_epoch(templates, epoch))
    removed = select(templates.c.id).where(
        *_of(key), templates.c.epoch_added <= since, templates.c.epoch_removed.between(since + 1, epoch)
    )
    ids, subject_ids, vectors = _arrays(connection.execute(added))
    gone = connection.execute(removed.order_by(templates.c.id)).scalars().all()
    return Delta(key, since, epoch, ids, subject_ids, vectors, np.array(gone, np.int64), thresholds)


def _of(key: TemplateKey) -> list[ColumnElement[bool]]:
    return [templates.c[name] == value for name, value in key_values(key).items()]


def _vectors(key: TemplateKey) -> Select[int, str, bytes]:
    columns = (templates.c.id, templates.c.subject_id, templates.c.vector)
    return select(*columns).where(*_of(key), _not_erased()).order_by(templates.c.id)


def _not_erased() -> ColumnElement[bool]:
    """Templates of erased subjects keep their rows, so that running matchers are told, and nothing else."""
    return templates.c.vector != b""


def _arrays(
    rows: Iterable[Row[int, str, bytes]],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], tuple[str, ...], FloatArray]:
    found = list(rows)
    ids = np.array([row[0] for row in found], np.int64)
    return ids, tuple(row[1] for row in found), vectors_of([row[2] for row in found])
