"""Failed logins by origin, so that strangers lock only themselves out.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_origins",
        sa.Column("origin_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("login_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("origin_hash", name=op.f("pk_login_origins")),
    )
    op.create_index(op.f("ix_login_origins_login_hash"), "login_origins", ["login_hash"], unique=False)
    op.create_index(op.f("ix_login_origins_failed_at"), "login_origins", ["failed_at"], unique=False)


def downgrade() -> None:
    op.drop_table("login_origins")
