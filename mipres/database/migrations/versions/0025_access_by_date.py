"""Logins into applications end with every change that takes a profile its force.

A sanction that came back before the registry had taken the older one off, and a placement whose last day was moved to
the past, ended none. What a profile loses that was not in force any more is no news, and ends none. The index finds the
placements whose last day has passed, which no statement marks.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# As mipres.domain.access.ProfileAccess decides it.
_IN_FORCE = """
CREATE FUNCTION is_in_force(profile profiles) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT profile.ended_at IS NULL AND profile.support_suspended_at IS NULL
       AND coalesce(profile.ends_on >= today, true)
       AND (profile.sanctioned_at IS NULL OR profile.sanctioned_until < today)
    FROM (SELECT (now() AT TIME ZONE 'America/Bogota')::date AS today) AS bogota
$$
"""
_AFTER_PROFILE = """
CREATE OR REPLACE TRIGGER end_grants
    AFTER UPDATE OF support_suspended_at, sanctioned_at, sanctioned_until, ended_at, ends_on ON profiles
    FOR EACH ROW WHEN (is_in_force(OLD) AND is_in_force(NEW) IS NOT TRUE)
    EXECUTE FUNCTION end_grants_of_profile()
"""
_AFTER_PROFILE_BEFORE = """
CREATE OR REPLACE TRIGGER end_grants AFTER UPDATE OF support_suspended_at, sanctioned_at, ended_at ON profiles
    FOR EACH ROW
    WHEN (OLD.support_suspended_at IS NULL AND NEW.support_suspended_at IS NOT NULL
          OR OLD.sanctioned_at IS NULL AND NEW.sanctioned_at IS NOT NULL
          OR OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION end_grants_of_profile()
"""


def upgrade() -> None:
    op.execute(_IN_FORCE)
    op.execute(_AFTER_PROFILE)
    op.create_index(
        op.f("ix_profiles_ends_on"), "profiles", ["ends_on"], postgresql_where=sa.text("ends_on IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_profiles_ends_on"), "profiles")
    op.execute(_AFTER_PROFILE_BEFORE)
    op.execute("DROP FUNCTION is_in_force(profiles)")
