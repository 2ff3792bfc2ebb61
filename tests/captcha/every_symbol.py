"""Codes that use every symbol of the alphabet once."""

from mipres.captcha.codes import ALPHABET, CODE_LENGTH

EVERY_SYMBOL_ONCE = [
    ALPHABET[start : start + CODE_LENGTH].ljust(CODE_LENGTH, "2")
    for start in range(0, len(ALPHABET), CODE_LENGTH)
]
