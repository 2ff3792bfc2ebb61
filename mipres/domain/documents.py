"""Identity documents: one table of types, each with the format of its numbers."""

import re
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from mipres.domain.identifiers import (
    compact,
    folded_words,
    has_control_character,
    spellings_of,
    without_document_label,
)


class DocumentType(StrEnum):
    """Code of an identity document, as the ministry's tables write it."""

    CC = "CC"
    CE = "CE"
    CD = "CD"
    PA = "PA"
    PE = "PE"
    PT = "PT"
    SC = "SC"


@dataclass(frozen=True, kw_only=True)
class DocumentRule:
    """Name of a document type, the format of its numbers and the sentence for it.

    Attributes:
        printed_code: What the document itself has in front of its number, where it is not our code.
    """

    label: str
    pattern: re.Pattern[str]
    explanation: str
    printed_code: str | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether numbers of this type have digits only."""
        return "A-Z" not in self.pattern.pattern


def _rule(label: str, pattern: str, explanation: str, *, printed_code: str | None = None) -> DocumentRule:
    return DocumentRule(
        label=label,
        pattern=re.compile(pattern, re.ASCII),
        explanation=explanation,
        printed_code=printed_code,
    )


def _digits(how_many: str) -> str:
    return f"de {how_many} dígitos, sin ceros al comienzo"


def _signs(how_many: str) -> str:
    return f"de {how_many} letras o dígitos"


DOCUMENT_RULES: dict[DocumentType, DocumentRule] = {
    DocumentType.CC: _rule("Cédula de ciudadanía", r"[1-9]\d{2,9}", _digits("3 a 10")),
    DocumentType.CE: _rule("Cédula de extranjería", r"[1-9]\d{2,6}", _digits("3 a 7")),
    DocumentType.CD: _rule("Carné diplomático", r"[A-Z0-9]{3,11}", _signs("3 a 11")),
    DocumentType.PA: _rule("Pasaporte", r"[A-Z0-9]{3,16}", _signs("3 a 16")),
    DocumentType.PE: _rule("Permiso especial de permanencia", r"\d{15}", "15 dígitos", printed_code="PEP"),
    DocumentType.PT: _rule(
        "Permiso por protección temporal",
        r"[1-9]\d{3,8}",
        _digits("4 a 9"),
        printed_code="PPT",
    ),
    DocumentType.SC: _rule("Salvoconducto de permanencia", r"[A-Z0-9]{5,16}", _signs("5 a 16")),
}

MAX_DOCUMENT_INPUT = 80


@dataclass(frozen=True, kw_only=True)
class Document:
    """An identity document whose number fits its type. Build it with `parse_document`."""

    type: DocumentType
    number: str

    @property
    def login(self) -> str:
        """User name of the account, as the manual shows it: `CC1020304050`."""
        return f"{self.type}{self.number}"

    def __str__(self) -> str:
        return f"{self.type} {self.number}"


def normalise_number(text: str) -> str:
    """Drop what people put between the digits.

    Raise ValueError on characters of no document.

    Only ASCII letters and digits are left in a valid number. So digits of other scripts are refused
    instead of being read as something that the person did not mean.
    """
    if len(text) > MAX_DOCUMENT_INPUT:
        raise ValueError("El número de documento es demasiado largo")
    cleaned = compact(text)
    # Before capitals are made: those of "ß" and "ı" would pass as the ASCII letters that nobody typed.
    if has_control_character(cleaned) or not cleaned.isascii():
        raise ValueError("Escriba el número de documento solo con letras sin tilde y dígitos")
    return cleaned.upper()


def is_same_document(document: Document, *, type_code: str, number: str) -> bool:
    """Whether a registry's type and number, in any spelling, are a document's.

    Zeros in front do not count for the types whose numbers are counted.
    """
    rule = DOCUMENT_RULES[document.type]
    names = {name for code in _codes_of(document.type) for name in spellings_of(code, rule.label)}
    if _folded_type(type_code) not in {_folded_type(name) for name in names}:
        return False
    try:
        written = normalise_number(_without_type(number, document.type))
    except ValueError:
        return False
    if rule.is_numeric:
        return written.isdigit() and written.lstrip("0") == document.number.lstrip("0")
    return written == document.number


def _folded_type(text: str) -> str:
    return folded_words(text).replace(" ", "")


def parse_document(type_code: str, number: str) -> Document:
    """Make a Document of what was typed.

    Raises:
        ValueError: with the Spanish sentence to show beside the number.
        KeyError: if the type is not in the table.
    """
    if type_code not in DocumentType.__members__:
        raise KeyError(type_code)
    document_type = DocumentType(type_code)
    rule = DOCUMENT_RULES[document_type]
    cleaned = normalise_number(_without_type(number, document_type))
    if not rule.pattern.fullmatch(cleaned):
        raise ValueError(f"El número no corresponde a {rule.label.lower()}: debe tener {rule.explanation}")
    return Document(type=document_type, number=cleaned)


def read_login(text: str) -> Document | None:
    """The document whose login was typed, or None if it is no document's.

    `cc 1.020.304.050` is `CC1020304050`; the code that a document prints for its type counts, too.
    """
    symbols = "".join(char for char in text if char.isalnum())
    for document_type in DOCUMENT_RULES:
        for code in _codes_of(document_type):
            if symbols[: len(code)].upper() == code:
                with suppress(ValueError):
                    return parse_document(document_type, symbols[len(code) :])
    return None


def _without_type(number: str, document_type: DocumentType) -> str:
    rule, codes = DOCUMENT_RULES[document_type], _codes_of(document_type)
    return without_document_label(number, codes=codes, label=rule.label, is_numeric=rule.is_numeric)


def _codes_of(document_type: DocumentType) -> tuple[str, ...]:
    """What people write in front of a number: `PEP` before `PE`, which it begins with."""
    printed = DOCUMENT_RULES[document_type].printed_code
    return (printed, document_type) if printed else (document_type,)
