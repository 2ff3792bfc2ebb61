"""The secret of codes that waits for its first code is seen by one session.

A person who knew the password saw the same secret in a session of their own, and knew it after the owner had
confirmed it.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("second_factors", sa.Column("waiting_session", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("second_factors", "waiting_session")
