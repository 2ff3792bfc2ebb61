"""What people allow applications outside the state: one row for each scope.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_consents",
        sa.Column("account_id", sa.Uuid(), primary_key=True),
        sa.Column("client_id", sa.Text(), primary_key=True),
        sa.Column("scope", sa.Text(), primary_key=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            ondelete="CASCADE",
            name=op.f("fk_oidc_consents_account_id_accounts"),
        ),
    )


def downgrade() -> None:
    op.drop_table("oidc_consents")
