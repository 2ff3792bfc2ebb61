"""The assertions by which applications have proved who they are: each counts once.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_assertions",
        sa.Column("client_id", sa.Text(), primary_key=True),
        sa.Column("jti_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(op.f("ix_oidc_assertions_expires_at"), "oidc_assertions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("oidc_assertions")
