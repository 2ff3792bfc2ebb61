"""The end of the trail is a row, and an INSERT has one check for all its rows.

A writer locks the row and so learns the end in one statement. The row moves with what is appended, by the
owner's rights alone.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Writers of an older release append under this lock; nothing may be appended while the end is noted.
_WAIT_FOR_WRITERS = "SELECT pg_advisory_xact_lock(647737702)"
_NOTE_END = """
INSERT INTO audit_head (is_only, number, seal)
SELECT true, coalesce(max(number), 0), coalesce(
  (SELECT seal FROM audit_entries ORDER BY number DESC LIMIT 1), decode(repeat('00', 32), 'hex'))
FROM audit_entries
"""
# To lock a row needs the right to change a column of it: this one has no other value.
_RIGHTS = """
DO $$
DECLARE holder text;
BEGIN
  FOR holder IN
    SELECT DISTINCT grantee FROM information_schema.role_table_grants
    WHERE table_schema = current_schema() AND table_name IN ('audit_head', 'audit_entries')
      AND grantee NOT IN ('PUBLIC', current_user)
  LOOP
    EXECUTE format('REVOKE ALL ON audit_head FROM %I', holder);
    IF has_table_privilege(holder, 'audit_entries', 'INSERT') THEN
      EXECUTE format('GRANT SELECT, UPDATE (is_only) ON audit_head TO %I', holder);
    END IF;
  END LOOP;
  REVOKE ALL ON audit_head FROM PUBLIC;
END
$$
"""
_ONLY_FORWARD = """
CREATE TRIGGER audit_head_moves_forward BEFORE UPDATE ON audit_head FOR EACH ROW
WHEN (NEW.number <= OLD.number) EXECUTE FUNCTION refuse_to_change_audit()
"""
_STAYS = """
CREATE TRIGGER audit_head_stays BEFORE INSERT OR DELETE OR TRUNCATE ON audit_head
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit()
"""
# Numbers are unique, so rows that each follow another or the end make one chain from the end on.
_MOVE = """
CREATE FUNCTION move_audit_head() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, {schema}, pg_temp AS $$
BEGIN
  UPDATE audit_head AS head SET number = last.number, seal = last.seal
  FROM (SELECT number, seal FROM appended ORDER BY number DESC LIMIT 1) AS last
  WHERE NOT EXISTS (
    SELECT FROM appended WHERE length(appended.seal) <> 32 OR NOT EXISTS (
      SELECT FROM (SELECT number, seal FROM appended UNION ALL SELECT head.number, head.seal) AS earlier
      WHERE earlier.number = appended.number - 1 AND earlier.seal = appended.previous_seal));
  IF NOT FOUND THEN
    RAISE EXCEPTION 'audit_entries takes only the row that follows the last one'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END
$$
"""
_AFTER_INSERT = """
CREATE TRIGGER audit_entries_move_head AFTER INSERT ON audit_entries
REFERENCING NEW TABLE AS appended FOR EACH STATEMENT EXECUTE FUNCTION move_audit_head()
"""
# Processes of the release before this one ask the function; it makes them wait for the same row.
_LOCK_ROW = """
CREATE OR REPLACE FUNCTION lock_audit_head(append_lock bigint, OUT last_number bigint, OUT last_seal bytea)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  SELECT number, seal INTO last_number, last_seal FROM audit_head FOR UPDATE;
END
$$
"""
_LOCK_BEFORE = """
CREATE OR REPLACE FUNCTION lock_audit_head(append_lock bigint, OUT last_number bigint, OUT last_seal bytea)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF pg_advisory_xact_lock(append_lock) IS NULL THEN END IF;
  SELECT number, seal INTO last_number, last_seal FROM audit_entries ORDER BY number DESC LIMIT 1;
END
$$
"""
_FOLLOW_BEFORE = """
CREATE FUNCTION follow_audit_head() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
  last_number bigint;
  last_seal bytea;
BEGIN
  IF pg_advisory_xact_lock(647737702) IS NULL THEN END IF;
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
_BEFORE_INSERT = """
CREATE TRIGGER audit_entries_in_order BEFORE INSERT ON audit_entries
FOR EACH ROW EXECUTE FUNCTION follow_audit_head()
"""


def upgrade() -> None:
    op.execute(_WAIT_FOR_WRITERS)
    op.execute("LOCK TABLE audit_entries IN SHARE ROW EXCLUSIVE MODE")
    op.create_table(
        "audit_head",
        sa.Column("is_only", sa.Boolean(), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("is_only", name=op.f("ck_audit_head_is_only")),
    )
    for statement in (_NOTE_END, _RIGHTS, _ONLY_FORWARD, _STAYS):
        op.execute(statement)
    _replace_check(_MOVE, "move_audit_head", _AFTER_INSERT)
    op.execute("DROP TRIGGER audit_entries_in_order ON audit_entries")
    op.execute("DROP FUNCTION follow_audit_head()")
    op.execute(_LOCK_ROW)


def downgrade() -> None:
    op.execute("SELECT FROM audit_head FOR UPDATE")
    op.execute("LOCK TABLE audit_entries IN SHARE ROW EXCLUSIVE MODE")
    _replace_check(_FOLLOW_BEFORE, "follow_audit_head", _BEFORE_INSERT)
    op.execute("DROP TRIGGER audit_entries_move_head ON audit_entries")
    op.execute("DROP FUNCTION move_audit_head()")
    op.execute(_LOCK_BEFORE)
    op.drop_table("audit_head")


def _replace_check(function: str, name: str, trigger: str) -> None:
    """Make the check of new rows, which the owner alone may call."""
    schema = op.get_bind().dialect.identifier_preparer.quote(
        op.get_bind().exec_driver_sql("SELECT current_schema()").scalar_one()
    )
    op.execute(function.format(schema=schema))
    op.execute(f"REVOKE ALL ON FUNCTION {name}() FROM PUBLIC")
    op.execute(trigger)
