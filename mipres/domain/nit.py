"""NIT, the tax number of Colombian entities: nine digits here, without the check digit that follows the hyphen."""

import re
from typing import Final

from mipres.domain.errors import MipresError

NIT_LENGTH: Final = 9
# DIAN's weights, from the rightmost digit on.
_WEIGHTS: Final = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)
_MODULUS: Final = 11
# People copy a NIT from a letterhead with these among the digits, visible or not.
_SEPARATORS: Final = str.maketrans("", "", " .-\t\u00a0\u200b\u200c\u200d\u2010\u2011\u2013\u2060\ufeff")
_DIGITS: Final = re.compile(r"\d+", re.ASCII)


class InvalidNitError(MipresError, ValueError):
    """What was typed is no NIT; its text is the Spanish sentence to show beside the field.

    Attributes:
        reason: That sentence.
        suggestion: The nine digits that were probably meant, if they can be told.
    """

    def __init__(self, reason: str, suggestion: str | None = None) -> None:
        self.reason = reason
        self.suggestion = suggestion
        super().__init__(reason)


def normalise_nit(text: str) -> str:
    """Drop the spaces, dots and hyphens that people write in a NIT. What is left may still be no NIT."""
    return text.strip().translate(_SEPARATORS)


def check_digit(nit: str) -> str:
    """The verification digit that DIAN prints after the hyphen of a NIT of up to fifteen digits."""
    if not _DIGITS.fullmatch(nit) or len(nit) > len(_WEIGHTS):
        raise ValueError("a check digit needs between one and fifteen ASCII digits")
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, reversed(nit), strict=False))
    remainder = total % _MODULUS
    return str(remainder if remainder <= 1 else _MODULUS - remainder)


def parse_nit(text: str) -> str:
    """The nine digits of the NIT that was typed.

    Raises:
        InvalidNitError: with the sentence to show and, when the check digit came along, the nine digits to offer.
    """
    nit = normalise_nit(text)
    if not _DIGITS.fullmatch(nit):
        raise InvalidNitError("Escriba el NIT solo con dígitos")
    if len(nit) == NIT_LENGTH:
        return nit
    if _has_check_digit(nit):
        suggestion = nit[:NIT_LENGTH]
        raise InvalidNitError(
            f"El NIT incluye el dígito de verificación ({nit[-1]}); escríbalo sin él: {suggestion}",
            suggestion,
        )
    raise InvalidNitError(f"El NIT debe tener {NIT_LENGTH} dígitos, sin el dígito de verificación")


def nit_to_offer(text: str) -> str | None:
    """The nine digits that were meant, where a NIT was typed with its check digit."""
    try:
        parse_nit(text)
    except InvalidNitError as error:
        return error.suggestion
    return None


def _has_check_digit(nit: str) -> bool:
    return len(nit) == NIT_LENGTH + 1 and check_digit(nit[:NIT_LENGTH]) == nit[-1]
