"""Accounts and sessions of support.

Only the hashing of passwords is shared with citizens' accounts.
"""

import hashlib
import re
import secrets
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import end_staff_sessions
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Attempt, Hasher, PasswordChecks
from mipres.database.engine import reading_factory, session_factory
from mipres.database.lockouts import LoginLock, LoginLockouts
from mipres.database.second_factors import Holder, holder_of_staff, owes_factor, remove_factor
from mipres.database.sessions import SecondStepNeededError
from mipres.database.tables import StaffReasonRow, StaffRow, StaffSessionRow
from mipres.domain.audit import AuditEvent, AuditEventType, staff
from mipres.domain.errors import MipresError
from mipres.domain.lockout import Gate, Origin
from mipres.domain.passwords import PasswordContext, PasswordPolicy, told, unmet_rules
from mipres.domain.second_factor import SECOND_STEP_FOR, Proof, guarded_factor, methods_of, more_methods
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
    SECOND_STEP = "second_step"
    """The time between the right password and the second step: it opens nothing."""


# How long a session may rest, and how long it may live.
_LIMITS = {
    StaffSessionKind.PAGES: (IDLE_LIMIT, ABSOLUTE_LIMIT),
    StaffSessionKind.KEY: (KEY_LIFETIME, KEY_LIFETIME),
    StaffSessionKind.SECOND_STEP: (SECOND_STEP_FOR, SECOND_STEP_FOR),
}


class StaffNameError(MipresError):
    """The name cannot be used; the text is the Spanish sentence."""


class StaffPasswordError(MipresError):
    """The password cannot be used; the text is the Spanish sentence."""


class StaffPresentPasswordError(MipresError):
    """The present password was not proven."""


class StaffUnknownError(MipresError):
    """No account of support has this name."""


class OwnStaffLockError(MipresError):
    """A member asked to unlock the own name."""


@dataclass(frozen=True, kw_only=True)
class StaffMember:
    """A person of support.

    Attributes:
        amr: How the session was authenticated that was looked up (RFC 8176).
        authenticated_at: When, at the latest.
    """

    id: uuid.UUID
    name: str
    created_at: datetime
    disabled_at: datetime | None
    password_hash: str = field(repr=False)
    amr: tuple[str, ...] = ()
    authenticated_at: datetime | None = None

    @property
    def actor(self) -> str:
        return staff(self.name)

    @property
    def holder(self) -> Holder:
        return holder_of_staff(self.id, self.name, self.amr)


@dataclass(frozen=True, kw_only=True)
class LockedMember:
    """A member of support whom failed logins keep out."""

    id: uuid.UUID
    name: str
    lock: LoginLock


