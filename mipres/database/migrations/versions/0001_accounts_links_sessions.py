"""accounts, links, sessions.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
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
    op.create_table(
        "captcha_answers",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_captcha_answers")),
    )
    op.create_index(op.f("ix_captcha_answers_answered_at"), "captcha_answers", ["answered_at"], unique=False)
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
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("user_type", sa.String(length=20), nullable=False),
        sa.Column("entity_key", sa.Text(), server_default="", nullable=False),
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
            "account_id", "user_type", "entity_key", name=op.f("uq_profiles_account_id_user_type_entity_key")
        ),
    )
    op.create_index(op.f("ix_profiles_radicado"), "profiles", ["radicado"], unique=False)
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


def downgrade() -> None:
    op.drop_index(op.f("ix_sessions_account_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_profiles_radicado"), table_name="profiles")
    op.drop_table("profiles")
    op.drop_index(op.f("ix_password_links_reference"), table_name="password_links")
    op.drop_index("ix_password_links_open", table_name="password_links", postgresql_where="closed_at IS NULL")
    op.drop_table("password_links")
    op.drop_index(op.f("ix_consents_account_id"), table_name="consents")
    op.drop_table("consents")
    op.drop_index(op.f("ix_captcha_answers_answered_at"), table_name="captcha_answers")
    op.drop_table("captcha_answers")
    op.drop_index(op.f("ix_accounts_login"), table_name="accounts")
    op.drop_table("accounts")
