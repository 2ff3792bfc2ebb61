"""The trail's two functions take its lock without a statement of its own.

PL/pgSQL evaluates a condition without a table itself, while PERFORM is one more statement for each row.
The order stays: the lock first, then a statement that sees what was committed while it was waited for.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_LOCK_HEAD = """
CREATE OR REPLACE FUNCTION lock_audit_head(append_lock bigint, OUT last_number bigint, OUT last_seal bytea)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  {lock_given}
  SELECT number, seal INTO last_number, last_seal FROM audit_entries ORDER BY number DESC LIMIT 1;
END
$$
"""
_FOLLOW_HEAD = """
CREATE OR REPLACE FUNCTION follow_audit_head() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
  last_number bigint;
  last_seal bytea;
BEGIN
  {lock_own}
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
_AS_CONDITION = "IF pg_advisory_xact_lock({key}) IS NULL THEN END IF;"
_AS_STATEMENT = "PERFORM pg_advisory_xact_lock({key});"
_OWN_LOCK = 647737702


def upgrade() -> None:
    _replace(_AS_CONDITION)


def downgrade() -> None:
    _replace(_AS_STATEMENT)


def _replace(lock: str) -> None:
    schema = op.get_bind().dialect.identifier_preparer.quote(
        op.get_bind().exec_driver_sql("SELECT current_schema()").scalar_one()
    )
    op.execute(_LOCK_HEAD.format(lock_given=lock.format(key="append_lock")))
    op.execute(_FOLLOW_HEAD.format(schema=schema, lock_own=lock.format(key=_OWN_LOCK)))
