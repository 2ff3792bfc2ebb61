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


def _is_special(char: str) -> bool:
    return not char.isalnum() and not char.isspace()


def _length(text: str, *, least: int = 0, most: int | None = None) -> PasswordRule:
    return PasswordRule(
        text=text,
        pattern=f"^.{{{least},{'' if most is None else most}}}$",
        holds=lambda password: least <= len(password) and (most is None or len(password) <= most),
    )


def _some(text: str, pattern: str, is_one: Callable[[str], bool]) -> PasswordRule:
    return PasswordRule(text=text, pattern=pattern, holds=lambda password: any(map(is_one, password)))


_AT_MOST = _length(f"Tener máximo {MAX_PASSWORD_LENGTH} caracteres", most=MAX_PASSWORD_LENGTH)
_MANUAL_RULES = (
    _length("Tener mínimo ocho (8) caracteres", least=8),
    _some("Usar números", r"\p{Nd}", str.isdecimal),
    _some("Usar caracteres especiales", r"[^\p{L}\p{N}\s]", _is_special),
    _some("Usar letras mayúsculas", r"\p{Lu}", str.isupper),
    _some("Usar letras minúsculas", r"\p{Ll}", str.islower),
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
