"""the trail's last row and the right to append to it, in one call.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Each statement of a volatile function sees what was committed before it, so the second one sees what the
# writer before us wrote while we waited in the first.
_HEAD = """
CREATE FUNCTION lock_audit_head(append_lock bigint, OUT last_number bigint, OUT last_seal bytea)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(append_lock);
  SELECT number, seal INTO last_number, last_seal FROM audit_entries ORDER BY number DESC LIMIT 1;
END
$$
"""


def upgrade() -> None:
    op.execute(_HEAD)


def downgrade() -> None:
    op.execute("DROP FUNCTION lock_audit_head(bigint)")
