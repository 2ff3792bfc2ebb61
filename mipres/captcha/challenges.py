"""Captcha challenges: a signed, dated token from which the code is derived.

The database stores answers only.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.captcha.codes import ALPHABET, CODE_LENGTH, normalise_answer
from mipres.database.tables import CaptchaAnswerRow
from mipres.ports import Clock

CHALLENGE_LIFETIME_SECONDS = 30 * 60
_NONCE_BYTES = 16
_VISIT_DIGITS = 32


class Verdict(StrEnum):
    """What an answer to a challenge is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a challenge is shown and answered: one form in one visit.

    Attributes:
        form: The address of the form.
        visit: The value of the visit's cookie.
    """

    form: str
    visit: str


@dataclass(frozen=True, kw_only=True)
class _Challenge:
    nonce: str
    form: str
    visit_digest: str
    has_expired: bool


class CaptchaChallenges:
    """Makes challenges and judges answers.

    Any process with the same key judges them alike.
    """

    def __init__(self, engine: AsyncEngine, *, key: bytes, clock: Clock) -> None:
        self._engine = engine
        self._key = key
        self._clock = clock
        self._serializer = URLSafeTimedSerializer(key, salt="captcha")

    def new(self, place: Place) -> str:
        """A fresh challenge. Looking at a form stores nothing."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return self._serializer.dumps([nonce, place.form, self._visit_digest(place.visit)])

    def another(self, challenge: str, *, visit: str) -> str | None:
        """A fresh challenge for the form of this one, expired or not.

        None for a forged challenge or one of another visit.
        """
        known = self._read(challenge)
        if known is None or known.visit_digest != self._visit_digest(visit):
            return None
        return self.new(Place(form=known.form, visit=visit))

    def code_of(self, challenge: str) -> str | None:
        """The code to draw or speak; None for a forged or expired challenge."""
        known = self._read(challenge)
        return None if known is None or known.has_expired else self._code(known.nonce)

    def chance_of(self, challenge: str) -> Random:
        """The chance by which the code is drawn and spoken: the same each time.

        Of many pictures or recordings of one code a program would take what most of them say.
        """
        known = self._read(challenge)
        # By the nonce, because one challenge can be written in several ways.
        seed = hmac.new(self._key, f"chance {known.nonce if known else ''}".encode(), hashlib.sha256)
        return Random(seed.digest())  # noqa: S311 - without the key no one knows its seed.

    def is_open(self, challenge: str, place: Place) -> bool:
        """Whether the challenge can be answered there and now."""
        known = self._read(challenge)
        return known is not None and self._is_of(known, place) and not known.has_expired

    def has_expired(self, challenge: str) -> bool:
        """Whether it was genuine, and its time is over."""
        known = self._read(challenge)
        return known is not None and known.has_expired

    async def redeem(self, challenge: str, answer: str, place: Place) -> Verdict:
        """Judge the code that a person typed.

        Every challenge is judged once, whatever the answer is, and nowhere but where it was shown.
        """
        return await self._judge(self._read(challenge), place, answer)

    async def redeem_proven(self, challenge: str, place: Place) -> Verdict:
        """Judge a challenge that a proof of work answers."""
        known = self._read(challenge)
        return await self._judge(known, place, self._code(known.nonce) if known else "")

    async def _judge(self, known: _Challenge | None, place: Place, answer: str) -> Verdict:
        if known is None or not self._is_of(known, place):
            return Verdict.WRONG
        if known.has_expired:
            return Verdict.EXPIRED
        if not await self._use_up(known.nonce):
            return Verdict.USED
        is_right = hmac.compare_digest(
            normalise_answer(answer).encode(errors="replace"),
            normalise_answer(self._code(known.nonce)).encode(),
        )
        return Verdict.RIGHT if is_right else Verdict.WRONG

    async def _use_up(self, nonce: str) -> bool:
        """Whether nobody has answered before."""
        statement = (
            insert(CaptchaAnswerRow)
            .values(nonce=nonce, answered_at=self._clock.now())
            .on_conflict_do_nothing()
            .returning(CaptchaAnswerRow.nonce)
        )
        async with self._engine.begin() as connection:
            return (await connection.execute(statement)).first() is not None

    def _read(self, challenge: str) -> _Challenge | None:
        try:
            signed, has_expired = self._serializer.loads(challenge, max_age=CHALLENGE_LIFETIME_SECONDS), False
        except SignatureExpired as error:
            # The signature is genuine, so what it signed can be trusted.
            signed, has_expired = self._serializer.load_payload(error.payload or b""), True
        except (BadSignature, UnicodeError):
            return None
        match signed:
            case [str(nonce), str(form), str(digest)]:
                return _Challenge(nonce=nonce, form=form, visit_digest=digest, has_expired=has_expired)
        return None

    def _is_of(self, challenge: _Challenge, place: Place) -> bool:
        return challenge.form == place.form and hmac.compare_digest(
            challenge.visit_digest, self._visit_digest(place.visit)
        )

    def _visit_digest(self, visit: str) -> str:
        # The challenge stands in addresses, where the value of a cookie has no business. The space keeps these
        # digests apart from those of nonces, from which codes are made.
        keyed = hmac.new(self._key, f"visit {visit}".encode(errors="replace"), hashlib.sha256)
        return keyed.hexdigest()[:_VISIT_DIGITS]

    def _code(self, nonce: str) -> str:
        digest = hmac.new(self._key, nonce.encode(), hashlib.sha256).digest()
        # 32 bytes to five symbols: the bias of the remainder is below 2⁻⁴⁰.
        number = int.from_bytes(digest, "big")
        symbols = []
        for _ in range(CODE_LENGTH):
            number, index = divmod(number, len(ALPHABET))
            symbols.append(ALPHABET[index])
        return "".join(symbols)
