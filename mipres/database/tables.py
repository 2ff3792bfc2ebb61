"""Every table, once. Every timestamp has a zone.

Personal data lives here and nowhere else in clear.
"""

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), date: Date(), str: Text()}  # noqa: RUF012 - SQLAlchemy's own form.


def table_of(row: type[Base]) -> Table:
    """The table itself, for statements whose rows become no objects.

    On paths that every person takes, it halves what a statement costs in this process.
    """
    return Base.metadata.tables[row.__tablename__]


def parameters(row: type[Base], *columns: str) -> dict[str, BindParameter[Any]]:
    """A parameter for each of these columns, for a statement that is written once.

    `arguments` has their values. To build a large statement takes longer than to send it to the database.
    """
    table = table_of(row)
    return {column: bindparam(f"{table.name}_{column}", type_=table.c[column].type) for column in columns}


def arguments(row: type[Base], values: Mapping[str, object]) -> dict[str, object]:
    """The values of these columns, each by the name of its parameter."""
    return {f"{row.__tablename__}_{column}": value for column, value in values.items()}


class AccountRow(Base):
    """One person, by document. Without `password_hash` the account opens nothing.

    `is_password_changed` says that the password replaced another one, `password_rehashed_at` that the same one got
    a stronger hash. `joined_to` is the account that goes on
    for this one, whose document was replaced.
    """

    __tablename__ = "accounts"
    # `login` is made of the document, so it needs no constraint of its own: ON CONFLICT arbitrates only one.
    __table_args__ = (
        UniqueConstraint("document_type", "document_number"),
        Index("ix_accounts_unfinished", "updated_at", postgresql_where="password_hash IS NULL"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    document_type: Mapped[str] = mapped_column(String(2))
    document_number: Mapped[str] = mapped_column(String(17))
    login: Mapped[str] = mapped_column(String(19), index=True)
    given_names: Mapped[str]
    surnames: Mapped[str]
    email: Mapped[str]
    password_hash: Mapped[str | None]
    password_set_at: Mapped[datetime | None]
    password_rehashed_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]
    joined_to: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    joined_at: Mapped[datetime | None]
    is_password_changed: Mapped[bool] = mapped_column(default=False, server_default=false())
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ProfileRow(Base):
    """One way in which a person works with MIPRES.

    A type of user and, where it has them, an entity or a professional registration.

    What decides whether it opens anything is read by mipres.database.access. A review is due some days
    after `reviewed_at`, and already on `review_on`.
    """

    __tablename__ = "profiles"
    __table_args__ = (
        UniqueConstraint("account_id", "user_type", "entity_key", "registration_key"),
        Index("ix_profiles_ends_on", "ends_on", postgresql_where=text("ends_on IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    user_type: Mapped[str] = mapped_column(String(20))
    entity_key: Mapped[str] = mapped_column(server_default="")
    registration_key: Mapped[str] = mapped_column(server_default="")
    radicado: Mapped[str] = mapped_column(String(15), index=True)
    entity_kind: Mapped[str | None]
    entity_regime: Mapped[str | None]
    entity_nit: Mapped[str | None]
    entity_name: Mapped[str | None]
    municipality: Mapped[str | None]
    profession_code: Mapped[str | None]
    profession_name: Mapped[str | None]
    professional_registration: Mapped[str | None]
    site_code: Mapped[str | None]
    site_name: Mapped[str | None]
    site_municipality: Mapped[str | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    support_suspended_at: Mapped[datetime | None]
    sanctioned_at: Mapped[datetime | None]
    sanctioned_until: Mapped[date | None]
    ended_at: Mapped[datetime | None]
    ended_cause: Mapped[str | None]
    reviewed_at: Mapped[datetime | None]
    review_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AccessChangeRow(Base):
    """A change of access that the person is mailed about.

    The trail has the reason and the actor.
    """

    __tablename__ = "access_changes"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    profile_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("profiles.id", ondelete="CASCADE"), index=True
    )
    change: Mapped[str]
    cause: Mapped[str | None]
    until: Mapped[date | None]
    changed_at: Mapped[datetime]
    mailed_at: Mapped[datetime | None] = mapped_column(index=True)


class ConsentRow(Base):
    """The declaration as one registration accepted it: kept as proof, never updated."""

    __tablename__ = "consents"
    __table_args__ = (UniqueConstraint("radicado", "accepted_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    radicado: Mapped[str] = mapped_column(String(15))
    terms_version: Mapped[str]
    terms_sha256: Mapped[str] = mapped_column(String(64))
    accepted_at: Mapped[datetime]
    channel: Mapped[str]


class PasswordLinkRow(Base):
    """A link to create or recover a password, sent by `reference`.

    The token is a keyed hash of `id` and is stored nowhere.

    `closed_at` with `closed_reason` ends a link: used, superseded or expired by its registration.
    """

    __tablename__ = "password_links"
    __table_args__ = (
        UniqueConstraint("issue_key"),
        Index("ix_password_links_open", "account_id", postgresql_where="closed_at IS NULL"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    reference: Mapped[str] = mapped_column(String(15), index=True)
    issue_key: Mapped[str]
    purpose: Mapped[str]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    closed_at: Mapped[datetime | None]
    closed_reason: Mapped[str | None]


class AddressChangeRow(Base):
    """Another address that the registry has of an account in use.

    It waits, once the old address was warned, until `takes_effect_at`; `closed_reason` is how it ended.
    """

    __tablename__ = "address_changes"
    __table_args__ = (
        Index("uq_address_changes_waiting", "account_id", unique=True, postgresql_where="closed_at IS NULL"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    reference: Mapped[str] = mapped_column(String(15))
    new_address: Mapped[str]
    found_at: Mapped[datetime]
    warned_at: Mapped[datetime | None]
    takes_effect_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    closed_reason: Mapped[str | None]


class SessionRow(Base):
    """A login session. Only a hash of the cookie's value is stored.

    `id` names the session to its owner and opens nothing. `previous_login_at` is the login before this one.

    Attributes:
        amr: How its person was authenticated (RFC 8176).
        authenticated_at: The moment of the oldest of these methods; None in sessions of an earlier release.
        confirmed_at: When the person last proved anything more; None before.
    """

    __tablename__ = "sessions"

    id_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    application: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    id: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4, server_default=func.gen_random_uuid())
    device: Mapped[str | None]
    network: Mapped[str | None]
    previous_login_at: Mapped[datetime | None]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text()), server_default=text("'{pwd}'"))
    authenticated_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]


class SecondFactorRow(Base):
    """The second factor of one person, of the public or of support.

    `id` is also the name by which passkeys know the person.

    Attributes:
        code_secret: Encrypted; what the codes of an application are made of.
        code_step: The step of the last code that was accepted: none is accepted twice.
        waiting_secret: Encrypted; a secret that no code has confirmed yet.
        waiting_session: The only session that sees it.
    """

    __tablename__ = "second_factors"
    __table_args__ = (
        UniqueConstraint("account_id"),
        UniqueConstraint("staff_id"),
        CheckConstraint("num_nonnulls(account_id, staff_id) = 1", name="ck_second_factors_holder"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    staff_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    code_secret: Mapped[bytes | None]
    code_since: Mapped[datetime | None]
    code_step: Mapped[int | None] = mapped_column(BigInteger)
    waiting_secret: Mapped[bytes | None]
    waiting_since: Mapped[datetime | None]
    waiting_session: Mapped[bytes | None]
    created_at: Mapped[datetime]


class PasskeyRow(Base):
    """A passkey: the public half of a key that a device or a password manager keeps.

    `locked_at` says when a copy of it was seen.
    """

    __tablename__ = "passkeys"
    __table_args__ = (UniqueConstraint("credential_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    factor_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("second_factors.id", ondelete="CASCADE"), index=True
    )
    credential_id: Mapped[bytes]
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    locked_at: Mapped[datetime | None]


class FactorResetRow(Base):
    """A reset of a second factor that support asked for.

    It waits, once its person was notified, until `takes_effect_at`; `closed_reason` is how it ended.

    Attributes:
        address: The address that was in force when it was asked for: it is notified too.
    """

    __tablename__ = "factor_resets"
    __table_args__ = (
        Index("uq_factor_resets_waiting", "account_id", unique=True, postgresql_where="closed_at IS NULL"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    address: Mapped[str]
    asked_at: Mapped[datetime]
    notified_at: Mapped[datetime | None]
    takes_effect_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    closed_reason: Mapped[str | None]


class RecoveryCodeRow(Base):
    """A recovery code. Only a keyed hash of it is stored; it works once."""

    __tablename__ = "recovery_codes"

    factor_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("second_factors.id", ondelete="CASCADE"), primary_key=True
    )
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    used_at: Mapped[datetime | None]


class SecondStepRow(Base):
    """A login whose password was right and whose second step is to come.

    Only hashes are stored: of the cookie's value, and of the very password hash that was verified.
    """

    __tablename__ = "second_steps"

    id_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    application: Mapped[str]
    password_seal: Mapped[bytes] = mapped_column(LargeBinary(32))
    began_at: Mapped[datetime] = mapped_column(index=True)


class PasskeyAnswerRow(Base):
    """A passkey challenge that has been answered, rightly or not: each answers once."""

    __tablename__ = "passkey_answers"

    challenge: Mapped[bytes] = mapped_column(primary_key=True)
    answered_at: Mapped[datetime] = mapped_column(index=True)


class KnownBrowserRow(Base):
    """A browser in which a person has logged in.

    Only a hash of its cookie and the account is stored, so nobody can tell which people share a browser.
    """

    __tablename__ = "known_browsers"

    account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    last_login_at: Mapped[datetime] = mapped_column(index=True)


class EndedSessionRow(Base):
    """A login session that a new password ended, so that its browser can say so."""

    __tablename__ = "ended_sessions"

    id_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    ended_at: Mapped[datetime] = mapped_column(index=True)


class CaptchaAnswerRow(Base):
    """A captcha challenge that has been answered, rightly or not: each answers once."""

    __tablename__ = "captcha_answers"

    nonce: Mapped[str] = mapped_column(primary_key=True)
    answered_at: Mapped[datetime] = mapped_column(index=True)


class AuditRow(Base):
    """One event of the audit trail.

    The database refuses to change or remove a row; see mipres.database.audit.

    `person` is a keyed hash of the login: no key of another table, so that erasing a person leaves the
    trail whole and names no one in it. `key_id` names the key of both hashes in MIPRES_AUDIT_KEYS.
    """

    __tablename__ = "audit_entries"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    occurred_at: Mapped[datetime]
    type: Mapped[str]
    actor: Mapped[str]
    reference: Mapped[str | None] = mapped_column(String(15), index=True)
    person: Mapped[str | None] = mapped_column(String(32), index=True)
    reason: Mapped[str | None]
    details: Mapped[dict[str, str | int]] = mapped_column(JSONB)
    previous_seal: Mapped[bytes] = mapped_column(LargeBinary(32))
    key_id: Mapped[str | None]
    seal: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditHeadRow(Base):
    """The end of the trail, in the only row there is: who locks it appends next.

    The database moves it with what is appended, and nothing else does.
    """

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("is_only", name="ck_audit_head_is_only"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    seal: Mapped[bytes] = mapped_column(LargeBinary(32))


class LoginGuardRow(Base):
    """Failures in a row of one login, known or unknown, from everywhere.

    Only a keyed hash of the login is stored.

    Attributes:
        locked_until: The lock of a login as a whole, of releases before migration 0009; nothing reads it.
    """

    __tablename__ = "login_guards"

    login_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None]
    told_at: Mapped[datetime | None]


class LoginOriginRow(Base):
    """Failures in a row of one login from one network or one known browser.

    Only keyed hashes are stored.
    """

    __tablename__ = "login_origins"

    origin_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    login_hash: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None]


class ErasureRow(Base):
    """A person who was erased. Only a keyed hash of the login is stored."""

    __tablename__ = "erasures"

    person: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(index=True)


class SentMailRow(Base):
    """A mail that one attempt has claimed, and the moment in which it went out."""

    __tablename__ = "sent_mails"

    key: Mapped[str] = mapped_column(primary_key=True)
    claimed_at: Mapped[datetime] = mapped_column(index=True)
    sent_at: Mapped[datetime | None]
    unknown_ends: Mapped[int] = mapped_column(default=0, server_default="0")


class RateLimitRow(Base):
    """How often a subject has done something in the window that ends then.

    Not logged: a crash forgives.
    """

    __tablename__ = "rate_limits"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    limit_name: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    times: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)


class StaffRow(Base):
    """A person of support.

    Never deleted, so that a name in the audit trail stays one person's.
    """

    __tablename__ = "staff"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32))
    password_hash: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class StaffSessionRow(Base):
    """A session of support, or a key of its: only a hash of the value is stored.

    `decoded_payloads` and the two columns after it are of a release that did not record each reading at once; nothing
    reads them.

    Attributes:
        amr: How its member was authenticated (RFC 8176).
        authenticated_at: When, at the latest; None in sessions of an earlier release.
    """

    __tablename__ = "staff_sessions"

    id_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    staff_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    decoded_payloads: Mapped[int] = mapped_column(default=0, server_default="0")
    noted_references: Mapped[list[str]] = mapped_column(
        JSONB, default=list, server_default=text("'[]'::jsonb")
    )
    noted_at: Mapped[datetime | None]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text()), server_default=text("'{pwd}'"))
    authenticated_at: Mapped[datetime | None]


class StaffReasonRow(Base):
    """Why a session of support reads the encrypted data of one registration.

    It ends with the session.
    """

    __tablename__ = "staff_reasons"

    session_hash: Mapped[bytes] = mapped_column(
        LargeBinary(32), ForeignKey("staff_sessions.id_hash", ondelete="CASCADE"), primary_key=True
    )
    reference: Mapped[str] = mapped_column(String(15), primary_key=True)
    reason: Mapped[str]
    given_at: Mapped[datetime]


class MilestoneRow(Base):
    """When something that has to be done again and again was last done."""

    __tablename__ = "milestones"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    reached_at: Mapped[datetime]


class OidcGrantRow(Base):
    """What a person allowed one application: its code, and the family of its tokens.

    Triggers of the database end it with the session, the password or the account that it stands on. It outlives an
    erased account until its application knows.
    """

    __tablename__ = "oidc_grants"
    __table_args__ = (
        Index(
            "ix_oidc_grants_to_announce",
            "client_id",
            "ended_at",
            postgresql_where=text("ended_at IS NOT NULL AND announced_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(index=True)
    session_id: Mapped[uuid.UUID] = mapped_column(index=True)
    client_id: Mapped[str]
    redirect_uri: Mapped[str]
    scope: Mapped[str]
    is_offline: Mapped[bool]
    nonce: Mapped[str | None]
    code_challenge: Mapped[str]
    auth_time: Mapped[datetime]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text))
    code_hash: Mapped[bytes] = mapped_column(unique=True, index=True)
    code_expires_at: Mapped[datetime]
    code_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]


class OidcAssertionRow(Base):
    """An assertion that an application has used, by the hash of its `jti`."""

    __tablename__ = "oidc_assertions"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    jti_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class OidcConsentRow(Base):
    """One scope that a person allows one application outside the state."""

    __tablename__ = "oidc_consents"

    account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    client_id: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    given_at: Mapped[datetime]


class OidcTokenRow(Base):
    """One access or refresh token, by its hash."""

    __tablename__ = "oidc_tokens"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    grant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("oidc_grants.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    scope: Mapped[str]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
