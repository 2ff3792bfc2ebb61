"""Captcha challenges: a signed, dated token from which the code is derived.

The database stores answers only.
"""

import hashlib
import hmac
import secrets

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.captcha.codes import ALPHABET, CODE_LENGTH, normalise_answer
from mipres.database.tables import CaptchaAnswerRow
from mipres.ports import Clock

CHALLENGE_LIFETIME_SECONDS = 10 * 60
_NONCE_BYTES = 16


class CaptchaChallenges:
    """Makes challenges and judges answers.

    Any process with the same key judges them alike.
    """

    def __init__(self, engine: AsyncEngine, *, key: bytes, clock: Clock) -> None:
        self._engine = engine
        self._key = key
        self._clock = clock
        self._serializer = URLSafeTimedSerializer(key, salt="captcha")

    def new(self) -> str:
        """A fresh challenge. Looking at a form stores nothing."""
        return self._serializer.dumps(secrets.token_urlsafe(_NONCE_BYTES))

    def code_of(self, challenge: str) -> str | None:
        """The code to draw or speak; None for a forged or expired challenge."""
        nonce = self._nonce_of(challenge)
        return None if nonce is None else self._code(nonce)

    async def redeem(self, challenge: str, answer: str) -> bool:
        """Tell whether the answer is right.

        Every challenge is judged once, whatever the answer is.
        """
        nonce = self._nonce_of(challenge)
        if nonce is None:
            return False
        statement = (
            insert(CaptchaAnswerRow)
            .values(nonce=nonce, answered_at=self._clock.now())
            .on_conflict_do_nothing()
            .returning(CaptchaAnswerRow.nonce)
        )
        async with self._engine.begin() as connection:
            is_first_answer = (await connection.execute(statement)).first() is not None
        return is_first_answer and hmac.compare_digest(
            normalise_answer(answer).encode(errors="replace"), self._code(nonce).encode()
        )

    def _nonce_of(self, challenge: str) -> str | None:
        try:
            nonce = self._serializer.loads(challenge, max_age=CHALLENGE_LIFETIME_SECONDS)
        except (BadSignature, UnicodeError):
            return None
        return nonce if isinstance(nonce, str) else None

    def _code(self, nonce: str) -> str:
        digest = hmac.new(self._key, nonce.encode(), hashlib.sha256).digest()
        # 32 bytes to five symbols: the bias of the remainder is below 2⁻⁴⁰.
        number = int.from_bytes(digest, "big")
        symbols = []
        for _ in range(CODE_LENGTH):
            number, index = divmod(number, len(ALPHABET))
            symbols.append(ALPHABET[index])
        return "".join(symbols)
