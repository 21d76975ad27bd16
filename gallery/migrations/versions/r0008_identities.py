"""Users who come in through an identity provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TIME = sa.String(length=32)


def upgrade() -> None:
    op.create_table(
        "console_identities",
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("linked_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_console_identities"),
        sa.UniqueConstraint("user_id", name="uq_console_identities_user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["console_users.user_id"], name="fk_console_identities_user_id"),
    )
    op.create_table(
        "console_provider_logins",
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("link_sha256", sa.String(length=64)),
        sa.Column("begun_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name="pk_console_provider_logins"),
    )
    op.create_table(
        "console_provider_sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("id_token", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_console_provider_sessions"),
        sa.ForeignKeyConstraint(
            ["token_sha256"],
            ["console_sessions.token_sha256"],
            name="fk_console_provider_sessions_token_sha256",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    for table in ("provider_sessions", "provider_logins", "identities"):
        op.drop_table(f"console_{table}")
