"""Logins into applications end with a lost profile, and with no idle session.

Who works in an application does not look at these pages, so the session here runs out. That ended what the
application had, and its own session with it. A login that goes on is still ended by all that ends its person's access.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_END_WITH_LIVE_SESSION = """
CREATE OR REPLACE FUNCTION end_grants_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE oidc_grants SET ended_at = now()
    WHERE session_id = OLD.id AND ended_at IS NULL
      AND OLD.last_seen_at > now() - interval '15 minutes' AND OLD.created_at > now() - interval '12 hours';
    RETURN NULL;
END $$
"""
_END_WITH_ANY_SESSION = """
CREATE OR REPLACE FUNCTION end_grants_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE oidc_grants SET ended_at = now()
    WHERE session_id = OLD.id AND ended_at IS NULL
      AND (NOT is_offline OR OLD.last_seen_at > now() - interval '15 minutes');
    RETURN NULL;
END $$
"""
_END_WITH_PROFILE = """
CREATE FUNCTION end_grants_of_profile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE oidc_grants SET ended_at = now() WHERE account_id = NEW.account_id AND ended_at IS NULL;
    RETURN NULL;
END $$
"""
_AFTER_PROFILE = """
CREATE TRIGGER end_grants AFTER UPDATE OF support_suspended_at, sanctioned_at, ended_at ON profiles FOR EACH ROW
    WHEN (OLD.support_suspended_at IS NULL AND NEW.support_suspended_at IS NOT NULL
          OR OLD.sanctioned_at IS NULL AND NEW.sanctioned_at IS NOT NULL
          OR OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION end_grants_of_profile()
"""


def upgrade() -> None:
    op.execute(_END_WITH_LIVE_SESSION)
    op.execute(_END_WITH_PROFILE)
    op.execute(_AFTER_PROFILE)


def downgrade() -> None:
    op.execute("DROP TRIGGER end_grants ON profiles")
    op.execute("DROP FUNCTION end_grants_of_profile()")
    op.execute(_END_WITH_ANY_SESSION)
