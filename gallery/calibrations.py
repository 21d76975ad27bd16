"""Calibrations that were saved: thresholds from the user's own gallery, in place of the card's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from gallery.changes import Changed, nobody_told
from gallery.database import Database
from gallery.epochs import lock_epoch, raise_epoch
from gallery.rows import key_of, key_values
from gallery.tables import calibrations
from gallery.times import utc_text_from_ns
from pipeline.types import TemplateKey


@dataclass(frozen=True, slots=True)
class Calibration:
    """A saved calibration.

    Attributes:
        id: Named in ``Thresholds.origin`` as ``calibration:<id>``.
        key: The templates that it was measured on.
        match: The similarity threshold.
        margin: The lead over the next subject that is asked for.
        fmr: The false match rate that was wanted, one probe against one subject, 0..1.
        report: What was measured, as JSON values.
        created_at: ISO 8601 UTC.
        epoch: From this gallery epoch on it is used.
    """

    id: int
    key: TemplateKey
    match: float
    margin: float
    fmr: float
    report: Mapping[str, Any]
    created_at: str
    epoch: int


class CalibrationStore:
    """Keeps calibrations; the newest one of a key counts."""

    def __init__(
        self,
        database: Database,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        on_change: Changed = nobody_told,
    ) -> None:
        self._database = database
        self._now_ns = now_ns
        self._on_change = on_change

    def save(
        self, key: TemplateKey, *, match: float, margin: float, fmr: float, report: Mapping[str, Any]
    ) -> Calibration:
        """Use these thresholds from a new gallery epoch on."""
        with self._database.write() as connection:
            lock_epoch(connection)
            epoch = raise_epoch(connection)
            connection.execute(
                insert(calibrations).values(
                    **key_values(key),
                    match_threshold=match,
                    match_margin=margin,
                    fmr=fmr,
                    report=json.dumps(report, sort_keys=True),
                    created_at=utc_text_from_ns(self._now_ns()),
                    epoch_added=epoch,
                )
            )
            saved = calibration_at(connection, key, epoch)
        if saved is None:
            raise AssertionError("a row that was just inserted was not found")
        self._on_change("calibrate", [], epoch)
        return saved

    def current(self, key: TemplateKey) -> Calibration | None:
        """The calibration in use for `key`, if one was saved."""
        with self._database.read() as connection:
            return calibration_at(connection, key, None)


def calibration_at(connection: Connection, key: TemplateKey, epoch: int | None) -> Calibration | None:
    """The newest calibration of `key` at `epoch` (``None``: now)."""
    query = select(calibrations).where(
        *(calibrations.c[name] == value for name, value in key_values(key).items())
    )
    if epoch is not None:
        query = query.where(calibrations.c.epoch_added <= epoch)
    row = connection.execute(query.order_by(calibrations.c.id.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    return Calibration(
        id=row["id"],
        key=key_of(row),
        match=row["match_threshold"],
        margin=row["match_margin"],
        fmr=row["fmr"],
        report=json.loads(row["report"]),
        created_at=row["created_at"],
        epoch=row["epoch_added"],
    )
