"""Whether a password replaced another one, and the sessions that it ended.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column("is_password_changed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_table(
        "ended_sessions",
        sa.Column("id_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_ended_sessions_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_ended_sessions")),
    )
    op.create_index(op.f("ix_ended_sessions_account_id"), "ended_sessions", ["account_id"], unique=False)
    op.create_index(op.f("ix_ended_sessions_ended_at"), "ended_sessions", ["ended_at"], unique=False)


def downgrade() -> None:
    op.drop_table("ended_sessions")
    op.drop_column("accounts", "is_password_changed")
