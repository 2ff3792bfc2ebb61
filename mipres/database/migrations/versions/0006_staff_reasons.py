"""Why a session of support reads the encrypted data of one registration.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "staff_reasons",
        sa.Column("session_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("reference", sa.String(length=15), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_hash"],
            ["staff_sessions.id_hash"],
            name=op.f("fk_staff_reasons_session_hash_staff_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_hash", "reference", name=op.f("pk_staff_reasons")),
    )


def downgrade() -> None:
    op.drop_table("staff_reasons")
