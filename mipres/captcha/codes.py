"""The codes of the captcha: their symbols, and which answers count as the same."""

import unicodedata
from typing import Final

# Without look-alikes (0 O Q D, 1 I, 2 Z, 4 A, 5 S, 6 G, 7 T, 8 B, U V W, C G, E F, M N) and without letters whose
# Spanish names sound alike (be ce de e ge pe te ve, eme ene, efe ese): of each group one is left at most.
ALPHABET: Final = "23456789FHJKLMPRXY"
CODE_LENGTH: Final = 5

LOOK_ALIKES: Final = ("0OQD", "1IL", "2Z", "4A", "5S", "6G", "7T", "8B", "EF", "MN")
"""Symbols that count as each other: a person who types S for a 5 has read it."""

_SAME: Final = str.maketrans({symbol: group[0] for group in LOOK_ALIKES for symbol in group})


def normalise_answer(text: str) -> str:
    """Remove the differences that do not count.

    These are case, accents, spaces between the symbols, and which of two look-alikes it is.
    """
    decomposed = unicodedata.normalize("NFKD", "".join(text.split())).upper()
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return plain.translate(_SAME)
