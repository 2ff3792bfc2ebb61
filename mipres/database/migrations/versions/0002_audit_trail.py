"""audit trail, which the database itself keeps append-only.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A superuser ignores privileges, and an owner can grant them to itself again: the trigger holds against
# both until somebody drops it on purpose.
_REFUSE = """
CREATE FUNCTION refuse_to_change_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_entries is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_TRIGGER = """
CREATE TRIGGER audit_entries_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit()
"""
# Whoever was given the table by default privileges, its owner included.
_REVOKE = """
DO $$
DECLARE holder text;
BEGIN
  FOR holder IN
    SELECT DISTINCT grantee FROM information_schema.role_table_grants
    WHERE table_schema = current_schema() AND table_name = 'audit_entries' AND grantee <> 'PUBLIC'
  LOOP
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM %I', holder);
  END LOOP;
  REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM PUBLIC;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(length=15), nullable=True),
        sa.Column("person", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("previous_seal", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_reference"), "audit_entries", ["reference"], unique=False)
    op.create_index(op.f("ix_audit_entries_person"), "audit_entries", ["person"], unique=False)
    op.execute(_REFUSE)
    op.execute(_TRIGGER)
    op.execute(_REVOKE)


def downgrade() -> None:
    op.drop_table("audit_entries")
    op.execute("DROP FUNCTION refuse_to_change_audit()")
