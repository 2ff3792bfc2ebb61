"""indexes for the daily purge.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_accounts_unfinished",
        "accounts",
        ["updated_at"],
        unique=False,
        postgresql_where="password_hash IS NULL",
    )
    op.create_index(op.f("ix_password_links_expires_at"), "password_links", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_password_links_expires_at"), table_name="password_links")
    op.drop_index("ix_accounts_unfinished", table_name="accounts", postgresql_where="password_hash IS NULL")
