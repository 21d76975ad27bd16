"""The first schema: subjects, photographs, templates, lists, calibrations, cameras, sightings."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_LIVE = sa.text("epoch_removed IS NULL")


def upgrade() -> None:
    op.create_table(
        "gallery_epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gallery_epoch"),
    )
    op.execute("INSERT INTO gallery_epoch (id, value) VALUES (1, 0)")
    _create_subjects()
    _create_photos()
    _create_templates()
    _create_watch_lists()
    _create_list_members()
    _create_calibrations()
    _create_cameras()
    _create_sightings()


def downgrade() -> None:
    for name in (
        *("sightings", "stream_epochs", "cameras", "calibrations"),
        *("list_members", "watch_lists", "templates", "photos", "subjects", "gallery_epoch"),
    ):
        op.drop_table(name)


def _row_id(name: str = "id") -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, autoincrement=True, nullable=False)


def _unique_while_live(name: str, table: str, columns: list[str]) -> None:
    op.create_index(name, table, columns, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def _epochs() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("epoch_added", sa.BigInteger(), nullable=False),
        sa.Column("epoch_removed", sa.BigInteger(), nullable=True),
    )


def _key() -> tuple[sa.Column[Any], ...]:
    return tuple(_text(name, 200) for name in ("model_id", "purifier_id", "align_version"))


def _create_subjects() -> None:
    op.create_table(
        "subjects",
        _text("id", 32),
        _text("name", 200),
        _text("created_at", 32),
        *_epochs(),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
    )
    _unique_while_live("uq_subjects_live_name", "subjects", ["name"])


def _create_photos() -> None:
    op.create_table(
        "photos",
        _text("sha256", 64),
        _text("extension", 8),
        _text("original_name", 255),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        _text("created_at", 32),
        sa.PrimaryKeyConstraint("sha256", name="pk_photos"),
    )


def _create_templates() -> None:
    op.create_table(
        "templates",
        _row_id(),
        _text("subject_id", 32),
        _text("photo_sha256", 64),
        *_key(),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        _text("detector_id", 200),
        sa.Column("face", sa.Text(), nullable=False),
        *_epochs(),
        sa.ForeignKeyConstraint(["photo_sha256"], ["photos.sha256"], name="fk_templates_photo_sha256"),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.id"], name="fk_templates_subject_id"),
        sa.PrimaryKeyConstraint("id", name="pk_templates"),
        sqlite_autoincrement=True,
    )
    for name in ("epoch_added", "epoch_removed", "photo_sha256", "subject_id"):
        op.create_index(f"ix_templates_{name}", "templates", [name])
    _unique_while_live("uq_templates_live_photo", "templates", ["subject_id", "photo_sha256"])


def _create_watch_lists() -> None:
    op.create_table(
        "watch_lists",
        _row_id("version"),
        _text("list_id", 32),
        _text("name", 200),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        _text("owner", 200),
        sa.Column("threshold", sa.Float(), nullable=True),
        _text("expires_at", 32, nullable=True),
        _text("created_at", 32),
        *_epochs(),
        sa.PrimaryKeyConstraint("version", name="pk_watch_lists"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_watch_lists_list_id", "watch_lists", ["list_id"])
    _unique_while_live("uq_watch_lists_live_id", "watch_lists", ["list_id"])
    _unique_while_live("uq_watch_lists_live_name", "watch_lists", ["name"])


def _create_list_members() -> None:
    op.create_table(
        "list_members",
        _row_id(),
        _text("list_id", 32),
        _text("subject_id", 32),
        _text("expires_at", 32, nullable=True),
        *_epochs(),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.id"], name="fk_list_members_subject_id"),
        sa.PrimaryKeyConstraint("id", name="pk_list_members"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_list_members_list_id", "list_members", ["list_id"])
    op.create_index("ix_list_members_subject_id", "list_members", ["subject_id"])
    _unique_while_live("uq_list_members_live", "list_members", ["list_id", "subject_id"])


def _create_calibrations() -> None:
    op.create_table(
        "calibrations",
        _row_id(),
        *_key(),
        sa.Column("match_threshold", sa.Float(), nullable=False),
        sa.Column("match_margin", sa.Float(), nullable=False),
        sa.Column("fmr", sa.Float(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        _text("created_at", 32),
        sa.Column("epoch_added", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calibrations"),
        sqlite_autoincrement=True,
    )


def _create_cameras() -> None:
    op.create_table(
        "cameras",
        _text("name", 200),
        sa.Column("settings", sa.Text(), nullable=False),
        _text("created_at", 32),
        sa.PrimaryKeyConstraint("name", name="pk_cameras"),
    )
    op.create_table(
        "stream_epochs",
        _text("camera_id", 200),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name="pk_stream_epochs"),
    )


def _create_sightings() -> None:
    op.create_table(
        "sightings",
        _text("decision_id", 64),
        _text("run_id", 200),
        _text("camera_id", 200),
        sa.Column("stream_epoch", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        _text("revision", 32),
        _text("outcome", 32),
        _text("subject_id", 32, nullable=True),
        _text("candidate_id", 32, nullable=True),
        _text("last_seen_at", 32, nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name="pk_sightings"),
    )
    for name in ("candidate_id", "last_seen_at", "outcome", "run_id", "subject_id"):
        op.create_index(f"ix_sightings_{name}", "sightings", [name])
    op.create_index("ix_sightings_track", "sightings", ["camera_id", "stream_epoch", "track_id"])
