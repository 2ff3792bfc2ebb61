"""Second factors in PostgreSQL: codes of an application, and recovery codes.

Passkeys are in mipres.database.passkeys. Every change holds the row of its person's factor first: of two sessions
that set the first one up, the second has to show it.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyotp
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import end_sessions, end_staff_sessions, note_mail
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.link_statements import lock_account
from mipres.database.lockouts import LoginLockouts
from mipres.database.tables import (
    PasskeyRow,
    RecoveryCodeRow,
    SecondFactorRow,
    StaffRow,
)
from mipres.domain.access import AccessChange
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType, staff
from mipres.domain.lockout import Gate, Origin
from mipres.domain.second_factor import (
    CODE_STEP,
    CODE_WINDOW,
    RECOVERY_CODE_LENGTH,
    RECOVERY_CODES,
    SETUP_FOR,
    Factor,
    PasskeyView,
    Proof,
    guarded_factor,
    is_application_code,
    is_multi_factor,
    plain_code,
)
from mipres.keys import SecretBox
from mipres.ports import Clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Whose factor it is: a person with an account, or one of support.

    Attributes:
        login: How the trail names the person.
        actor: Who acts, for the trail.
        amr: What the session has shown (RFC 8176) in which the holder acts.
        session_id: That session, of a person with an account.
        staff_session: The hash of that session, of a member of support.
    """

    login: str
    account_id: uuid.UUID | None = None
    staff_id: uuid.UUID | None = None
    actor: str = CITIZEN
    amr: tuple[str, ...] = ()
    session_id: uuid.UUID | None = None
    staff_session: bytes | None = None

    @property
    def person(self) -> str | None:
        """Whose rows of the trail they are; a member of support is named by the actor."""
        return self.login if self.account_id is not None else None

    @property
    def session(self) -> bytes | None:
        """The session in which the holder acts, of either kind."""
        return self.session_id.bytes if self.session_id is not None else self.staff_session


def holder_of_staff(staff_id: uuid.UUID, name: str, amr: tuple[str, ...] = ()) -> Holder:
    """A member of support: no citizen's login is in small letters."""
    return Holder(login=name, staff_id=staff_id, actor=staff(name), amr=amr)


@dataclass(frozen=True, kw_only=True)
class CheckedCode:
    """How a typed code came out.

    Attributes:
        proof: What it proved; None for a wrong code, and for every code while there is a lock.
        is_locked: No code is checked for some minutes.
        is_closed: No code is checked any more until support opens it again.
    """

    proof: Proof | None
    is_locked: bool = False
    is_closed: bool = False


