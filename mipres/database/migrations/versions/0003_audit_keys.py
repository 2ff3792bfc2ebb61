"""Rows of the audit trail name their key, and only the next number is taken.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The owner's function looks at the owner's table: a temporary table of the same name must not stand before it. The
# lock is that of every writer (`mipres/database/audit.py`), so that no other row comes in between.
_FUNCTION = """
CREATE FUNCTION follow_audit_head() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
  last_number bigint;
  last_seal bytea;
BEGIN
  PERFORM pg_advisory_xact_lock(647737702);
  SELECT number, seal INTO last_number, last_seal FROM audit_entries ORDER BY number DESC LIMIT 1;
  IF NOT FOUND THEN
    last_number := 0;
    last_seal := decode(repeat('00', 32), 'hex');
  END IF;
  IF NEW.number <> last_number + 1 OR NEW.previous_seal <> last_seal OR length(NEW.seal) <> 32 THEN
    RAISE EXCEPTION 'audit_entries takes only the row that follows the last one'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER audit_entries_in_order BEFORE INSERT ON audit_entries
FOR EACH ROW EXECUTE FUNCTION follow_audit_head()
"""


def upgrade() -> None:
    op.add_column("audit_entries", sa.Column("key_id", sa.Text(), nullable=True))
    schema = op.get_bind().dialect.identifier_preparer.quote(
        op.get_bind().exec_driver_sql("SELECT current_schema()").scalar_one()
    )
    op.execute(_FUNCTION.format(schema=schema))
    op.execute("REVOKE ALL ON FUNCTION follow_audit_head() FROM PUBLIC")
    op.execute(_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_entries_in_order ON audit_entries")
    op.execute("DROP FUNCTION follow_audit_head()")
    op.drop_column("audit_entries", "key_id")
