"""Rules for passwords, each with the sentence that tells it.

No rule asks anything of the network.
"""

import lzma
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import groupby
from pathlib import Path

from mipres.domain.divipola import departments, municipalities

MAX_PASSWORD_LENGTH = 128
COMMON_PASSWORDS_FILE = Path(__file__).with_name("common_passwords.txt.xz")
COLOMBIAN_WORDS_FILE = Path(__file__).with_name("colombian_words.txt")
SHORTEST_STEM = 4
"""A common word that is shorter says nothing about a password."""
LONGEST_WORD = 24
"""A longer one is no first guess."""


class PasswordPolicy(StrEnum):
    """`manual`: the rules of the ministry's manual.

    `nist`: length only, after NIST SP 800-63B-4.
    """

    MANUAL = "manual"
    NIST = "nist"


@dataclass(frozen=True, kw_only=True)
class PasswordContext:
    """Whose password it is: what others know of a person is no secret."""

    login: str = ""
    full_name: str = ""


@dataclass(frozen=True, kw_only=True)
class PasswordRule:
    """One rule.

    Attributes:
        text: The sentence that tells it.
        pattern: JavaScript regular expression (flags s and u) with which the page ticks it; None where only
            the server can tell.
        holds: The test that counts.
        sentence: The sentence that the page shows for several rules, as the manual does.
        finds: What of a password breaks the rule, as far as it has a name.
    """

    text: str
    pattern: str | None = None
    holds: Callable[[str, PasswordContext], bool]
    sentence: str | None = None
    finds: Callable[[str, PasswordContext], Iterable[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class ShownRule:
    """What the page shows of one rule, or of several that share a sentence."""

    text: str
    rules: tuple[PasswordRule, ...]

    @property
    def pattern(self) -> str | None:
        """JavaScript regular expression that ticks them together.

        None where only the server can tell.
        """
        if any(rule.pattern is None for rule in self.rules):
            return None
        return "^" + "".join(f"(?=.*(?:{rule.pattern}))" for rule in self.rules)


def _length(text: str, *, least: int = 0, most: int | None = None) -> PasswordRule:
    return PasswordRule(
        text=text,
        pattern=f"^.{{{least},{'' if most is None else most}}}$",
        holds=lambda password, _: least <= len(password) and (most is None or len(password) <= most),
    )


def _some(text: str, *categories: str, sentence: str) -> PasswordRule:
    """Ask for one character of these Unicode categories, known to page and server."""
    return PasswordRule(
        text=text,
        pattern="|".join(rf"\p{{{category}}}" for category in categories),
        holds=lambda password, _: any(unicodedata.category(char).startswith(categories) for char in password),
        sentence=sentence,
    )


def normalise_password(text: str) -> str:
    """NFC, so that one key stroke on two keyboards is one password.

    Nothing is cut off.
    """
    return unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """Without capitals and accents, in which guesses differ least."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@cache
def colombian_words() -> frozenset[str]:
    """Clubs, companies, departments and municipalities, as `plain` writes, unspaced."""
    lines = COLOMBIAN_WORDS_FILE.read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if not line.startswith("#")]
    for department in departments():
        names += [department.name, *(item.name for item in municipalities(department.code))]
    words = (re.sub(r"[\W_]", "", plain(name)) for name in names)
    return frozenset(word for word in words if SHORTEST_STEM <= len(word) <= LONGEST_WORD)


@cache
def common_passwords() -> frozenset[str]:
    """What is tried first: common passwords, and words and names, as `plain` writes."""
    listed = lzma.decompress(COMMON_PASSWORDS_FILE.read_bytes()).decode().split("\n")
    return colombian_words().union(listed)


_NUMBERS = r"(?:19|20)\d\d|0?1234?5?6?7?8?9?0?"
# What stands for a letter in passwords that look complicated. `1` and `!` stand for two letters, hence two tables.
_DISGUISES = tuple(
    str.maketrans({"@": "a", "4": "a", "3": "e", "0": "o", "$": "s", "5": "s", "7": "t", "1": one, "!": one})
    for one in "il"
)
# A common word with more than that around it is no longer among the first guesses.
_FEW = 6
_LEAST_DISTINCT = 4
# Words of this product and its surroundings, which come to mind while a person chooses.
_CONTEXT_WORDS = (
    *("registro", "mipres", "sispro", "hercules", "rethus", "minsalud", "ministerio", "proteccion", "salud"),
    *("colombia", "bogota", "medellin", "cali", "contrasena", "clave", "password", "usuario", "medico"),
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre"),
    *("noviembre", "diciembre", "qwerty", "abcd"),
)


@cache
def _longest_word_first() -> tuple[str, ...]:
    """Words that leave nothing to guess, however many of them a password joins."""
    return tuple(sorted(colombian_words().union(_CONTEXT_WORDS), key=lambda word: (-len(word), word)))


def _is_uncommon(password: str, owner: PasswordContext) -> bool:
    return not _common_in(password, owner)


def _common_in(password: str, _: PasswordContext) -> list[str]:
    """The first guess that leads to a password."""
    return [guess for guess in _guesses(plain(password)) if guess in common_passwords()][:1]


def _guesses(password: str) -> Iterator[str]:
    """The guesses that lead to a password."""
    yield password
    stem = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password)
    if len(stem) >= SHORTEST_STEM and len(password) - len(stem) <= _FEW:
        yield stem
        yield from (stem.translate(disguise) for disguise in _DISGUISES)
        yield from (password.translate(disguise) for disguise in _DISGUISES)
    for digits in re.findall(r"\d+", password):
        if len(password) - len(digits) <= SHORTEST_STEM:
            yield digits


def _is_not_about(password: str, owner: PasswordContext) -> bool:
    return _known_in(password, owner) is None


def _known_in(password: str, owner: PasswordContext) -> list[str] | None:
    """The words and years that anyone tries; None where enough is left without them."""
    if _shares_half(plain(password), plain(owner.login)):
        return [owner.login]
    # Years and counting are the numbers that people add; other digits may be chance and count as such.
    numbers = re.findall(_NUMBERS, plain(password))
    left = re.sub(_NUMBERS, " ", plain(password))
    for disguise in (None, *_DISGUISES):
        words, rest = _words_and_rest(left if disguise is None else left.translate(disguise), owner)
        if len(rest) < SHORTEST_STEM:
            return [*words, *numbers]
    return None


def _words_and_rest(text: str, owner: PasswordContext) -> tuple[list[str], str]:
    names = sorted(
        (name for name in plain(owner.full_name).split() if len(name) >= SHORTEST_STEM), key=len, reverse=True
    )
    # Without what stands between the words: `Santa-Marta` is one name, and so is `SantaMarta`.
    text = re.sub(r"[\W_]", "", text)
    found = []
    for word in (*names, *_longest_word_first()):
        if word in text:
            found.append(word)
            text = text.replace(word, " ")
    return found, text.replace(" ", "")


def _shares_half(password: str, login: str) -> bool:
    """Whether more than half of the login stands in the password (Kratos' rule)."""
    half = len(login) // 2 + 1
    if half <= SHORTEST_STEM:
        return False
    pieces = (login[start : start + half] for start in range(len(login) - half + 1))
    return any(piece in password for piece in pieces)


def _varies(password: str, _: PasswordContext) -> bool:
    return len(set(plain(password))) >= _LEAST_DISTINCT


_AT_MOST = _length(f"Tener máximo {MAX_PASSWORD_LENGTH} caracteres", most=MAX_PASSWORD_LENGTH)
_GUESSED = "No ser fácil de adivinar: una palabra, un nombre o un año con poco más"
_NOT_GUESSABLE = (
    PasswordRule(
        text="No ser una contraseña común ni una palabra con números o signos al comienzo o al final",
        holds=_is_uncommon,
        sentence=_GUESSED,
        finds=_common_in,
    ),
    PasswordRule(
        text="No estar hecha con su documento, su nombre, un año o palabras como MIPRES o Colombia",
        holds=_is_not_about,
        sentence=_GUESSED,
        finds=lambda password, owner: _known_in(password, owner) or (),
    ),
    PasswordRule(text="No repetir siempre los mismos caracteres", holds=_varies),
)
# Section 10.4 of the manual, to the letter.
_KINDS = "Usar números, letras y caracteres especiales"
_BOTH_CASES = "Combinar letras mayúsculas y minúsculas"
_MANUAL_RULES = (
    _length("Tener mínimo ocho (8) caracteres", least=8),
    _some("Usar números", "Nd", sentence=_KINDS),
    _some("Usar letras", "L", sentence=_KINDS),
    _some("Usar caracteres especiales", "P", "S", sentence=_KINDS),
    _some("Usar letras mayúsculas", "Lu", sentence=_BOTH_CASES),
    _some("Usar letras minúsculas", "Ll", sentence=_BOTH_CASES),
)
RULES: dict[PasswordPolicy, tuple[PasswordRule, ...]] = {
    PasswordPolicy.MANUAL: (*_MANUAL_RULES, _AT_MOST, *_NOT_GUESSABLE),
    PasswordPolicy.NIST: (
        _length("Tener mínimo quince (15) caracteres", least=15),
        _AT_MOST,
        *_NOT_GUESSABLE,
    ),
}
PASSWORDS_DIFFER = "La contraseña y su confirmación no son iguales"
NOBODY = PasswordContext()


def shown_rules(policy: PasswordPolicy) -> list[ShownRule]:
    """The rules as the page shows them before anything is typed."""
    together = groupby(RULES[policy], key=lambda rule: rule.sentence or rule.text)
    return [ShownRule(text=text, rules=tuple(rules)) for text, rules in together]


def told(unmet: Iterable[PasswordRule], password: str, owner: PasswordContext = NOBODY) -> str:
    """Say which rules a password does not meet, and what of it breaks them."""
    rules = list(unmet)
    findings = (list(rule.finds(password, owner)) for rule in rules if rule.finds)
    found = next(filter(None, findings), [])
    texts = [rule.text for rule in rules if not (found and rule.finds)]
    if found:
        texts.append(f"No estar hecha con {_listed(found)}: es de lo primero que se prueba")
    # Each rule is a sentence of its own, and becomes a part of this one.
    return f"La contraseña debe: {'; '.join(f'{text[:1].lower()}{text[1:]}' for text in texts)}"


def _listed(parts: Iterable[str]) -> str:
    *first, last = (f"«{part}»" for part in parts)
    return f"{', '.join(first)} y {last}" if first else last


def unmet_rules(password: str, policy: PasswordPolicy, owner: PasswordContext = NOBODY) -> list[PasswordRule]:
    # What is longer than any password is not looked at more closely.
    if len(password) > MAX_PASSWORD_LENGTH:
        return [_AT_MOST]
    return [rule for rule in RULES[policy] if not rule.holds(password, owner)]
