"""How a session of support was authenticated.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    methods = postgresql.ARRAY(sa.Text())
    op.add_column(
        "staff_sessions", sa.Column("amr", methods, server_default=sa.text("'{pwd}'"), nullable=False)
    )
    op.add_column("staff_sessions", sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in ("authenticated_at", "amr"):
        op.drop_column("staff_sessions", column)
