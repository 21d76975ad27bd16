"""Who may use the console: users, their cameras, sessions, tokens, and failed logins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TIME = sa.String(length=32)


def upgrade() -> None:
    _users()
    _groups()
    _secrets()
    op.create_table(
        "console_attempts",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_console_attempts"),
    )


def _users() -> None:
    op.create_table(
        "console_users",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("disabled_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_console_users"),
        sa.UniqueConstraint("name", name="uq_console_users_name"),
    )


def _groups() -> None:
    op.create_table(
        "console_groups",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("group_id", name="pk_console_groups"),
        sa.UniqueConstraint("name", name="uq_console_groups_name"),
    )
    op.create_table(
        "console_group_cameras",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("camera_id", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "camera_id", name="pk_console_group_cameras"),
        _of_group("console_group_cameras"),
    )
    op.create_table(
        "console_user_groups",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "group_id", name="pk_console_user_groups"),
        _of_user("console_user_groups"),
        _of_group("console_user_groups"),
    )


def _secrets() -> None:
    op.create_table(
        "console_links",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=32)),
        sa.Column("expires_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_console_links"),
        _of_user("console_links"),
    )
    op.create_table(
        "console_sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("begun_ns", sa.BigInteger(), nullable=False),
        sa.Column("used_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_console_sessions"),
        _of_user("console_sessions"),
    )
    op.create_table(
        "console_tokens",
        sa.Column("token_id", sa.String(length=32), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("token_id", name="pk_console_tokens"),
        sa.UniqueConstraint("token_sha256", name="uq_console_tokens_token_sha256"),
        _of_user("console_tokens"),
    )
    for table in ("console_sessions", "console_tokens"):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["console_users.user_id"], name=f"fk_{table}_user_id")


def _of_group(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["group_id"], ["console_groups.group_id"], name=f"fk_{table}_group_id", ondelete="CASCADE"
    )


def downgrade() -> None:
    for table in ("attempts", "tokens", "sessions", "links"):
        op.drop_table(f"console_{table}")
    for table in ("user_groups", "group_cameras", "groups", "users"):
        op.drop_table(f"console_{table}")
