"""NIT, the tax number, here without the check digit.

Nine digits of an entity, or the cédula of a natural person.
"""

import re
from typing import Final

from mipres.domain.errors import MipresError
from mipres.domain.identifiers import compact, visible

NIT_LENGTH: Final = 9
"""Digits of an entity's NIT.

That of a natural person is their cédula, with 6 to 10.
"""
_LENGTHS: Final = range(6, 11)
# DIAN numbers entities from 800,000,000 on; no cédula of ten digits begins so.
_FIRST_OF_ENTITIES: Final = ("8", "9")
# DIAN's weights, from the rightmost digit on.
_WEIGHTS: Final = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)
_MODULUS: Final = 11
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_LABEL: Final = re.compile(r"^NIT:?(?:N[UMERO]*)?[:°º#]*(?=\d)", re.ASCII | re.IGNORECASE)
_CHECK_DIGIT_WORD: Final = re.compile(r"(?<=\d)\(?(?:DV:?)?(\d)\)?$", re.ASCII | re.IGNORECASE)
_CHECK_DIGIT_MARK: Final = re.compile(
    r"\d[\d.,'\s]{5,}(?:[\s(-]*D\.?\s?V\.?[\s:.-]*|\s*-\s*|\s*\()\d\)?$", re.ASCII | re.IGNORECASE
)


class InvalidNitError(MipresError, ValueError):
    """What was typed is no NIT.

    Its text is the Spanish sentence to show beside the field.

    Attributes:
        reason: That sentence.
        suggestion: The nine digits that were probably meant, if they can be known.
    """

    def __init__(self, reason: str, suggestion: str | None = None) -> None:
        self.reason = reason
        self.suggestion = suggestion
        super().__init__(reason)


def normalise_nit(text: str) -> str:
    """Drop what people write in front of a NIT and among its digits.

    What is left may still be no NIT.
    """
    return _CHECK_DIGIT_WORD.sub(r"\1", _LABEL.sub("", compact(text)))


def is_same_nit(nit: str, written: str) -> bool:
    """Whether what a registry writes is this NIT.

    With zeros in front or its check digit behind, or not.
    """
    digits = normalise_nit(written).lstrip("0")
    return digits in (nit, f"{nit}{check_digit(nit)}")


def check_digit(nit: str) -> str:
    """The check digit that DIAN prints after the hyphen of a NIT."""
    if not _DIGITS.fullmatch(nit) or len(nit) > len(_WEIGHTS):
        raise ValueError("a check digit needs between one and fifteen ASCII digits")
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, reversed(nit), strict=False))
    remainder = total % _MODULUS
    return str(remainder if remainder <= 1 else _MODULUS - remainder)


def parse_nit(text: str) -> str:
    """The digits of the NIT that was typed, without a check digit.

    Raises:
        InvalidNitError: with the sentence to show and, when the check digit came along, the digits to offer.
    """
    nit = normalise_nit(text)
    if not _DIGITS.fullmatch(nit):
        raise InvalidNitError("Escriba el NIT solo con dígitos")
    if _comes_with_check_digit(nit, is_marked=_CHECK_DIGIT_MARK.search(visible(text)) is not None):
        suggestion = nit[:-1]
        raise InvalidNitError(
            f"El NIT incluye el dígito de verificación ({nit[-1]}); escríbalo sin él: {suggestion}",
            suggestion,
        )
    if len(nit) not in _LENGTHS or nit.startswith("0") or _is_no_cedula(nit):
        raise InvalidNitError(
            f"El NIT de una entidad debe tener {NIT_LENGTH} dígitos; el de una persona natural es su cédula, de 6 a 10 dígitos. Escríbalo sin el dígito de verificación"
        )
    return nit


def nit_to_offer(text: str) -> str | None:
    """The digits that were meant, where a NIT was typed with its check digit."""
    try:
        parse_nit(text)
    except InvalidNitError as error:
        return error.suggestion
    return None


def _comes_with_check_digit(nit: str, *, is_marked: bool) -> bool:
    """Whether the last digit is a check digit.

    An entity's tenth, a natural person's after a hyphen.
    """
    body = nit[:-1]
    if len(body) not in _LENGTHS or body.startswith("0") or check_digit(body) != nit[-1]:
        return False
    return (
        is_marked
        or len(nit) > _LENGTHS[-1]
        or (len(body) == NIT_LENGTH and nit.startswith(_FIRST_OF_ENTITIES))
    )


def _is_no_cedula(nit: str) -> bool:
    return len(nit) == _LENGTHS[-1] and nit.startswith(_FIRST_OF_ENTITIES)
