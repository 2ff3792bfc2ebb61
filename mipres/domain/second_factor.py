"""The second factor.

Who must have one, what counts as one, and for how long a proof stands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mipres.domain.submissions import UserType

RECOVERY_CODES = 10
RECOVERY_CODE_LENGTH = 12
"""Characters of 5 bits: 60 bits, which no online guessing finds."""
CODE_DIGITS = 6
CODE_STEP = timedelta(seconds=30)
CODE_WINDOW = 1
"""So many steps a clock may be ahead or behind (RFC 6238, 5.2)."""
MOST_PASSKEYS = 10
LONGEST_PASSKEY_NAME = 40
FRESH_FOR = timedelta(minutes=10)
"""So long after a proof the factor itself may be changed."""
SETUP_FOR = timedelta(minutes=30)
"""So long a secret waits for its first code."""
SECOND_STEP_FOR = timedelta(minutes=10)
"""So long after the right password the second step may be done."""
CHALLENGE_FOR = timedelta(minutes=10)


class SecondFactorRule(StrEnum):
    """Who must have a second factor (`SECOND_FACTOR`)."""

    OPTIONAL = "optional"
    DELEGATES = "delegates"
    REQUIRED = "required"

    def demands(self, user_types: Iterable[UserType]) -> bool:
        """Whether a person with these profiles must have one."""
        if self is SecondFactorRule.DELEGATES:
            return UserType.DELEGATE in user_types
        return self is SecondFactorRule.REQUIRED


class Proof(StrEnum):
    """What a person proved at a login."""

    PASSWORD = "password"  # noqa: S105 - a kind of proof.
    CODE = "code"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


_METHODS = {
    Proof.PASSWORD: ("pwd",),
    Proof.CODE: ("otp",),
    Proof.PASSKEY: ("pop", "user"),
    # A code of a printed list has no value of its own in RFC 8176.
    Proof.RECOVERY_CODE: ("otp",),
}
MULTI_FACTOR = "mfa"


def methods_of(*proofs: Proof) -> tuple[str, ...]:
    """The methods of RFC 8176 that a session records.

    A passkey alone is two factors: the device has it, and the device checked its user.
    """
    methods = dict.fromkeys(method for proof in proofs for method in _METHODS[proof])
    is_multiple = Proof.PASSKEY in proofs or len(set(proofs)) > 1
    return (*methods, MULTI_FACTOR) if is_multiple else tuple(methods)


def renews(known: Iterable[str], *proofs: Proof) -> bool:
    """Whether it is the password again, and the session has shown no more."""
    return tuple(known) == methods_of(*proofs) == methods_of(Proof.PASSWORD)


def more_methods(known: Iterable[str], *proofs: Proof) -> tuple[str, ...]:
    """The methods of a session in which a person has proven more.

    One that has shown several factors keeps these: a later proof of one is no part of that moment.
    """
    kept = tuple(known)
    if is_multi_factor(kept):
        return kept
    methods = dict.fromkeys((*kept, *methods_of(*proofs)))
    methods.pop(MULTI_FACTOR, None)
    has_second = Proof.CODE in proofs or Proof.PASSKEY in proofs or Proof.RECOVERY_CODE in proofs
    return (*methods, MULTI_FACTOR) if has_second else tuple(methods)


def is_multi_factor(methods: Iterable[str]) -> bool:
    return MULTI_FACTOR in methods


@dataclass(frozen=True, kw_only=True)
class Factor:
    """What a person has set up.

    Attributes:
        codes_since: Since when an application gives codes; None without one.
        recovery_codes_left: Codes of the list that still work.
    """

    codes_since: datetime | None = None
    passkeys: tuple["PasskeyView", ...] = ()
    recovery_codes_left: int = 0

    @property
    def has_codes(self) -> bool:
        return self.codes_since is not None

    @property
    def is_set_up(self) -> bool:
        """Whether a login asks for it; recovery codes alone are no factor.

        A locked passkey still counts: a clone of it must not turn the second step off.
        """
        return self.has_codes or bool(self.passkeys)

    def is_owed(self, methods: Iterable[str]) -> bool:
        """Whether it is set up, and nothing of it was shown yet."""
        return self.is_set_up and not is_multi_factor(methods)

    def may_change(self, methods: Iterable[str], *, proven_at: datetime | None, now: datetime) -> bool:
        """Whether what was proven is recent, and as much as the factor asks for."""
        return not self.is_owed(methods) and proven_at is not None and proven_at > now - FRESH_FOR


@dataclass(frozen=True, kw_only=True)
class PasskeyView:
    """One passkey, as its owner knows it.

    Attributes:
        is_locked: A copy of it was seen; it opens nothing any more.
    """

    id: str
    name: str
    added_at: datetime
    last_used_at: datetime | None
    is_locked: bool


_CONFUSED = str.maketrans("OIL", "011")


def plain_code(typed: str) -> str:
    """A code as it is compared.

    Without spaces and hyphens, and in the letters of its alphabet.
    """
    kept = "".join(char for char in typed.upper() if char.isascii() and char.isalnum())
    return kept if is_application_code(kept) else kept.translate(_CONFUSED)


def is_application_code(plain: str) -> bool:
    """Whether it is a code of an application, and no recovery code."""
    return len(plain) == CODE_DIGITS and plain.isdigit()


def shown_recovery_code(plain: str) -> str:
    """`ABCD-EFGH-JKMN`, as people copy it."""
    return "-".join(plain[start : start + 4] for start in range(0, len(plain), 4))


def guarded_factor(holder: str) -> str:
    """Under what wrong codes of a holder are counted, apart from wrong passwords."""
    return f"second factor {holder}"
