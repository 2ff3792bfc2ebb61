"""No application has an open grant for an account without a password.

So a first password ends none, and does not look for any.

Revision ID: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# The lock keeps the password where it is until the grant is there for its trigger to end.
_REQUIRE_IT = """
CREATE FUNCTION require_password_for_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts WHERE id = NEW.account_id AND password_hash IS NOT NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'oidc_grants takes no open grant of an account without a password'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
_BEFORE_OPEN = """
CREATE TRIGGER require_password BEFORE INSERT OR UPDATE OF account_id, ended_at ON oidc_grants FOR EACH ROW
    WHEN (NEW.ended_at IS NULL) EXECUTE FUNCTION require_password_for_grant()
"""
_END_STRAYS = """
UPDATE oidc_grants SET ended_at = now() FROM accounts
WHERE accounts.id = oidc_grants.account_id AND accounts.password_hash IS NULL AND oidc_grants.ended_at IS NULL
"""
_AFTER_ACCOUNT = """
CREATE OR REPLACE TRIGGER end_grants AFTER UPDATE OF password_hash, suspended_at, joined_to ON accounts FOR EACH ROW
    WHEN ({password_changed} OR OLD.suspended_at IS DISTINCT FROM NEW.suspended_at
          OR OLD.joined_to IS DISTINCT FROM NEW.joined_to)
    EXECUTE FUNCTION end_grants_of_account()
"""
_FROM_ANOTHER = "OLD.password_hash IS NOT NULL AND OLD.password_hash IS DISTINCT FROM NEW.password_hash"
_AT_ALL = "OLD.password_hash IS DISTINCT FROM NEW.password_hash"


def upgrade() -> None:
    op.execute(_REQUIRE_IT)
    op.execute(_BEFORE_OPEN)
    op.execute(_END_STRAYS)
    op.execute(_AFTER_ACCOUNT.format(password_changed=_FROM_ANOTHER))


def downgrade() -> None:
    op.execute(_AFTER_ACCOUNT.format(password_changed=_AT_ALL))
    op.execute("DROP TRIGGER require_password ON oidc_grants")
    op.execute("DROP FUNCTION require_password_for_grant()")
