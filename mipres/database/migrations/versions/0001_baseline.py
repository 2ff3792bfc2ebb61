"""The schema: accounts, links, sessions, the audit trail, limits and support.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A superuser ignores privileges, and an owner can grant them again: the trigger holds against both.
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
# Default privileges may have granted the table to others than its owner.
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
# Each statement of a volatile function sees what was committed before it, so the second one sees what
# another writer committed while the first one waited.
_LOCK_HEAD = """
CREATE FUNCTION lock_audit_head(append_lock bigint, OUT last_number bigint, OUT last_seal bytea)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(append_lock);
  SELECT number, seal INTO last_number, last_seal FROM audit_entries ORDER BY number DESC LIMIT 1;
END
$$
"""


def upgrade() -> None:
    _create_people()
    _create_access()
    _create_audit_trail()
    _create_support()


def downgrade() -> None:
    for table in (
        "staff_sessions",
        "staff",
        "login_guards",
        "sent_mails",
        "rate_limits",
        "audit_entries",
        "captcha_answers",
        "sessions",
        "password_links",
        "consents",
        "profiles",
        "accounts",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION lock_audit_head(bigint)")
    op.execute("DROP FUNCTION refuse_to_change_audit()")


def _create_people() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("document_type", sa.String(length=2), nullable=False),
        sa.Column("document_number", sa.String(length=17), nullable=False),
        sa.Column("login", sa.String(length=19), nullable=False),
        sa.Column("given_names", sa.Text(), nullable=False),
        sa.Column("surnames", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint(
            "document_type", "document_number", name=op.f("uq_accounts_document_type_document_number")
        ),
    )
    op.create_index(op.f("ix_accounts_login"), "accounts", ["login"], unique=False)
    op.create_index(
        "ix_accounts_unfinished",
        "accounts",
        ["updated_at"],
        unique=False,
        postgresql_where="password_hash IS NULL",
    )
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("user_type", sa.String(length=20), nullable=False),
        sa.Column("entity_key", sa.Text(), server_default="", nullable=False),
        sa.Column("registration_key", sa.Text(), server_default="", nullable=False),
        sa.Column("radicado", sa.String(length=15), nullable=False),
        sa.Column("entity_kind", sa.Text(), nullable=True),
        sa.Column("entity_regime", sa.Text(), nullable=True),
        sa.Column("entity_nit", sa.Text(), nullable=True),
        sa.Column("entity_name", sa.Text(), nullable=True),
        sa.Column("municipality", sa.Text(), nullable=True),
        sa.Column("profession_code", sa.Text(), nullable=True),
        sa.Column("profession_name", sa.Text(), nullable=True),
        sa.Column("professional_registration", sa.Text(), nullable=True),
        sa.Column("site_code", sa.Text(), nullable=True),
        sa.Column("site_name", sa.Text(), nullable=True),
        sa.Column("site_municipality", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_profiles_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.UniqueConstraint(
            "account_id",
            "user_type",
            "entity_key",
            "registration_key",
            name=op.f("uq_profiles_account_id_user_type_entity_key_registration_key"),
        ),
    )
    op.create_index(op.f("ix_profiles_radicado"), "profiles", ["radicado"], unique=False)
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("radicado", sa.String(length=15), nullable=False),
        sa.Column("terms_version", sa.Text(), nullable=False),
        sa.Column("terms_sha256", sa.String(length=64), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_consents_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        sa.UniqueConstraint("radicado", "accepted_at", name=op.f("uq_consents_radicado_accepted_at")),
    )
    op.create_index(op.f("ix_consents_account_id"), "consents", ["account_id"], unique=False)


def _create_access() -> None:
    op.create_table(
        "password_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=15), nullable=False),
        sa.Column("issue_key", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_password_links_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_links")),
        sa.UniqueConstraint("issue_key", name=op.f("uq_password_links_issue_key")),
    )
    op.create_index(
        "ix_password_links_open",
        "password_links",
        ["account_id"],
        unique=False,
        postgresql_where="closed_at IS NULL",
    )
    op.create_index(op.f("ix_password_links_reference"), "password_links", ["reference"], unique=False)
    op.create_index(op.f("ix_password_links_expires_at"), "password_links", ["expires_at"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_account_id"), "sessions", ["account_id"], unique=False)
    op.create_table(
        "captcha_answers",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_captcha_answers")),
    )
    op.create_index(op.f("ix_captcha_answers_answered_at"), "captcha_answers", ["answered_at"], unique=False)
    op.create_table(
        "sent_mails",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unknown_ends", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sent_mails")),
    )
    op.create_index(op.f("ix_sent_mails_claimed_at"), "sent_mails", ["claimed_at"], unique=False)
    op.create_table(
        "login_guards",
        sa.Column("login_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("login_hash", name=op.f("pk_login_guards")),
    )
    op.create_index(op.f("ix_login_guards_failed_at"), "login_guards", ["failed_at"], unique=False)
    # Unlogged: counting must not wait for a disk, and a crash of the server forgets minutes only.
    op.create_table(
        "rate_limits",
        sa.Column("limit_name", sa.String(length=40), nullable=False),
        sa.Column("subject_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("limit_name", "subject_hash", name=op.f("pk_rate_limits")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(op.f("ix_rate_limits_ends_at"), "rate_limits", ["ends_at"], unique=False)


def _create_audit_trail() -> None:
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
    op.execute(_LOCK_HEAD)


def _create_support() -> None:
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("name", name=op.f("uq_staff_name")),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("id_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decoded_payloads", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "noted_references", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_sessions_staff_id_staff"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_staff_sessions")),
    )
    op.create_index(op.f("ix_staff_sessions_staff_id"), "staff_sessions", ["staff_id"], unique=False)
