"""The codes of the captcha: their symbols, and which answers count as the same."""

from typing import Final

# Without look-alikes (0 O Q D, 1 I, 2 Z, 4 A, 5 S, 6 G, 7 T, 8 B, U V W, C G, E F, M N) and without letters whose
# Spanish names sound alike (be ce de e ge pe te ve, eme ene, efe ese): of each group one is left at most.
ALPHABET: Final = "23456789FHJKLMPRXY"
CODE_LENGTH: Final = 5


def normalise_answer(text: str) -> str:
    """Remove the differences that do not count: case, and spaces between the symbols."""
    return "".join(text.split()).upper()
