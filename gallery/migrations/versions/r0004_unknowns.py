"""Faces of tracks, groups of unknown people, and what people say of decisions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "unknown_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unknown_version"),
    )
    op.execute("INSERT INTO unknown_version (id, value) VALUES (1, 0)")
    _create_groups()
    _create_faces()
    _create_verdicts()


def downgrade() -> None:
    for name in ("verdicts", "sighting_faces", "unknown_apart", "unknown_groups", "unknown_version"):
        op.drop_table(name)


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def _create_groups() -> None:
    op.create_table(
        "unknown_groups",
        _text("id", 32),
        _text("created_at", 32),
        _text("label", 200, nullable=True),
        _text("state", 16),
        _text("subject_id", 32, nullable=True),
        _text("merged_into", 32, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_unknown_groups"),
    )
    for name in ("subject_id", "merged_into"):
        op.create_index(f"ix_unknown_groups_{name}", "unknown_groups", [name])
    op.create_table(
        "unknown_apart",
        _text("first_id", 32),
        _text("second_id", 32),
        _text("created_at", 32),
        sa.ForeignKeyConstraint(["first_id"], ["unknown_groups.id"], name="fk_unknown_apart_first_id"),
        sa.ForeignKeyConstraint(["second_id"], ["unknown_groups.id"], name="fk_unknown_apart_second_id"),
        sa.PrimaryKeyConstraint("first_id", "second_id", name="pk_unknown_apart"),
    )
    op.create_index("ix_unknown_apart_second_id", "unknown_apart", ["second_id"])


def _create_faces() -> None:
    op.create_table(
        "sighting_faces",
        _text("decision_id", 64),
        _text("camera_id", 200),
        sa.Column("stream_epoch", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        _text("last_seen_at", 32, nullable=True),
        _text("kept_at", 32),
        _text("outcome", 32),
        _text("subject_id", 32, nullable=True),
        *(_text(name, 200) for name in ("model_id", "purifier_id", "align_version")),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        _text("group_id", 32, nullable=True),
        _text("look", 32, nullable=True),
        sa.Column("link", sa.Float(), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["unknown_groups.id"], name="fk_sighting_faces_group_id"),
        sa.PrimaryKeyConstraint("decision_id", name="pk_sighting_faces"),
    )
    for name in ("last_seen_at", "look", "subject_id"):
        op.create_index(f"ix_sighting_faces_{name}", "sighting_faces", [name])
    op.create_index("ix_sighting_faces_group", "sighting_faces", ["group_id", "outcome"])


def _create_verdicts() -> None:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "verdicts",
        sa.Column("id", kind, autoincrement=True, nullable=False),
        _text("decision_id", 64),
        _text("person", 200),
        _text("opinion", 32),
        sa.Column("note", sa.Text(), nullable=False),
        _text("given_at", 32),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_verdicts_decision_id", "verdicts", ["decision_id"])
