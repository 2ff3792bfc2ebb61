"""Accounts and sessions of support.

Only the hashing of passwords is shared with citizens' accounts.
"""

import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Attempt, Hasher, PasswordChecks
from mipres.database.engine import reading_factory, session_factory
from mipres.database.lockouts import LoginLockouts
from mipres.database.tables import StaffRow, StaffSessionRow
from mipres.domain.audit import AuditEvent, AuditEventType, staff
from mipres.domain.errors import MipresError
from mipres.domain.lockout import Gate, Origin
from mipres.domain.passwords import PasswordContext, PasswordPolicy, told, unmet_rules
from mipres.ports import Clock

NAME = re.compile(r"[a-z][a-z0-9._-]{2,31}", re.ASCII)
IDLE_LIMIT = timedelta(minutes=10)
ABSOLUTE_LIMIT = timedelta(hours=12)
KEY_LIFETIME = timedelta(hours=8)
_TOKEN_BYTES = 32


class StaffSessionKind(StrEnum):
    """A cookie of /soporte, or a key for Temporal's command line."""

    PAGES = "pages"
    KEY = "key"


# How long a session may rest, and how long it may live.
_LIMITS = {
    StaffSessionKind.PAGES: (IDLE_LIMIT, ABSOLUTE_LIMIT),
    StaffSessionKind.KEY: (KEY_LIFETIME, KEY_LIFETIME),
}


class StaffNameError(MipresError):
    """The name cannot be used; the text is the Spanish sentence."""


class StaffPasswordError(MipresError):
    """The password cannot be used; the text is the Spanish sentence."""


class StaffPresentPasswordError(MipresError):
    """The present password was not proven."""


class StaffUnknownError(MipresError):
    """No account of support has this name."""


@dataclass(frozen=True, kw_only=True)
class StaffMember:
    """A person of support."""

    id: uuid.UUID
    name: str
    created_at: datetime
    disabled_at: datetime | None
    password_hash: str = field(repr=False)

    @property
    def actor(self) -> str:
        return staff(self.name)


@dataclass(frozen=True, kw_only=True)
class StaffLogin:
    """How an attempt to log in came out.

    Attributes:
        token: The value of the new session's cookie; None for every failure alike.
        is_closed: No password is checked any more until somebody unlocks the account.
        is_unjudged: The password was not looked at, for want of a solved captcha.
        asks_captcha: The next attempt needs one.
    """

    token: str | None = field(repr=False)
    is_closed: bool = False
    is_unjudged: bool = False
    asks_captcha: bool = False


