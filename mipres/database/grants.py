"""Codes and tokens of applications in PostgreSQL. Only their hashes are stored.

The functions take a plain `Session`, because Authlib calls back without `await`: `AsyncSession.run_sync` runs them
on the same connection. Docs/decisions has the reasons.
"""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from mipres.database.access import access_of, ending_logins, is_open, profile_access
from mipres.database.address_changes import WITH_OPEN_CHANGE, address_in_force
from mipres.database.sessions import hashed, live
from mipres.database.tables import (
    AccountRow,
    AddressChangeRow,
    OidcAssertionRow,
    OidcConsentRow,
    OidcGrantRow,
    OidcTokenRow,
    ProfileRow,
    SessionRow,
)
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.clients import PersonFacts, ProfileFacts

CODE_LIFETIME = timedelta(seconds=60)
ACCESS_LIFETIME = timedelta(minutes=5)
REFRESH_LIFETIME = timedelta(days=30)
_TOKEN_BYTES = 32


class TokenKind(StrEnum):
    """What a token opens."""

    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True, kw_only=True)
class Login:
    """The session that an application's request was made in.

    Attributes:
        amr: How the person proved who they are (RFC 8176).
    """

    session_id: uuid.UUID
    account_id: uuid.UUID
    auth_time: datetime
    amr: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an application asked for in its request."""

    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str


def new_value() -> str:
    """A code or token that cannot be guessed."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of(value: str) -> bytes:
    return hashlib.sha256(value.encode(errors="replace")).digest()


def login_of(db: Session, cookie: str, *, now: datetime) -> Login | None:
    """The live session of a cookie."""
    row = db.scalar(select(SessionRow).where(SessionRow.id_hash == hashed(cookie), *live(now)))
    if row is None:
        return None
    amr, auth_time = tuple(row.amr), row.authenticated_at or row.created_at
    return Login(session_id=row.id, account_id=row.account_id, auth_time=auth_time, amr=amr)


def open_grant(db: Session, login: Login, asked: Asked, *, code: str, now: datetime) -> None:
    """Write down what the person allows, and the code that goes to the application."""
    db.execute(
        insert(OidcGrantRow).values(
            id=uuid.uuid4(),
            account_id=login.account_id,
            session_id=login.session_id,
            client_id=asked.client_id,
            redirect_uri=asked.redirect_uri,
            scope=asked.scope,
            is_offline="offline_access" in asked.scope.split(),
            nonce=asked.nonce,
            code_challenge=asked.code_challenge,
            auth_time=login.auth_time,
            amr=list(login.amr),
            code_hash=hash_of(code),
            code_expires_at=now + CODE_LIFETIME,
            created_at=now,
        )
    )


def claim_code(
    db: Session, code: str, client_id: str, *, now: datetime, events: list[AuditEvent]
) -> OidcGrantRow | None:
    """Use a code up; a code that was used before ends all that came of it.

    The trail has one row of that. Afterwards the code is unknown: a program that tries it for ever would else write one
    with each call.

    Args:
        db: The session of the call's transaction.
        code: What the client presents.
        client_id: The client that presents it.
        now: The moment of the call.
        events: Takes what the trail has to record at the end of the transaction.
    """
    own = (OidcGrantRow.code_hash == hash_of(code), OidcGrantRow.client_id == client_id)
    claiming = (
        update(OidcGrantRow)
        .where(*own, OidcGrantRow.code_used_at.is_(None))
        .values(code_used_at=now)
        .returning(OidcGrantRow)
    )
    grant = db.scalar(claiming)
    if grant is None:
        forgetting = update(OidcGrantRow).where(*own).values(code_hash=_after_replay(hash_of(code)))
        replayed = db.scalar(forgetting.returning(OidcGrantRow))
        events += _ended_by_replay(db, replayed, "code", now=now)
        return None
    return grant if grant.code_expires_at > now and grant.ended_at is None else None


def claim_refresh_token(
    db: Session, token: str, client_id: str, *, now: datetime, events: list[AuditEvent]
) -> tuple[OidcTokenRow, OidcGrantRow] | None:
    """Use a refresh token up as a code; one that was used before ends its family."""
    own = (
        OidcTokenRow.hash == hash_of(token),
        OidcTokenRow.kind == TokenKind.REFRESH,
        OidcGrantRow.id == OidcTokenRow.grant_id,
        OidcGrantRow.client_id == client_id,
    )
    claiming = update(OidcTokenRow).where(*own, OidcTokenRow.used_at.is_(None)).values(used_at=now)
    row = db.scalar(claiming.returning(OidcTokenRow))
    if row is None:
        forgetting = update(OidcTokenRow).where(*own).values(hash=_after_replay(hash_of(token)))
        replayed = db.scalar(forgetting.returning(OidcGrantRow))
        events += _ended_by_replay(db, replayed, "refresh_token", now=now)
        return None
    grant = db.get_one(OidcGrantRow, row.grant_id)
    return (row, grant) if row.expires_at > now and grant.ended_at is None else None


def store_token(
    db: Session, grant_id: uuid.UUID, kind: TokenKind, value: str, *, scope: str, now: datetime
) -> None:
    lifetime = ACCESS_LIFETIME if kind is TokenKind.ACCESS else REFRESH_LIFETIME
    db.execute(
        insert(OidcTokenRow).values(
            hash=hash_of(value),
            grant_id=grant_id,
            kind=kind,
            scope=scope,
            issued_at=now,
            expires_at=now + lifetime,
        )
    )


