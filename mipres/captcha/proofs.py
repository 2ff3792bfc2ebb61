"""Proofs of work by ALTCHA's protocol, version 2.

A browser answers instead of a person: it looks for the counter whose derived key the server has chosen. A proof answers one captcha challenge, which
it carries in its signed data, so form, visit, time and single use are the challenge's own.
"""

import hmac
import secrets
from typing import Any, Final

from altcha.v2 import Payload, create_challenge, verify_solution

# Browsers derive PBKDF2 by themselves, nearly as fast as a program written for it; a plain SHA-256 is several times
# slower in a browser, to the attacker's advantage.
_ALGORITHM: Final = "PBKDF2/SHA-256"
_ITERATIONS: Final = 5_000
_LONGEST_PAYLOAD: Final = 4_096
_CHALLENGE: Final = "captcha_id"


class ProofsOfWork:
    """Sets the work and checks it.

    Args:
        key: Signs what a browser gets.
        most_keys: How many keys a browser derives at most; at least half of them.
    """

    def __init__(self, *, key: bytes, most_keys: int) -> None:
        self._key = hmac.digest(key, b"parameters", "sha256")
        self._solution_key = hmac.digest(key, b"solution", "sha256")
        self._most_keys = most_keys

    def set_work(self, challenge: str) -> dict[str, Any]:
        """Set the work that answers a captcha challenge.

        It derives a key, some milliseconds of CPU, so callers run it in a thread.
        """
        least = self._most_keys // 2
        return create_challenge(
            _ALGORITHM,
            _ITERATIONS,
            # Nobody waits much longer than others, as they would if the key were left to chance.
            counter=least + secrets.randbelow(self._most_keys - least),
            data={_CHALLENGE: challenge},
            hmac_secret=self._key,
            hmac_key_secret=self._solution_key,
        ).to_dict()

    def proven(self, payload: str) -> str | None:
        """Return the captcha challenge that a proof answers; None for what proves nothing."""
        if len(payload) > _LONGEST_PAYLOAD:
            return None
        try:
            known = Payload.from_base64(payload)
            is_proof = verify_solution(known, self._key, hmac_key_secret=self._solution_key).verified
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return str((known.challenge.parameters.data or {})[_CHALLENGE]) if is_proof else None