class PostgresStaff:
    """Keeps the accounts, checks passwords, and opens, finds and ends sessions.

    Each of these acts is recorded.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        hasher: Hasher,
        lockouts: LoginLockouts,
        audit: PostgresAuditTrail,
        clock: Clock,
    ) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._hasher = hasher
        self._lockouts = lockouts
        self._checks = PasswordChecks(hasher=hasher, lockouts=lockouts)
        self._audit = audit
        self._clock = clock

    # ---- Accounts

    async def add(self, name: str, password: str, *, actor: str) -> None:
        """Create an account.

        Raises:
            StaffNameError: the name is of the wrong form or taken.
            StaffPasswordError: the password is among the first guesses.
        """
        require_good_password(name, password)
        if not NAME.fullmatch(name):
            raise StaffNameError(
                "El nombre debe tener de 3 a 32 letras minúsculas sin tilde, dígitos, punto, guion o guion bajo, "
                "y empezar por letra"
            )
        password_hash = await self._hasher.hash(password)
        statement = insert(StaffRow).values(
            id=uuid.uuid4(), name=name, password_hash=password_hash, created_at=self._clock.now()
        )
        async with self._sessions.begin() as session:
            created = await session.execute(statement.on_conflict_do_nothing().returning(StaffRow.id))
            if created.first() is None:
                raise StaffNameError(f"Ya hay una cuenta de soporte con el nombre {name}")
            await self._note_change(session, actor, name, "added")

    async def members(self) -> list[StaffMember]:
        async with self._reading() as session:
            rows = await session.scalars(select(StaffRow).order_by(StaffRow.name))
            return [_member(row) for row in rows]

    async def disable(self, name: str, *, actor: str) -> None:
        """Close an account and end its sessions; its traces stay.

        Raises:
            StaffUnknownError: no account has this name.
        """
        async with self._sessions.begin() as session:
            row = await _locked(session, name)
            row.disabled_at = self._clock.now()
            await session.execute(delete(StaffSessionRow).where(StaffSessionRow.staff_id == row.id))
            await self._note_change(session, actor, name, "disabled")

    async def reset(self, name: str, password: str, *, actor: str) -> None:
        """Give an account another password, open it if closed, and end its sessions.

        Raises:
            StaffUnknownError: no account has this name.
            StaffPasswordError: the password is among the first guesses.
        """
        require_good_password(name, password)
        password_hash = await self._hasher.hash(password)
        async with self._sessions.begin() as session:
            row = await _locked(session, name)
            row.password_hash, row.disabled_at = password_hash, None
            await session.execute(delete(StaffSessionRow).where(StaffSessionRow.staff_id == row.id))
            await self._note_change(session, actor, name, "password_reset")
        await self._lockouts.lift(guarded(name))

    async def unlock(self, name: str, *, actor: str) -> bool:
        """Forget the failed logins of an account; whether there were any.

        Raises:
            StaffUnknownError: no account has this name.
        """
        async with self._sessions.begin() as session:
            await _locked(session, name)
            await self._note_change(session, actor, name, "unlocked")
            return await self._lockouts.lift_in(session, guarded(name))

    async def change_password(self, member: StaffMember, token: str, *, present: str, new: str) -> None:
        """Change one's own password, and end every other session and key.

        Args:
            member: Who changes it.
            token: The session that goes on.
            present: Proof that the person, and not only the browser, is there.
            new: What the password shall be.

        Raises:
            StaffPasswordError: the new one is among the first guesses.
            StaffPresentPasswordError: the present one is wrong, or the name is locked.
        """
        require_good_password(member.name, new)
        # A session is a browser that has proven the password: strangers at the login do not block it.
        here = Origin(network="", device=token_hash(token).hex())
        turn = await self._lockouts.begin(guarded(member.name), here)
        matches = await self._hasher.verify(member.password_hash, present)
        if turn.is_locked or not matches:
            event = AuditEventType.STAFF_LOGIN_LOCKED if turn.locks else AuditEventType.STAFF_LOGIN_FAILED
            await self._audit.record(AuditEvent(type=event, actor=member.actor))
            raise StaffPresentPasswordError
        password_hash = await self._hasher.hash(new)
        async with self._sessions.begin() as session:
            row = await _locked(session, member.name)
            if row.disabled_at is not None or row.password_hash != member.password_hash:
                raise StaffPresentPasswordError
            row.password_hash = password_hash
            others = delete(StaffSessionRow).where(
                StaffSessionRow.staff_id == row.id, StaffSessionRow.id_hash != token_hash(token)
            )
            await session.execute(others)
            await self._note_change(session, member.actor, member.name, "password_changed")
        await self._lockouts.lift(guarded(member.name))

    # ---- Login

    async def log_in(self, name: str, password: str, *, origin: Origin, is_human: bool = False) -> StaffLogin:
        """Judge one attempt: every failure of a password has one answer."""
        attempt = Attempt(guarded=guarded(name), password=password, origin=origin, is_human=is_human)
        judged = await self._checks.judge(attempt, lambda: self._look_up(name))
        if judged.is_unjudged:
            return StaffLogin(token=None, is_unjudged=True, asks_captcha=True)
        row, turn = judged.row, judged.turn
        if row is None or judged.verified_hash is None:
            event = AuditEventType.STAFF_LOGIN_LOCKED if turn.locks else AuditEventType.STAFF_LOGIN_FAILED
            # An unknown name may be a password typed into the wrong field: it is not recorded.
            await self._audit.record(AuditEvent(type=event, actor=staff(row.name if row else "?")))
            return StaffLogin(token=None, is_closed=turn.gate is Gate.CLOSED, asks_captcha=turn.asks_captcha)
        entered = AuditEvent(type=AuditEventType.STAFF_LOGIN_SUCCEEDED, actor=staff(row.name))
        return StaffLogin(
            token=await self._open(
                row.id, StaffSessionKind.PAGES, entered, verified_hash=judged.verified_hash
            )
        )

    async def mint_key(self, member: StaffMember) -> str | None:
        """A key that reads payloads through the codec server, for Temporal's command line.

        None if the account has been closed, or its password changed, since the session was looked up.
        """
        event = AuditEvent(type=AuditEventType.CODEC_KEY_ISSUED, actor=member.actor)
        return await self._open(member.id, StaffSessionKind.KEY, event, verified_hash=member.password_hash)

    async def member_of(self, token: str, kind: StaffSessionKind) -> StaffMember | None:
        """Whose live session this is; looking counts as activity."""
        now = self._clock.now()
        idle, absolute = _LIMITS[kind]
        touch = (
            update(StaffSessionRow)
            .where(
                StaffSessionRow.id_hash == token_hash(token),
                StaffSessionRow.kind == kind,
                StaffSessionRow.last_seen_at > now - idle,
                StaffSessionRow.created_at > now - absolute,
            )
            .values(last_seen_at=now)
            .returning(StaffSessionRow.staff_id)
        )
        async with self._sessions.begin() as session:
            staff_id = (await session.execute(touch)).scalar_one_or_none()
            row = await session.get(StaffRow, staff_id) if staff_id else None
        return _member(row) if row and row.disabled_at is None else None

    async def log_out(self, token: str) -> None:
        """End the session, and the keys of the same person with it."""
        async with self._sessions.begin() as session:
            row = await session.get(StaffSessionRow, token_hash(token), with_for_update=True)
            if row is None:
                return
            member = await session.get_one(StaffRow, row.staff_id)
            event = AuditEvent(type=AuditEventType.STAFF_LOGOUT, actor=staff(member.name))
            ended = delete(StaffSessionRow).where(StaffSessionRow.staff_id == member.id)
            await session.execute(ended)
            await self._audit.record_in(session, event)

    # ---- The rest

    async def _look_up(self, name: str) -> tuple[StaffRow | None, str | None]:
        """Find an account, and the hash that opens it; a closed one opens nothing."""
        if not NAME.fullmatch(name):
            return None, None
        async with self._reading() as session:
            row: StaffRow | None = await session.scalar(select(StaffRow).where(StaffRow.name == name))
        return row, row.password_hash if row and row.disabled_at is None else None

    async def _open(
        self, staff_id: uuid.UUID, kind: StaffSessionKind, event: AuditEvent, *, verified_hash: str
    ) -> str | None:
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), self._clock.now()
        async with self._sessions.begin() as session:
            # Another password and the end of an account hold the same row, so they end this session or show here.
            row = await session.get(StaffRow, staff_id, with_for_update=True)
            if row is None or row.disabled_at is not None or row.password_hash != verified_hash:
                refused = AuditEvent(type=AuditEventType.STAFF_LOGIN_FAILED, actor=event.actor)
                await self._audit.record_in(session, refused)
                return None
            await session.execute(
                delete(StaffSessionRow).where(
                    StaffSessionRow.staff_id == staff_id, StaffSessionRow.last_seen_at <= now - KEY_LIFETIME
                )
            )
            session.add(
                StaffSessionRow(
                    id_hash=token_hash(token), staff_id=staff_id, kind=kind, created_at=now, last_seen_at=now
                )
            )
            await session.flush()
            await self._audit.record_in(session, event)
        return token

    async def _note_change(self, session: AsyncSession, actor: str, name: str, change: str) -> None:
        details = {"staff": name, "change": change}
        await self._audit.record_in(
            session, AuditEvent(type=AuditEventType.STAFF_CHANGED, actor=actor, details=details)
        )


def guarded(name: str) -> str:
    """Name the login under which failures are counted: no citizen's login has a colon."""
    return f"soporte:{name}"


def require_good_password(name: str, password: str) -> None:
    """Refuse what is guessed first, as for citizens; fifteen characters at least.

    Raises:
        StaffPasswordError: with the rules that the password does not meet.
    """
    owner = PasswordContext(login=name)
    if unmet := unmet_rules(password, PasswordPolicy.NIST, owner):
        raise StaffPasswordError(told(unmet, password, owner))


def new_password() -> str:
    """A generated password of 120 bits."""
    return secrets.token_urlsafe(15)


def token_hash(token: str) -> bytes:
    """What is stored of a session or key."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _member(row: StaffRow) -> StaffMember:
    return StaffMember(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        password_hash=row.password_hash,
    )


async def _locked(session: AsyncSession, name: str) -> StaffRow:
    row: StaffRow | None = await session.scalar(
        select(StaffRow).where(StaffRow.name == name).with_for_update()
    )
    if row is None:
        raise StaffUnknownError(name)
    return row
