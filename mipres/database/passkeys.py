"""Passkeys in PostgreSQL (WebAuthn): added, used, removed, and locked once copied."""

import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from mipres.database.engine import session_factory
from mipres.database.second_factors import Holder, SecondFactors, holder_of_staff, is_owed
from mipres.database.tables import AccountRow, PasskeyAnswerRow, PasskeyRow, SecondFactorRow, StaffRow
from mipres.domain.access import AccessChange
from mipres.domain.second_factor import CHALLENGE_FOR, LONGEST_PASSKEY_NAME, MOST_PASSKEYS
from mipres.ports import Clock

_NONCE_BYTES = 16
_TIME_BYTES = 8
_SITE_NAME = "Registro MIPRES"
# What parsers raise for an answer that no browser gives; the library lets most of it through.
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
_WRONG = (WebAuthnException, *_UNREADABLE)


class Purpose(StrEnum):
    """What a challenge is for."""

    ADD = "add"
    SECOND_STEP = "second_step"
    LOGIN = "login"
    STAFF_STEP = "staff_step"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Whose passkeys they are.

    Attributes:
        name: The host of the public address.
        origin: The address that browsers must name.
    """

    name: str
    origin: str


class Passkeys:
    """Gives challenges and takes each answer once.

    A challenge is signed over its time, its purpose and the session that it was drawn for, so nothing is stored
    before it is answered.

    Args:
        engine: The process's engine.
        factors: Whose factors they belong to.
        site: Whose passkeys they are.
        keys: Sign challenges; the first one signs new ones.
        clock: Says when a challenge is over.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        factors: SecondFactors,
        site: Site,
        keys: Sequence[bytes],
        clock: Clock,
    ) -> None:
        self._sessions = session_factory(engine)
        self._factors, self._site, self._keys, self._clock = factors, site, tuple(keys), clock

    async def options_to_add(self, holder: Holder, *, bound_to: str) -> str:
        """What the browser needs to make a passkey, as JSON."""
        async with self._sessions.begin() as session:
            row = await self._factors.held(session, holder)
            own = select(PasskeyRow.credential_id).where(PasskeyRow.factor_id == row.id)
            known = [PublicKeyCredentialDescriptor(id=item) for item in await session.scalars(own)]
        options = generate_registration_options(
            rp_id=self._site.name,
            rp_name=_SITE_NAME,
            user_name=holder.login,
            user_id=row.id.bytes,
            challenge=self._challenge(Purpose.ADD, bound_to),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=known,
        )
        return options_to_json(options)

    def options_to_use(self, purpose: Purpose, *, bound_to: str) -> str:
        """What the browser needs to use a passkey, as JSON: it names no one."""
        options = generate_authentication_options(
            rp_id=self._site.name,
            challenge=self._challenge(purpose, bound_to),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    async def add(self, holder: Holder, answer: str, *, name: str, bound_to: str) -> tuple[str, ...] | None:
        """Take a passkey that the browser made.

        The first factor of all ends the holder's other sessions.

        Returns:
            New recovery codes, to be shown once; none if the person has a list. None for a wrong answer.
        """
        challenge = await self._pop(Purpose.ADD, answer, bound_to)
        if challenge is None:
            return None
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._site.name,
                expected_origin=self._site.origin,
                require_user_verification=True,
            )
        except _WRONG:
            return None
        async with self._sessions.begin() as session:
            row, is_first = await self._factors.held_to_add(session, holder)
            own = (await session.scalars(select(PasskeyRow.id).where(PasskeyRow.factor_id == row.id))).all()
            values = {
                "id": uuid.uuid4(),
                "factor_id": row.id,
                "credential_id": made.credential_id,
                "public_key": made.credential_public_key,
                "sign_count": made.sign_count,
                "name": " ".join(name.split())[:LONGEST_PASSKEY_NAME] or f"Llave {len(own) + 1}",
                "created_at": self._clock.now(),
            }
            new = insert(PasskeyRow).values(values).on_conflict_do_nothing().returning(PasskeyRow.id)
            is_refused = len(own) >= MOST_PASSKEYS or await is_owed(session, row, holder.amr)
            if is_refused or await session.scalar(new) is None:
                return None
            codes = await self._factors.first_codes(session, row)
            await self._factors.note_added(session, holder, AccessChange.PASSKEY_ADDED, is_first=is_first)
        return codes

    async def remove(self, holder: Holder, passkey_id: uuid.UUID) -> None:
        async with self._sessions.begin() as session:
            row = await self._factors.held(session, holder)
            removing = delete(PasskeyRow).where(PasskeyRow.id == passkey_id, PasskeyRow.factor_id == row.id)
            if await is_owed(session, row, holder.amr):
                return
            if await session.scalar(removing.returning(PasskeyRow.id)) is None:
                return
            await self._factors.forget_if_bare(session, row)
            await self._factors.note(session, holder, AccessChange.PASSKEY_REMOVED)

    async def use(self, purpose: Purpose, answer: str, *, bound_to: str) -> Holder | None:
        """Whose passkey answered; None for a wrong answer and for a locked passkey.

        The purpose also says whose it must be: a passkey of support opens nothing of the public.
        A counter that does not go on says that there is a copy: the passkey is locked for good, and all sessions end.
        """
        challenge = await self._pop(purpose, answer, bound_to)
        if challenge is None:
            return None
        async with self._sessions.begin() as session:
            found = await self._passkey(session, answer, is_staff=purpose is Purpose.STAFF_STEP)
            if found is None:
                return None
            passkey, holder = found
            count = self._count_of(answer, challenge, passkey)
            if count is None or passkey.locked_at is not None:
                return None
            if (count or passkey.sign_count) and count <= passkey.sign_count:
                passkey.locked_at = self._clock.now()
                # The copy may have opened some of them.
                await self._factors.note_and_end_sessions(session, holder, AccessChange.PASSKEY_LOCKED)
                return None
            passkey.sign_count, passkey.last_used_at = count, self._clock.now()
        return holder

    def _count_of(self, answer: str, challenge: bytes, passkey: PasskeyRow) -> int | None:
        """The counter of an answer whose signature is right."""
        try:
            verified = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._site.name,
                expected_origin=self._site.origin,
                credential_public_key=passkey.public_key,
                # The library compares before it looks at the signature, so a stranger could lock a passkey.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except _WRONG:
            return None
        return verified.new_sign_count

    async def _passkey(
        self, session: AsyncSession, answer: str, *, is_staff: bool
    ) -> tuple[PasskeyRow, Holder] | None:
        try:
            parsed = json.loads(answer)
            credential_id = base64url_to_bytes(str(parsed["id"]))
            handle = base64url_to_bytes(str(parsed["response"].get("userHandle") or ""))
        except _UNREADABLE:
            return None
        named: Select[PasskeyRow, uuid.UUID, str]
        if is_staff:
            named = select(PasskeyRow, StaffRow.id, StaffRow.name)
            owner = StaffRow.id == SecondFactorRow.staff_id
        else:
            named = select(PasskeyRow, AccountRow.id, AccountRow.login)
            owner = AccountRow.id == SecondFactorRow.account_id
        wanted = named.where(
            PasskeyRow.credential_id == credential_id, SecondFactorRow.id == PasskeyRow.factor_id, owner
        )
        # The owner first: what ends sessions begins there.
        held = wanted.with_for_update(of=[StaffRow if is_staff else AccountRow, PasskeyRow])
        found = (await session.execute(held)).first()
        if found is None:
            return None
        passkey, owner_id, name = found
        # Where the device says whose passkey it is, that is this owner (WebAuthn, section 7.2, step 6).
        if handle and handle != passkey.factor_id.bytes:
            return None
        holder = holder_of_staff(owner_id, name) if is_staff else Holder(login=name, account_id=owner_id)
        return passkey, holder

    def _challenge(self, purpose: Purpose, bound_to: str) -> bytes:
        ends = int((self._clock.now() + CHALLENGE_FOR).timestamp())
        body = os.urandom(_NONCE_BYTES) + ends.to_bytes(_TIME_BYTES, "big")
        return body + _signature(self._keys[0], purpose, bound_to, body)

    async def _pop(self, purpose: Purpose, answer: str, bound_to: str) -> bytes | None:
        """The challenge that an answer names.

        None if it was not ours for this, is over, or was answered before.
        """
        try:
            client_data = base64url_to_bytes(str(json.loads(answer)["response"]["clientDataJSON"]))
            challenge = base64url_to_bytes(str(json.loads(client_data)["challenge"]))
        except _UNREADABLE:
            return None
        end = _NONCE_BYTES + _TIME_BYTES
        body, signature = challenge[:end], challenge[end:]
        known = [_signature(key, purpose, bound_to, body) for key in self._keys]
        if not any(hmac.compare_digest(signature, each) for each in known):
            return None
        now = self._clock.now()
        if int.from_bytes(body[_NONCE_BYTES:], "big") <= now.timestamp():
            return None
        popped = insert(PasskeyAnswerRow).values(challenge=challenge, answered_at=now)
        async with self._sessions.begin() as session:
            first = await session.scalar(
                popped.on_conflict_do_nothing().returning(PasskeyAnswerRow.challenge)
            )
        return challenge if first is not None else None


def _signature(key: bytes, purpose: Purpose, bound_to: str, body: bytes) -> bytes:
    bound = hashlib.sha256(bound_to.encode(errors="replace")).digest()
    return hmac.new(key, purpose.value.encode() + bound + body, hashlib.sha256).digest()
