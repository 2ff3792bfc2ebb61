"""What a person sees of the own sessions, and the browsers that they know.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "sessions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    )
    op.add_column("sessions", sa.Column("device", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("network", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("previous_login_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "known_browsers",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_known_browsers_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "browser_hash", name=op.f("pk_known_browsers")),
    )
    op.create_index(
        op.f("ix_known_browsers_last_login_at"), "known_browsers", ["last_login_at"], unique=False
    )


def downgrade() -> None:
    op.drop_table("known_browsers")
    for column in ("previous_login_at", "network", "device", "id"):
        op.drop_column("sessions", column)
    op.drop_column("accounts", "last_login_at")
