"""Conditions that searches share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Table

from gallery.times import utc_text
from pipeline.errors import UsageError


def seen_between(
    column: Column[Any], since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    """Last seen at `since` or later and before `until`; either leaves out rows without wall time.

    Raises:
        UsageError: a time has no zone.
    """
    wanted: list[ColumnElement[bool]] = []
    if since is not None:
        wanted.append(column >= utc_text(since))
    if until is not None:
        wanted.append(column < utc_text(until))
    return wanted


def among(table: Table, wanted: Mapping[str, Collection[str]]) -> list[ColumnElement[bool]]:
    """For each column that names values, one of them; an empty collection asks for nothing."""
    return [table.c[name].in_(sorted(values)) for name, values in wanted.items() if values]


def check_limit(limit: int) -> None:
    """Raise ``UsageError`` unless `limit` asks for something."""
    if limit < 1:
        raise UsageError(f"the limit must be 1 or more, not {limit}")
