"""What applications still have to hear: its index, and the erased accounts.

A grant outlives its account until its application knows; it holds random numbers alone.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_FOREIGN_KEY = "fk_oidc_grants_account_id_accounts"
_END_WITH_ERASURE = """
CREATE FUNCTION end_grants_of_erased_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE oidc_grants SET ended_at = now() WHERE account_id = OLD.id AND ended_at IS NULL;
    RETURN NULL;
END $$
"""
_AFTER_ERASURE = (
    "CREATE TRIGGER end_grants_of_erased AFTER DELETE ON accounts"
    " FOR EACH ROW EXECUTE FUNCTION end_grants_of_erased_account()"
)


def upgrade() -> None:
    op.drop_constraint(op.f(_FOREIGN_KEY), "oidc_grants", type_="foreignkey")
    op.execute(_END_WITH_ERASURE)
    op.execute(_AFTER_ERASURE)
    op.create_index(
        op.f("ix_oidc_grants_to_announce"),
        "oidc_grants",
        ["client_id", "ended_at"],
        postgresql_where=sa.text("ended_at IS NOT NULL AND announced_at IS NULL"),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER end_grants_of_erased ON accounts")
    op.execute("DROP FUNCTION end_grants_of_erased_account()")
    op.execute("DELETE FROM oidc_grants WHERE account_id NOT IN (SELECT id FROM accounts)")
    op.create_foreign_key(
        op.f(_FOREIGN_KEY), "oidc_grants", "accounts", ["account_id"], ["id"], ondelete="CASCADE"
    )
    op.drop_index(op.f("ix_oidc_grants_to_announce"), "oidc_grants")
