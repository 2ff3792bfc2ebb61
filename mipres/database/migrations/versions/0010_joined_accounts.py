"""Which account goes on for one whose document was replaced.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("joined_to", sa.Uuid(), nullable=True))
    op.add_column("accounts", sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(
        op.f("fk_accounts_joined_to_accounts"),
        "accounts",
        "accounts",
        ["joined_to"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(op.f("ix_accounts_joined_to"), "accounts", ["joined_to"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_accounts_joined_to"), table_name="accounts")
    op.drop_constraint(op.f("fk_accounts_joined_to_accounts"), "accounts", type_="foreignkey")
    for column in ("joined_at", "joined_to"):
        op.drop_column("accounts", column)
