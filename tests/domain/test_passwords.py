import json
import shutil
import subprocess

import pytest

from mipres.domain.passwords import (
    MAX_PASSWORD_LENGTH,
    RULES,
    PasswordPolicy,
    normalise_password,
    unmet_rules,
)

LENGTH = "Tener mínimo ocho (8) caracteres"
DIGITS = "Usar números"
SPECIALS = "Usar caracteres especiales"
CAPITALS = "Usar letras mayúsculas"
SMALL = "Usar letras minúsculas"
FIFTEEN = "Tener mínimo quince (15) caracteres"
AT_MOST = "Tener máximo 128 caracteres"

NODE = shutil.which("node")
CORPUS = (
    "",
    "a",
    "Z",
    "7",
    "!",
    " ",
    "\n",
    "\t\u00a0\u2003",
    "Clave-2026",
    "clave segura de verdad",
    "ñandú",
    "ÑANDÚ",
    "n\u0303",
    "\u01c5",
    "ªº",
    "٣",
    "²",
    "½",
    "Ⅷ",
    "三",
    "Ω",
    "ß",
    "🙂",
    "👩🏽‍⚕️",
    "_",
    "€",
    "\u200d",
    "\u0300",
    "𝐀𝐚",
    "ⓐ",
    "x" * 7,
    "🙂" * 7,
    "🙂" * 8,
    "x" * 15,
    "x" * 128,
    "x" * 129,
    "🙂" * 128,
    "🙂" * 129,
    "línea uno\nlínea dos",
    # Latin in full. Rarer scripts gain letters with each edition of Unicode, so two programs may differ there.
    *map(chr, range(0x250)),
)


def texts_of_unmet(password: str, policy: PasswordPolicy = PasswordPolicy.MANUAL) -> list[str]:
    return [rule.text for rule in unmet_rules(password, policy)]


@pytest.mark.parametrize(
    ("password", "unmet"),
    [
        ("Clave-26", []),
        ("Clav-26", [LENGTH]),
        ("Clave-dos", [DIGITS]),
        ("Clave2026", [SPECIALS]),
        ("clave-2026", [CAPITALS]),
        ("CLAVE-2026", [SMALL]),
        ("Aa1-" + "x" * (MAX_PASSWORD_LENGTH - 4), []),
        ("Aa1-" + "x" * (MAX_PASSWORD_LENGTH - 3), [AT_MOST]),
        ("", [LENGTH, DIGITS, SPECIALS, CAPITALS, SMALL]),
        ("Ñandú-26", []),
        ("Clave 2026", [SPECIALS]),
        ("Clave\u00a0\x072026", [SPECIALS]),
        ("Clave€2026", []),
    ],
)
def test_each_rule_of_the_manual_alone(password: str, unmet: list[str]) -> None:
    assert texts_of_unmet(password) == unmet


@pytest.mark.parametrize(
    ("password", "unmet"),
    [("x" * 14, [FIFTEEN]), ("x" * 15, []), ("x" * 128, []), ("x" * 129, [AT_MOST]), ("ñ " * 8, [])],
)
def test_length_is_the_only_rule_of_nist(password: str, unmet: list[str]) -> None:
    assert texts_of_unmet(password, PasswordPolicy.NIST) == unmet


def test_a_key_stroke_is_one_password_on_every_keyboard() -> None:
    assert normalise_password("n\u0303andu\u0301") == normalise_password("ñandú")


@pytest.mark.parametrize("password", ["  blancos  ", "x" * 500, "\u2460", "ﬁ"])
def test_nothing_else_of_a_password_is_changed(password: str) -> None:
    assert normalise_password(password) == password


@pytest.mark.skipif(NODE is None, reason="needs node to run the page's patterns")
@pytest.mark.parametrize("policy", PasswordPolicy)
def test_the_page_ticks_a_rule_when_and_only_when_it_holds(policy: PasswordPolicy) -> None:
    script = (
        "const {patterns, corpus} = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(corpus.map(c => patterns.map(p => new RegExp(p, 'su').test(c)))))"
    )
    rules = RULES[policy]
    request = json.dumps({"patterns": [rule.pattern for rule in rules], "corpus": CORPUS})
    assert NODE is not None
    answer = subprocess.run([NODE, "-e", script], input=request, capture_output=True, text=True, check=True)
    ticked = dict(zip(CORPUS, json.loads(answer.stdout), strict=True))
    assert ticked == {password: [rule.holds(password) for rule in rules] for password in CORPUS}