@dataclass(frozen=True, kw_only=True)
class StaffLogin:
    """How an attempt to log in came out.

    Attributes:
        token: The value of the new session's cookie; None for every failure alike.
        needs_second_step: The token is one of a second step: the password was right, and nothing is open.
        is_closed: No password is checked any more until somebody unlocks the account.
        is_unjudged: The password was not looked at, for want of a solved captcha.
        asks_captcha: The next attempt needs one.
    """

    token: str | None = field(repr=False)
    needs_second_step: bool = False
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

    async def locked_members(self) -> list[LockedMember]:
        """Whom failed logins keep out now; a closed account is shut for another reason."""
        async with self._reading() as session:
            open_accounts = select(StaffRow).where(StaffRow.disabled_at.is_(None)).order_by(StaffRow.name)
            rows = (await session.scalars(open_accounts)).all()
            both = [each for row in rows for each in (guarded(row.name), guarded_factor(row.name))]
            locks = await self._lockouts.locks_in(session, both)
        found = [(row, locks.get(guarded(row.name)) or locks.get(guarded_factor(row.name))) for row in rows]
        return [LockedMember(id=row.id, name=row.name, lock=lock) for row, lock in found if lock]

    async def unlock(self, name: str, *, actor: str, reason: str | None = None) -> bool:
        """Forget the failed logins of an account; whether there were any.

        Raises:
            StaffUnknownError: no account has this name.
            OwnStaffLockError: the actor is this account. Who took its session would else guess on.
        """
        if actor == staff(name):
            raise OwnStaffLockError
        async with self._sessions.begin() as session:
            await _locked(session, name)
            await self._note_change(session, actor, name, "unlocked", reason=reason)
            both = (guarded(name), guarded_factor(name))
            return any([await self._lockouts.lift_in(session, each) for each in both])

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
        await self.verify_present(member, token, present)
        password_hash = await self._hasher.hash(new)
        async with self._sessions.begin() as session:
            row = await _locked(session, member.name)
            if row.disabled_at is not None or row.password_hash != member.password_hash:
                raise StaffPresentPasswordError
            row.password_hash = password_hash
            await end_staff_sessions(session, row.id, but=token_hash(token))
            await self._note_change(session, member.actor, member.name, "password_changed")

    async def verify_present(self, member: StaffMember, token: str, present: str) -> None:
        """Check the password of a member who is in.

        Raises:
            StaffPresentPasswordError: it is wrong, or the name is locked.
        """
        # A session is a browser that has proven the password: strangers at the login do not block it.
        here = Origin(network="", device=token_hash(token).hex())
        turn = await self._lockouts.begin(guarded(member.name), here)
        matches = await self._hasher.verify(member.password_hash, present)
        if turn.is_locked or not matches:
            event = AuditEventType.STAFF_LOGIN_LOCKED if turn.locks else AuditEventType.STAFF_LOGIN_FAILED
            await self._audit.record(AuditEvent(type=event, actor=member.actor))
            raise StaffPresentPasswordError
        await self._lockouts.lift(guarded(member.name))

    async def reset_factor(self, name: str, *, reason: str, actor: str) -> bool:
        """Remove a member's second factor and end the sessions; whether there was one.

        Raises:
            StaffUnknownError: no account has this name.
        """
        async with self._sessions.begin() as session:
            row = await _locked(session, name)
            removed = await remove_factor(session, holder_of_staff(row.id, name))
            await session.execute(delete(StaffSessionRow).where(StaffSessionRow.staff_id == row.id))
            await self._lockouts.lift_in(session, guarded_factor(name))
            await self._note_change(session, actor, name, "second_factor_reset", reason=reason)
        return removed

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
        try:
            token = await self._enter(row, (Proof.PASSWORD,), verified_hash=judged.verified_hash)
        except SecondStepNeededError:
            step = StaffSessionKind.SECOND_STEP
            token = await self._open(row, step, None, verified_hash=judged.verified_hash)
            return StaffLogin(token=token, needs_second_step=True)
        return StaffLogin(token=token)

    async def take_second_step(self, token: str, proof: Proof) -> str | None:
        """Open the session after a second step that was right.

        Of two answers, one does.
        """
        member = await self.member_of(token, StaffSessionKind.SECOND_STEP)
        ending = delete(StaffSessionRow).where(StaffSessionRow.id_hash == token_hash(token))
        async with self._sessions.begin() as session:
            is_first = await session.scalar(ending.returning(StaffSessionRow.staff_id)) is not None
        if member is None or not is_first:
            return None
        return await self._enter(member, (Proof.PASSWORD, proof), verified_hash=member.password_hash)

    async def prove(self, token: str, *proofs: Proof) -> str | None:
        """Note that a member has proven more; the new value of the cookie."""
        new, now = secrets.token_urlsafe(_TOKEN_BYTES), self._clock.now()
        async with self._sessions.begin() as session:
            old = await session.get(StaffSessionRow, token_hash(token), with_for_update=True)
            if old is None or old.kind != StaffSessionKind.PAGES:
                return None
            more = StaffSessionRow(
                id_hash=token_hash(new),
                staff_id=old.staff_id,
                kind=old.kind,
                created_at=old.created_at,
                last_seen_at=now,
                amr=list(more_methods(old.amr, *proofs)),
                authenticated_at=now,
            )
            session.add(more)
            await session.flush()
            # The reasons that were given in this login hold on.
            reasons = update(StaffReasonRow).where(StaffReasonRow.session_hash == old.id_hash)
            await session.execute(reasons.values(session_hash=more.id_hash))
            await session.delete(old)
        return new

    async def mint_key(self, member: StaffMember) -> str | None:
        """A key that reads payloads through the codec server, for Temporal's command line.

        None if the account has been closed, its password changed or a first second factor been set up, since the
        session was looked up.
        """
        event = AuditEvent(type=AuditEventType.CODEC_KEY_ISSUED, actor=member.actor)
        key, methods = StaffSessionKind.KEY, member.amr
        with suppress(SecondStepNeededError):
            return await self._open(member, key, event, verified_hash=member.password_hash, amr=methods)
        return None

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
            .returning(StaffSessionRow.staff_id, StaffSessionRow.amr, StaffSessionRow.authenticated_at)
        )
        async with self._sessions.begin() as session:
            found = (await session.execute(touch)).one_or_none()
            row = await session.get(StaffRow, found.staff_id) if found else None
        if found is None or row is None or row.disabled_at is not None:
            return None
        return replace(_member(row), amr=tuple(found.amr), authenticated_at=found.authenticated_at)

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

    async def _enter(
        self, member: StaffRow | StaffMember, proofs: tuple[Proof, ...], *, verified_hash: str
    ) -> str | None:
        entered = AuditEvent(type=AuditEventType.STAFF_LOGIN_SUCCEEDED, actor=staff(member.name))
        return await self._open(
            member, StaffSessionKind.PAGES, entered, verified_hash=verified_hash, amr=methods_of(*proofs)
        )

    async def _open(
        self,
        member: StaffRow | StaffMember,
        kind: StaffSessionKind,
        event: AuditEvent | None,
        *,
        verified_hash: str,
        amr: tuple[str, ...] = (),
    ) -> str | None:
        staff_id, token = member.id, secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._clock.now()
        async with self._sessions.begin() as session:
            # Another password and the end of an account hold the same row, so they end this session or show here.
            row = await session.get(StaffRow, staff_id, with_for_update=True)
            if row is None or row.disabled_at is not None or row.password_hash != verified_hash:
                refused = AuditEvent(type=AuditEventType.STAFF_LOGIN_FAILED, actor=staff(member.name))
                await self._audit.record_in(session, refused)
                return None
            opens = kind is not StaffSessionKind.SECOND_STEP
            if opens and await owes_factor(session, holder_of_staff(staff_id, row.name, amr)):
                raise SecondStepNeededError
            await session.execute(
                delete(StaffSessionRow).where(
                    StaffSessionRow.staff_id == staff_id, StaffSessionRow.last_seen_at <= now - KEY_LIFETIME
                )
            )
            session.add(
                StaffSessionRow(
                    id_hash=token_hash(token),
                    staff_id=staff_id,
                    kind=kind,
                    created_at=now,
                    last_seen_at=now,
                    amr=list(amr),
                    authenticated_at=now,
                )
            )
            await session.flush()
            if event is not None:
                await self._audit.record_in(session, event)
        return token

    async def _note_change(
        self, session: AsyncSession, actor: str, name: str, change: str, *, reason: str | None = None
    ) -> None:
        details = {"staff": name, "change": change}
        event = AuditEvent(type=AuditEventType.STAFF_CHANGED, actor=actor, reason=reason, details=details)
        await self._audit.record_in(session, event)


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
