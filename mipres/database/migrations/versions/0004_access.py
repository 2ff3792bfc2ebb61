"""States of access: suspensions, ends, reviews, and the changes that are mailed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_PROFILE_COLUMNS: dict[str, Any] = {
    "support_suspended_at": _MOMENT,
    "sanctioned_at": _MOMENT,
    "sanctioned_until": sa.Date(),
    "ended_at": _MOMENT,
    "ended_cause": sa.Text(),
    "reviewed_at": _MOMENT,
    "review_on": sa.Date(),
}


def upgrade() -> None:
    op.add_column("accounts", sa.Column("suspended_at", _MOMENT, nullable=True))
    for name, kind in _PROFILE_COLUMNS.items():
        op.add_column("profiles", sa.Column(name, kind, nullable=True))
    op.create_table(
        "access_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=True),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.Column("mailed_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_access_changes_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.id"],
            name=op.f("fk_access_changes_profile_id_profiles"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_changes")),
    )
    op.create_index(op.f("ix_access_changes_account_id"), "access_changes", ["account_id"])
    op.create_index(op.f("ix_access_changes_profile_id"), "access_changes", ["profile_id"])
    op.create_index(op.f("ix_access_changes_mailed_at"), "access_changes", ["mailed_at"])


def downgrade() -> None:
    op.drop_table("access_changes")
    for name in _PROFILE_COLUMNS:
        op.drop_column("profiles", name)
    op.drop_column("accounts", "suspended_at")