def live_token(db: Session, value: str, *, now: datetime) -> tuple[OidcTokenRow, OidcGrantRow] | None:
    """A token that opens something at this moment, and the family that it is of."""
    statement = (
        select(OidcTokenRow, OidcGrantRow)
        .join(OidcGrantRow, OidcGrantRow.id == OidcTokenRow.grant_id)
        .where(
            OidcTokenRow.hash == hash_of(value),
            OidcTokenRow.expires_at > now,
            OidcTokenRow.used_at.is_(None),
            OidcGrantRow.ended_at.is_(None),
        )
    )
    row = db.execute(statement).first()
    return (row[0], row[1]) if row else None


def end_family(db: Session, value: str, client_id: str, *, now: datetime) -> None:
    """End all tokens of the family that this one of the client's is of.

    The client asked for it, so it needs no notice.
    """
    own = (OidcTokenRow.hash == hash_of(value), OidcGrantRow.client_id == client_id)
    family = select(OidcGrantRow.id).join(OidcTokenRow, OidcTokenRow.grant_id == OidcGrantRow.id).where(*own)
    _end(db, db.scalar(family), now=now, announced_at=now)


def end_run_out(db: Session, session_id: uuid.UUID, *, now: datetime) -> None:
    """End what applications have of a session, unless it is open in some browser."""
    is_open_somewhere = select(SessionRow.id).where(SessionRow.id == session_id, *live(now)).exists()
    db.execute(ending_logins(OidcGrantRow.session_id == session_id, ~is_open_somewhere, now=now))


def claim_assertion(
    db: Session, client_id: str, jti: str, *, expires_at: datetime, events: list[AuditEvent]
) -> bool:
    """Use an application's assertion up; False where it was used before.

    Of a replay the trail has one row, as of a code.
    """
    own = hash_of(jti)
    if _is_first(db, client_id, own, expires_at=expires_at):
        return True
    if _is_first(db, client_id, _after_replay(own), expires_at=expires_at):
        events.append(_replayed(client_id, "client_assertion"))
    return False


def _is_first(db: Session, client_id: str, jti_hash: bytes, *, expires_at: datetime) -> bool:
    claiming = (
        postgresql.insert(OidcAssertionRow)
        .values(client_id=client_id, jti_hash=jti_hash, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(OidcAssertionRow.client_id)
    )
    return db.scalar(claiming) is not None


def is_allowed(db: Session, grant: OidcGrantRow) -> bool:
    """Whether the person allows the application all that it was given."""
    own = (OidcConsentRow.account_id == grant.account_id, OidcConsentRow.client_id == grant.client_id)
    return set(grant.scope.split()) <= set(db.scalars(select(OidcConsentRow.scope).where(*own)))


def person_of(db: Session, account_id: uuid.UUID, *, now: datetime) -> PersonFacts | None:
    """The account as it is now; None where it is closed."""
    statement = select(AccountRow, AddressChangeRow).outerjoin(AddressChangeRow, WITH_OPEN_CHANGE)
    statement = statement.where(AccountRow.id == account_id).execution_options(populate_existing=True)
    found = db.execute(statement).first()
    if found is None or not is_open(found[0]):
        return None
    account, change = found
    rows = list(db.scalars(select(ProfileRow).where(ProfileRow.account_id == account_id)))
    return PersonFacts(
        subject=str(account.id),
        login=account.login,
        full_name=f"{account.given_names} {account.surnames}".strip(),
        email=address_in_force(account, change, now),
        document_type=account.document_type,
        document_number=account.document_number,
        access=access_of(account, rows),
        profiles=tuple(_facts(row) for row in sorted(rows, key=lambda row: row.created_at)),
    )


def _end(
    db: Session, grant_id: uuid.UUID | None, *, now: datetime, announced_at: datetime | None = None
) -> None:
    if grant_id is None:
        return
    db.execute(ending_logins(OidcGrantRow.id == grant_id, now=now).values(announced_at=announced_at))


def _ended_by_replay(
    db: Session, grant: OidcGrantRow | None, what: str, *, now: datetime
) -> list[AuditEvent]:
    """End the family of what was used before, and return the event of it."""
    if grant is None:
        return []
    _end(db, grant.id, now=now)
    login = db.scalar(select(AccountRow.login).where(AccountRow.id == grant.account_id))
    return [_replayed(grant.client_id, what, login=login)]


def _after_replay(hash_: bytes) -> bytes:
    """What is stored of a code, token or `jti` once its replay is in the trail."""
    return hashlib.sha256(hash_).digest()


def _replayed(client_id: str, what: str, *, login: str | None = None) -> AuditEvent:
    details = {"application": client_id, "what": what}
    return AuditEvent(
        type=AuditEventType.APPLICATION_LOGIN_REPLAYED, actor=PRODUCT, login=login, details=details
    )


def _facts(row: ProfileRow) -> ProfileFacts:
    entity = None
    if row.entity_kind is not None:
        entity = {
            "nit": row.entity_nit,
            "name": row.entity_name,
            "kind": row.entity_kind,
            "regime": row.entity_regime,
        }
    return ProfileFacts(
        access=profile_access(row),
        entity=entity,
        profession=row.profession_name,
        professional_registration=row.professional_registration,
        site_code=row.site_code,
    )
