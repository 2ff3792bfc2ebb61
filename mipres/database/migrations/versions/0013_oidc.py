"""What applications were given: codes, tokens, and their sessions.

Triggers end a grant with what it stands on, in the same transaction, whatever ends that.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A session that has run out is no logout: what a person allowed without being present goes on.
_END_WITH_SESSION = """
CREATE FUNCTION end_grants_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE oidc_grants SET ended_at = now()
    WHERE session_id = OLD.id AND ended_at IS NULL
      AND (NOT is_offline OR OLD.last_seen_at > now() - interval '15 minutes');
    RETURN NULL;
END $$
"""
_AFTER_SESSION = (
    "CREATE TRIGGER end_grants AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION end_grants_of_session()"
)
_END_WITH_ACCOUNT = """
CREATE FUNCTION end_grants_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE oidc_grants SET ended_at = now() WHERE account_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END $$
"""
_AFTER_ACCOUNT = """
CREATE TRIGGER end_grants AFTER UPDATE OF password_hash, suspended_at, joined_to ON accounts FOR EACH ROW
    WHEN (OLD.password_hash IS DISTINCT FROM NEW.password_hash OR OLD.suspended_at IS DISTINCT FROM NEW.suspended_at
          OR OLD.joined_to IS DISTINCT FROM NEW.joined_to)
    EXECUTE FUNCTION end_grants_of_account()
"""


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "oidc_grants",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("is_offline", sa.Boolean(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("auth_time", moment, nullable=False),
        sa.Column("amr", ARRAY(sa.Text()), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_expires_at", moment, nullable=False),
        sa.Column("code_used_at", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("announced_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            ondelete="CASCADE",
            name=op.f("fk_oidc_grants_account_id_accounts"),
        ),
    )
    op.create_index(op.f("ix_oidc_grants_account_id"), "oidc_grants", ["account_id"])
    op.create_index(op.f("ix_oidc_grants_session_id"), "oidc_grants", ["session_id"])
    op.create_index(op.f("ix_oidc_grants_created_at"), "oidc_grants", ["created_at"])
    op.create_index(op.f("ix_oidc_grants_code_hash"), "oidc_grants", ["code_hash"], unique=True)
    op.create_table(
        "oidc_tokens",
        sa.Column("hash", sa.LargeBinary(), primary_key=True),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("issued_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("used_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["grant_id"],
            ["oidc_grants.id"],
            ondelete="CASCADE",
            name=op.f("fk_oidc_tokens_grant_id_oidc_grants"),
        ),
    )
    op.create_index(op.f("ix_oidc_tokens_grant_id"), "oidc_tokens", ["grant_id"])
    op.create_index(op.f("ix_oidc_tokens_expires_at"), "oidc_tokens", ["expires_at"])
    for statement in (_END_WITH_SESSION, _AFTER_SESSION, _END_WITH_ACCOUNT, _AFTER_ACCOUNT):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER end_grants ON sessions")
    op.execute("DROP TRIGGER end_grants ON accounts")
    op.execute("DROP FUNCTION end_grants_of_session()")
    op.execute("DROP FUNCTION end_grants_of_account()")
    op.drop_table("oidc_tokens")
    op.drop_table("oidc_grants")
