"""The one reading of identifiers.

As people type and paste them, and as the registries write them.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_PUNCTUATION: Final = frozenset(".,'’‘`´′·•\u2212\t\r\n\v\f")
# Spaces and line separators, dashes, and what has no width: zero-width, bidi and soft hyphen.
_SEPARATOR_CATEGORIES: Final = frozenset({"Zs", "Zl", "Zp", "Pd", "Cf"})
# "No. 123", "N° 123", "Nro 123", "#123": the word before a number.
_NUMBER_WORD: Final = "(?:N(?:UMERO|UM|RO|O)?|#)"
_REGISTRATION_LABEL: Final = re.compile(
    rf"(?:(?:REGISTRO|REG)?(?:MEDICO|MED|PROFESIONAL)|REGISTRO|REG|(?:TARJETA|MATRICULA)(?:PROFESIONAL)?|RETHUS|[RTM][MP]|{_NUMBER_WORD})+(?=\d)"
)
_LABEL_SEPARATORS: Final = r"[\s.,:;°#/_-]*"
_WRITTEN_REGISTRATION_LABEL: Final = re.compile(
    rf"(?:(?:REGISTRO|REG|MEDICO|MED|PROFESIONAL|TARJETA|MATRICULA|RETHUS|[RTM]{_LABEL_SEPARATORS}[MP]|{_NUMBER_WORD})"
    rf"{_LABEL_SEPARATORS})+(?=\d)"
)

_LOST_LETTER: Final = re.compile(r"[^\W\d_][^\w\s.,:;()\[\]/|°-]+\w")


def visible(text: str) -> str:
    """Drop characters without width, and blanks at both ends.

    Every dash becomes a hyphen.
    """
    shown = (
        "-" if unicodedata.category(char) == "Pd" or char == "\u2212" else char
        for char in text
        if unicodedata.category(char) != "Cf"
    )
    return "".join(shown).strip()


def compact(text: str) -> str:
    """Drop dots, commas, apostrophes, spaces, dashes and characters without width."""
    return "".join(
        char
        for char in text
        if char not in _PUNCTUATION and unicodedata.category(char) not in _SEPARATOR_CATEGORIES
    )


def has_control_character(text: str) -> bool:
    """Whether a character is in the text that no name, number or address has."""
    return any(unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} for char in text)


def folded_words(text: str) -> str:
    """Fold case, accents, punctuation and blanks.

    Two spellings of the same words become equal.
    """
    plain = _without_accents(text).casefold()
    return " ".join("".join(char if char.isalnum() else " " for char in plain).split())


def spellings_of(code: str, *names: str) -> tuple[str, ...]:
    """What has a code and names: each of them, and a name beside the code."""
    both = (words for name in names for words in (f"{name} {code}", f"{code} {name}"))
    return (code, *names, *both)


def folded_code(text: str) -> str:
    """Fold a code: `P07`, `p-07` and `P 7` become equal."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", folded_words(text).replace(" ", ""))


def has_lost_letters(text: str) -> bool:
    """Whether a sign stands within a word where a letter was.

    Where a charset went wrong, other systems write `M?DICO`, `MÃ©DICO`, `M&Eacute;DICO` or `M´EDICO`.
    """
    return _LOST_LETTER.search(unicodedata.normalize("NFC", visible(text))) is not None


def folded_registration(text: str) -> str:
    """Fold a professional registration: `R.M. No.

    076-1234`, `RM 76–1234` and `761234` become equal. Empty without a number: `N/A` and `En trámite` name none.
    """
    symbols = "".join(char for char in _without_accents(text).upper() if char.isalnum())
    folded = _REGISTRATION_LABEL.sub("", symbols, count=1).lstrip("0")
    return folded if any(char.isdigit() for char in folded) else ""


def without_registration_label(text: str) -> str:
    """Drop the words that stand before a professional registration: `R.M. No.

    76-1234` becomes `76-1234`.
    """
    plain = _with_plain_label(text)
    label = _WRITTEN_REGISTRATION_LABEL.match(plain.upper())
    return plain[label.end() :] if label else text


def without_document_label(text: str, *, codes: Sequence[str], label: str, is_numeric: bool) -> str:
    """Drop the type that was pasted in front of a document's number.

    Passports may begin with any letters. So a short code or "No" in front of one counts as a label
    only with a colon, a dot or a degree sign behind it.
    """
    separators, end = (r"[\s.:°#()-]*", r"(?=\d)") if is_numeric else (r"\s*[.:°#]+\s*", "")
    names = "|".join(
        word.upper().replace(" ", r"\s+")
        for word in (_without_accents(label), _without_accents(label).split(maxsplit=1)[0])
    )
    dotted_codes = "|".join(r"\.?\s*".join(code) for code in codes)
    plain = _with_plain_label(visible(text))
    pattern = rf"[\s(]*(?:(?:{names})\b[\s.:()]*)?(?:(?:{dotted_codes}){separators})?(?:{_NUMBER_WORD}{separators})?{end}"
    found = re.match(pattern, plain.upper())
    return plain[found.end() :] if found and found.end() else text


def _with_plain_label(text: str) -> str:
    """Write a label without accents, and its `N.º` with a degree sign.

    Otherwise the ordinal sign would become an `o` that counts as the first letter of a passport.
    """
    return _without_accents(text.replace("º", "°"))


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))
