"""Second factors of people and of support, and how a session was authenticated.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _owned(table: str, column: str, owner: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{owner}.id"], name=op.f(f"fk_{table}_{column}_{owner}"), ondelete="CASCADE"
    )


def upgrade() -> None:
    methods = postgresql.ARRAY(sa.Text())
    op.add_column("sessions", sa.Column("amr", methods, server_default=sa.text("'{pwd}'"), nullable=False))
    op.add_column("sessions", _moment("authenticated_at"))
    op.create_table(
        "second_factors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("code_secret", sa.LargeBinary(), nullable=True),
        _moment("code_since"),
        sa.Column("code_step", sa.BigInteger(), nullable=True),
        sa.Column("waiting_secret", sa.LargeBinary(), nullable=True),
        _moment("waiting_since"),
        _moment("created_at", nullable=False),
        sa.CheckConstraint("num_nonnulls(account_id, staff_id) = 1", name="ck_second_factors_holder"),
        _owned("second_factors", "account_id", "accounts"),
        _owned("second_factors", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
        sa.UniqueConstraint("account_id", name=op.f("uq_second_factors_account_id")),
        sa.UniqueConstraint("staff_id", name=op.f("uq_second_factors_staff_id")),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("factor_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _moment("created_at", nullable=False),
        _moment("last_used_at"),
        _moment("locked_at"),
        _owned("passkeys", "factor_id", "second_factors"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_passkeys_factor_id"), "passkeys", ["factor_id"], unique=False)
    op.create_table(
        "recovery_codes",
        sa.Column("factor_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        _moment("used_at"),
        _owned("recovery_codes", "factor_id", "second_factors"),
        sa.PrimaryKeyConstraint("factor_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "second_steps",
        sa.Column("id_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("password_seal", sa.LargeBinary(length=32), nullable=False),
        _moment("began_at", nullable=False),
        _owned("second_steps", "account_id", "accounts"),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_second_steps")),
    )
    op.create_index(op.f("ix_second_steps_account_id"), "second_steps", ["account_id"], unique=False)
    op.create_index(op.f("ix_second_steps_began_at"), "second_steps", ["began_at"], unique=False)
    op.create_table(
        "passkey_answers",
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        _moment("answered_at", nullable=False),
        sa.PrimaryKeyConstraint("challenge", name=op.f("pk_passkey_answers")),
    )
    op.create_index(op.f("ix_passkey_answers_answered_at"), "passkey_answers", ["answered_at"], unique=False)


def downgrade() -> None:
    for table in ("passkey_answers", "second_steps", "recovery_codes", "passkeys", "second_factors"):
        op.drop_table(table)
    for column in ("authenticated_at", "amr"):
        op.drop_column("sessions", column)