class SecondFactors:
    """Sets up, checks and removes what a person has beside the password.

    Args:
        engine: The process's engine.
        box: Encrypts the secrets of codes.
        keys: Hide recovery codes; the first one hides new ones.
        lockouts: Counts wrong codes, apart from wrong passwords.
        audit: The trail.
        clock: Says which code is the right one now.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        box: SecretBox,
        keys: Sequence[bytes],
        lockouts: LoginLockouts,
        audit: PostgresAuditTrail,
        clock: Clock,
    ) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._box, self._keys, self._lockouts = box, tuple(keys), lockouts
        self._audit, self._clock = audit, clock

    async def of(self, holder: Holder) -> Factor:
        async with self._reading() as session:
            row = await session.scalar(select(SecondFactorRow).where(_of(holder)))
            if row is None:
                return Factor()
            unused = (RecoveryCodeRow.factor_id == row.id, RecoveryCodeRow.used_at.is_(None))
            left = await session.scalar(select(func.count()).select_from(RecoveryCodeRow).where(*unused))
            own = select(PasskeyRow).where(PasskeyRow.factor_id == row.id).order_by(PasskeyRow.created_at)
            passkeys = tuple(_view(passkey) for passkey in await session.scalars(own))
        return Factor(codes_since=row.code_since, passkeys=passkeys, recovery_codes_left=left or 0)

    async def begin_codes(self, holder: Holder) -> str:
        """The secret to put into an application, in base32.

        It is the same for every tab of half an hour, and for no other session: a person who knows the password could
        else see it there, and the owner would confirm it.
        """
        async with self._sessions.begin() as session:
            row = await self.held(session, holder)
            if waiting := self._waiting(row, holder):
                return waiting.decode()
            secret = pyotp.random_base32()
            row.waiting_secret = self._box.close(secret.encode(), row=row.id)
            row.waiting_since, row.waiting_session = self._clock.now(), holder.session
        return secret

    async def confirm_codes(self, holder: Holder, typed: str) -> tuple[str, ...] | None:
        """Take the waiting secret after its first right code, in place of an earlier one.

        The first factor of all ends the holder's other sessions.

        Returns:
            New recovery codes, to be shown once; none if the person has a list. None for a wrong code.
        """
        async with self._sessions.begin() as session:
            row, is_first = await self.held_to_add(session, holder)
            waiting = self._waiting(row, holder)
            if waiting is None or await is_owed(session, row, holder.amr):
                return None
            step = self._step_of(waiting, plain_code(typed), after=None)
            if step is None:
                return None
            row.code_secret, row.code_since, row.code_step = row.waiting_secret, self._clock.now(), step
            row.waiting_secret = row.waiting_since = row.waiting_session = None
            codes = await self.first_codes(session, row)
            await self.note_added(session, holder, AccessChange.CODES_ADDED, is_first=is_first)
        return codes

    def _waiting(self, row: SecondFactorRow, holder: Holder) -> bytes | None:
        """The secret that waits for its first code in this session."""
        if row.waiting_secret is None or row.waiting_since is None or row.waiting_session != holder.session:
            return None
        is_over = row.waiting_since <= self._clock.now() - SETUP_FOR
        return None if is_over else self._box.open(row.waiting_secret, row=row.id)

    async def remove_codes(self, holder: Holder) -> None:
        async with self._sessions.begin() as session:
            row = await self.held(session, holder)
            if row.code_secret is None or await is_owed(session, row, holder.amr):
                return
            row.code_secret = row.code_since = row.code_step = None
            await self.forget_if_bare(session, row)
            await self.note(session, holder, AccessChange.CODES_REMOVED)

    async def renew_recovery_codes(self, holder: Holder) -> tuple[str, ...]:
        """Ten new codes in place of the old ones.

        Without a factor to recover there are none.
        """
        async with self._sessions.begin() as session:
            row = await self.held(session, holder)
            if not await _is_set_up(session, row) or await is_owed(session, row, holder.amr):
                return ()
            codes = await self._replace_codes(session, row)
            await self.note(session, holder, AccessChange.RECOVERY_CODES_RENEWED)
        return codes

    async def has_list(self, holder: Holder, codes: Sequence[str]) -> bool:
        """Whether these are the recovery codes of now, used or not."""
        async with self._reading() as session:
            factor_id = await session.scalar(select(SecondFactorRow.id).where(_of(holder)))
            if factor_id is None:
                return False
            hashes = [_hashed(key, factor_id, code) for key in self._keys for code in codes]
            own = (RecoveryCodeRow.factor_id == factor_id, RecoveryCodeRow.code_hash.in_(hashes))
            return await session.scalar(select(RecoveryCodeRow.factor_id).where(*own).limit(1)) is not None

    async def check(self, holder: Holder, typed: str, origin: Origin) -> CheckedCode:
        """Judge a code of the application or of the list; each is right once.

        A failure is counted before the code is looked at.
        """
        guarded = guarded_factor(holder.login)
        # No captcha: only people with the right password come so far.
        turn = await self._lockouts.begin(guarded, origin, is_human=True)
        proof = None if turn.is_locked else await self._proof(holder, plain_code(typed))
        if proof is None:
            details = {"cause": "locked" if turn.is_locked else "wrong_code"}
            failed = AuditEvent(
                type=AuditEventType.SECOND_FACTOR_FAILED,
                actor=holder.actor,
                login=holder.person,
                details=details,
            )
            await self._audit.record(failed)
            if turn.is_worth_telling and holder.account_id is not None:
                async with self._sessions.begin() as session:
                    note_mail(session, holder.account_id, AccessChange.CODES_GUESSED, now=self._clock.now())
            return CheckedCode(
                proof=None,
                is_locked=turn.is_locked or turn.locks,
                is_closed=turn.gate is Gate.CLOSED,
            )
        await self._lockouts.lift(guarded)
        return CheckedCode(proof=proof)

    async def _proof(self, holder: Holder, plain: str) -> Proof | None:
        async with self._sessions.begin() as session:
            row = await session.scalar(select(SecondFactorRow).where(_of(holder)).with_for_update())
            if row is None:
                return None
            if is_application_code(plain):
                return self._take_code(row, plain)
            return await self._take_recovery_code(session, holder, row, plain)

    def _take_code(self, row: SecondFactorRow, plain: str) -> Proof | None:
        if row.code_secret is None:
            return None
        step = self._step_of(self._box.open(row.code_secret, row=row.id), plain, after=row.code_step)
        if step is None:
            return None
        row.code_step = step
        return Proof.CODE

    async def _take_recovery_code(
        self, session: AsyncSession, holder: Holder, row: SecondFactorRow, plain: str
    ) -> Proof | None:
        hashes = [_hashed(key, row.id, plain) for key in self._keys]
        unused = update(RecoveryCodeRow).where(
            RecoveryCodeRow.factor_id == row.id,
            RecoveryCodeRow.code_hash.in_(hashes),
            RecoveryCodeRow.used_at.is_(None),
        )
        using = unused.values(used_at=self._clock.now()).returning(RecoveryCodeRow.factor_id)
        if await session.scalar(using) is None:
            return None
        await self.note(session, holder, AccessChange.RECOVERY_CODE_USED)
        return Proof.RECOVERY_CODE

    def _step_of(self, secret: bytes, plain: str, *, after: int | None) -> int | None:
        """The step that a code belongs to, near now and later than the last one taken."""
        now = int(self._clock.now().timestamp() // CODE_STEP.total_seconds())
        codes = pyotp.TOTP(secret.decode())
        steps = [
            step for step in range(now - CODE_WINDOW, now + CODE_WINDOW + 1) if after is None or step > after
        ]
        matches = [step for step in steps if hmac.compare_digest(codes.generate_otp(step), plain)]
        return matches[0] if matches else None

    # ---- What passkeys share

    async def held(self, session: AsyncSession, holder: Holder) -> SecondFactorRow:
        """The factor of a person, made where there is none, and held."""
        made = insert(SecondFactorRow).values(
            id=uuid.uuid4(),
            account_id=holder.account_id,
            staff_id=holder.staff_id,
            created_at=self._clock.now(),
        )
        await session.execute(made.on_conflict_do_nothing())
        return (await session.scalars(select(SecondFactorRow).where(_of(holder)).with_for_update())).one()

    async def held_to_add(self, session: AsyncSession, holder: Holder) -> tuple[SecondFactorRow, bool]:
        """The factor of a person, held, and whether it is empty.

        Its owner is held before it: who opens a session or removes the factor begins there, too.
        """
        if holder.account_id is not None:
            await lock_account(session, holder.account_id)
        else:
            await session.get(StaffRow, holder.staff_id, with_for_update=True)
        row = await self.held(session, holder)
        return row, not await _is_set_up(session, row)

    async def note_added(
        self, session: AsyncSession, holder: Holder, change: AccessChange, *, is_first: bool
    ) -> None:
        """Note what was added.

        The first factor ends what was opened with less than it asks for.
        """
        if is_first:
            await self.note_and_end_sessions(session, holder, change)
        else:
            await self.note(session, holder, change)

    async def note_and_end_sessions(
        self, session: AsyncSession, holder: Holder, change: AccessChange
    ) -> None:
        """Note a change after which only the session goes on that the holder acts in."""
        ended = await self._end_other_sessions(session, holder)
        more = [
            AuditEvent(
                type=AuditEventType.SESSIONS_ENDED,
                actor=holder.actor,
                login=holder.person,
                details={"sessions": ended},
            )
        ]
        await self.note(session, holder, change, *(more if ended else ()))

    async def first_codes(self, session: AsyncSession, row: SecondFactorRow) -> tuple[str, ...]:
        """A list of recovery codes with the first factor of all."""
        has_list = select(RecoveryCodeRow.factor_id).where(RecoveryCodeRow.factor_id == row.id).limit(1)
        return () if await session.scalar(has_list) else await self._replace_codes(session, row)

    async def forget_if_bare(self, session: AsyncSession, row: SecondFactorRow) -> None:
        """Recovery codes go with the last factor that they recover."""
        await session.flush()
        if not await _is_set_up(session, row):
            await session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.factor_id == row.id))

    async def note(
        self, session: AsyncSession, holder: Holder, change: AccessChange, *more: AuditEvent
    ) -> None:
        """Put down the mail to come, where there is an address, and the rows of the trail."""
        if holder.account_id is not None:
            note_mail(session, holder.account_id, change, now=self._clock.now())
        event = AuditEvent(
            type=AuditEventType.SECOND_FACTOR_CHANGED,
            actor=holder.actor,
            login=holder.person,
            details={"change": change.value},
        )
        await session.flush()
        await self._audit.record_in(session, event, *more)

    async def _end_other_sessions(self, session: AsyncSession, holder: Holder) -> int:
        """End them in the transaction of the change; how many."""
        if holder.account_id is not None:
            return await end_sessions(
                session, holder.account_id, now=self._clock.now(), but=holder.session_id
            )
        return await end_staff_sessions(session, holder.staff_id, but=holder.staff_session)

    async def _replace_codes(self, session: AsyncSession, row: SecondFactorRow) -> tuple[str, ...]:
        codes = tuple(_new_code() for _ in range(RECOVERY_CODES))
        await session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.factor_id == row.id))
        hashed = [{"factor_id": row.id, "code_hash": _hashed(self._keys[0], row.id, code)} for code in codes]
        await session.execute(insert(RecoveryCodeRow), hashed)
        return codes


async def reseal(engine: AsyncEngine, box: SecretBox) -> int:
    """Encrypt every secret with the active key of the box; how many were not."""
    changed = 0
    async with session_factory(engine).begin() as session:
        rows = await session.scalars(select(SecondFactorRow).order_by(SecondFactorRow.id).with_for_update())
        for row in rows:
            for name in ("code_secret", "waiting_secret"):
                closed = getattr(row, name)
                if closed is not None and not box.is_current(closed):
                    setattr(row, name, box.close(box.open(closed, row=row.id), row=row.id))
                    changed += 1
    return changed


async def remove_factor(session: AsyncSession, holder: Holder) -> bool:
    """Remove everything that a person has set up; whether there was anything."""
    removed = delete(SecondFactorRow).where(_of(holder)).returning(SecondFactorRow.id)
    return await session.scalar(removed) is not None


async def has_factor(session: AsyncSession, holder: Holder) -> bool:
    """Whether a login of this person asks for one."""
    row = await session.scalar(select(SecondFactorRow).where(_of(holder)))
    return row is not None and await _is_set_up(session, row)


async def owes_factor(session: AsyncSession, holder: Holder) -> bool:
    """Whether there is a factor of which the holder has shown nothing."""
    return not is_multi_factor(holder.amr) and await has_factor(session, holder)


async def is_owed(session: AsyncSession, row: SecondFactorRow, methods: Iterable[str]) -> bool:
    """Whether it was set up, perhaps just now elsewhere, and these do not show it."""
    return not is_multi_factor(methods) and await _is_set_up(session, row)


async def _is_set_up(session: AsyncSession, row: SecondFactorRow) -> bool:
    has_passkey = select(PasskeyRow.id).where(PasskeyRow.factor_id == row.id).limit(1)
    return row.code_secret is not None or await session.scalar(has_passkey) is not None


def _of(holder: Holder) -> ColumnElement[bool]:
    if holder.account_id is not None:
        return SecondFactorRow.account_id == holder.account_id
    return SecondFactorRow.staff_id == holder.staff_id


def _view(row: PasskeyRow) -> PasskeyView:
    return PasskeyView(
        id=str(row.id),
        name=row.name,
        added_at=row.created_at,
        last_used_at=row.last_used_at,
        is_locked=row.locked_at is not None,
    )


def _new_code() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(RECOVERY_CODE_LENGTH))


def _hashed(key: bytes, factor_id: uuid.UUID, plain: str) -> bytes:
    return hmac.new(key, factor_id.bytes + plain.encode(), hashlib.sha256).digest()
