"""An index of what applications are still to be told of.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_oidc_grants_to_announce"),
        "oidc_grants",
        ["client_id", "ended_at"],
        postgresql_where=sa.text("ended_at IS NOT NULL AND announced_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_oidc_grants_to_announce"), "oidc_grants")
