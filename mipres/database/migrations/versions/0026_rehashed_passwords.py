"""A stronger hash of the same password ends no login into an application.

The database cannot see whether two hashes are of one password, so the login that makes the stronger one says so in the
same statement. Each other change of a hash ends the logins, whatever makes it.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_AFTER_ACCOUNT = """
CREATE OR REPLACE TRIGGER end_grants AFTER UPDATE OF password_hash, suspended_at, joined_to ON accounts FOR EACH ROW
    WHEN (OLD.password_hash IS NOT NULL AND OLD.password_hash IS DISTINCT FROM NEW.password_hash {and_is_another}
          OR OLD.suspended_at IS DISTINCT FROM NEW.suspended_at OR OLD.joined_to IS DISTINCT FROM NEW.joined_to)
    EXECUTE FUNCTION end_grants_of_account()
"""
_UNLESS_REHASHED = "AND OLD.password_rehashed_at IS NOT DISTINCT FROM NEW.password_rehashed_at"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("password_rehashed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_AFTER_ACCOUNT.format(and_is_another=_UNLESS_REHASHED))


def downgrade() -> None:
    op.execute(_AFTER_ACCOUNT.format(and_is_another=""))
    op.drop_column("accounts", "password_rehashed_at")
