"""Rules for passwords, each with the sentence that tells it."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

MAX_PASSWORD_LENGTH = 128


class PasswordPolicy(StrEnum):
    """`manual`: the rules of the ministry's manual. `nist`: length only, after NIST SP 800-63B-4."""

    MANUAL = "manual"
    NIST = "nist"


@dataclass(frozen=True, kw_only=True)
class PasswordRule:
    """One rule.

    Attributes:
        text: The sentence that tells it.
        pattern: JavaScript regular expression (flags s and u) with which the page ticks it.
        holds: The test that counts.
    """

    text: str
    pattern: str
    holds: Callable[[str], bool]


def _length(text: str, *, least: int = 0, most: int | None = None) -> PasswordRule:
    return PasswordRule(
        text=text,
        pattern=f"^.{{{least},{'' if most is None else most}}}$",
        holds=lambda password: least <= len(password) and (most is None or len(password) <= most),
    )


def _some(text: str, *categories: str) -> PasswordRule:
    """Ask for one character of these Unicode categories, which the page and the server both know by name."""
    return PasswordRule(
        text=text,
        pattern="|".join(rf"\p{{{category}}}" for category in categories),
        holds=lambda password: any(unicodedata.category(char).startswith(categories) for char in password),
    )


_AT_MOST = _length(f"Tener máximo {MAX_PASSWORD_LENGTH} caracteres", most=MAX_PASSWORD_LENGTH)
_MANUAL_RULES = (
    _length("Tener mínimo ocho (8) caracteres", least=8),
    _some("Usar números", "Nd"),
    _some("Usar caracteres especiales", "P", "S"),
    _some("Usar letras mayúsculas", "Lu"),
    _some("Usar letras minúsculas", "Ll"),
)
RULES: dict[PasswordPolicy, tuple[PasswordRule, ...]] = {
    PasswordPolicy.MANUAL: (*_MANUAL_RULES, _AT_MOST),
    PasswordPolicy.NIST: (_length("Tener mínimo quince (15) caracteres", least=15), _AT_MOST),
}
PASSWORDS_DIFFER = "La contraseña y su confirmación no son iguales"


def normalise_password(text: str) -> str:
    """NFC, so that one key stroke on two keyboards is one password. Nothing is cut off."""
    return unicodedata.normalize("NFC", text)


def unmet_rules(password: str, policy: PasswordPolicy) -> list[PasswordRule]:
    return [rule for rule in RULES[policy] if not rule.holds(password)]
