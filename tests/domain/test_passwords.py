import json
import subprocess

import pytest

from mipres.domain.passwords import (
    COMMON_PASSWORDS_FILE,
    MAX_PASSWORD_LENGTH,
    NOBODY,
    PasswordContext,
    PasswordPolicy,
    common_passwords,
    normalise_password,
    shown_rules,
    told,
    unmet_rules,
)

LENGTH = "Tener mínimo ocho (8) caracteres"
DIGITS = "Usar números"
LETTERS = "Usar letras"
SPECIALS = "Usar caracteres especiales"
CAPITALS = "Usar letras mayúsculas"
SMALL = "Usar letras minúsculas"
FIFTEEN = "Tener mínimo quince (15) caracteres"
AT_MOST = "Tener máximo 128 caracteres"

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
        ("Tí-Osa26", []),
        ("Tí-Os26", [LENGTH]),
        ("Tía-y-Osa", [DIGITS]),
        ("TíayOsa26", [SPECIALS]),
        ("tía-osa-26", [CAPITALS]),
        ("TÍA-OSA-26", [SMALL]),
        ("Aa1-" + "x" * (MAX_PASSWORD_LENGTH - 4), []),
        ("Aa1-" + "x" * (MAX_PASSWORD_LENGTH - 3), [AT_MOST]),
        ("Tía Osa26", [SPECIALS]),
        ("Tía\u00a0\x07Osa26", [SPECIALS]),
        ("Tía€Osa26", []),
        ("Ñu-de-𝔸gua-26", []),
        ("correcto Caballo, batería y grapa 7 con una frase muy larga detrás", []),
    ],
)
def test_each_rule_of_the_manual_alone(password: str, unmet: list[str]) -> None:
    assert texts_of_unmet(password) == unmet


def test_the_rules_are_shown_in_the_manuals_words() -> None:
    shown = [rule.text for rule in shown_rules(PasswordPolicy.MANUAL)]
    assert shown[:4] == [
        "Tener mínimo ocho (8) caracteres",
        "Usar números, letras y caracteres especiales",
        "Combinar letras mayúsculas y minúsculas",
        AT_MOST,
    ]
    assert shown[4:] == [
        "No ser fácil de adivinar: una palabra, un nombre o un año con poco más",
        REPEATED,
    ]


def test_an_empty_password_meets_no_rule_but_one() -> None:
    assert texts_of_unmet("")[:6] == [LENGTH, DIGITS, LETTERS, SPECIALS, CAPITALS, SMALL]
    assert AT_MOST not in texts_of_unmet("")


@pytest.mark.parametrize(
    ("password", "unmet"),
    [
        ("tía y osa de 9", [FIFTEEN]),
        ("tía y osa de 98", []),
        ("tía y osa".ljust(128, "x"), []),
        ("x" * 129, [AT_MOST]),
    ],
)
def test_nist_asks_for_no_kinds_of_characters(password: str, unmet: list[str]) -> None:
    assert texts_of_unmet(password, PasswordPolicy.NIST) == unmet


def test_a_key_stroke_is_one_password_on_every_keyboard() -> None:
    assert normalise_password("n\u0303andu\u0301") == normalise_password("ñandú")


@pytest.mark.parametrize("password", ["  blancos  ", "x" * 500, "\u2460", "ﬁ"])
def test_nothing_else_of_a_password_is_changed(password: str) -> None:
    assert normalise_password(password) == password


@pytest.mark.needs("node")
@pytest.mark.parametrize("policy", PasswordPolicy)
def test_the_page_ticks_a_rule_when_and_only_when_it_holds(policy: PasswordPolicy) -> None:
    script = (
        "const {patterns, corpus} = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(corpus.map(c => patterns.map(p => new RegExp(p, 'su').test(c)))))"
    )
    rules = [rule for rule in shown_rules(policy) if rule.pattern is not None]
    assert len(rules) >= 2
    request = json.dumps({"patterns": [rule.pattern for rule in rules], "corpus": CORPUS})
    answer = subprocess.run(["node", "-e", script], input=request, capture_output=True, text=True, check=True)
    ticked = dict(zip(CORPUS, json.loads(answer.stdout), strict=True))
    held = {
        password: [all(part.holds(password, NOBODY) for part in rule.rules) for rule in rules]
        for password in CORPUS
    }
    assert ticked == held


# ---- What is guessed first

ANA = PasswordContext(login="CC1020304050", full_name="Ana María Ruiz Gómez")
COMMON = "No ser una contraseña común ni una palabra con números o signos al comienzo o al final"
ABOUT = "No estar hecha con su documento, su nombre, un año o palabras como MIPRES o Colombia"
REPEATED = "No repetir siempre los mismos caracteres"


def texts_for_ana(password: str) -> list[str]:
    rules = unmet_rules(normalise_password(password), PasswordPolicy.MANUAL, ANA)
    return [rule.text for rule in rules]


def test_the_list_is_long_small_and_spanish() -> None:
    words = common_passwords()
    assert len(words) >= 100_000
    assert COMMON_PASSWORDS_FILE.stat().st_size < 1_000_000
    assert {"123456", "password", "qwerty", "contrasena", "teamo", "juliana", "murcielago"} <= words
    assert all(word == word.strip() and 4 <= len(word) <= 24 for word in words)


@pytest.mark.parametrize(
    "password",
    [
        "P@ssw0rd1",
        "Password2026*",
        "Caballo*91",
        "*91-Caballo",
        "Murciélago2026#",
        "MURCIelago!7",
        "Juliana#2024",
        "Aa12345678*",
        "1qaz@WSX",
        "Cr1stina#9",
        "T3l3f0no-1",
    ],
)
def test_a_common_word_in_disguise_is_recognised(password: str) -> None:
    assert COMMON in texts_for_ana(password)


BASES = (
    *("nacional", "Millonarios", "AtléticoNacional", "Santa-Fe", "Junior", "Deportivo Cali", "Tolima"),
    *("bogota", "Medellín", "SantaMarta", "Villavicencio", "Cali", "San Andrés", "Valle del Cauca"),
    *("ecopetrol", "Bancolombia", "Davivienda", "Sanitas", "NuevaEPS", "Avianca", "B0g0tá", "Ec0petr0l"),
)
SUFFIXES = (
    "1947",
    "2025",
    "2025*",
    "123",
    "12345!",
    "_2024_",
    "#1",
    "24",
    "1986!!",
    "2023-2024",
    ".1947.2025",
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("base", BASES)
def test_a_club_a_city_or_a_company_with_a_year_is_no_password(base: str, suffix: str) -> None:
    for password in (base + suffix, base.upper() + suffix, f"{suffix}{base}", f"{base}{suffix}{BASES[0]}"):
        assert {COMMON, ABOUT} & set(texts_for_ana(password)), password


@pytest.mark.parametrize("password", ["nacional7kQz!mX", "Bogota-tiene-3-nubes", "Cali, pan y 9 mangos"])
def test_a_name_inside_something_else_is_fine(password: str) -> None:
    assert not {COMMON, ABOUT} & set(texts_for_ana(password))


@pytest.mark.parametrize(
    "password",
    [
        "Colombia2026*",
        "MiPres-2026!",
        "M1pr3s#2026",
        "Minsalud.MIPRES1",
        "Gomez.Ruiz-85",
        "María+Gómez-7",
        "Ruiz*Abril-1985",
        "x1020304050Y*",
        "Yo-020304050z",
        "cC102030-Zy",
        "Abcd1234!",
    ],
)
def test_what_others_know_of_a_person_makes_no_password(password: str) -> None:
    assert ABOUT in texts_for_ana(password)


@pytest.mark.parametrize(
    "password",
    [
        "Clave-Segura-2026",
        "Tr7$kQz!m",
        "Gómez pinta 3 nubes.",
        "Casa-Roja-de-Ana-8",
        "日本語のパスワードAa1!",
    ],
)
def test_what_nobody_tries_first_is_taken(password: str) -> None:
    assert texts_for_ana(password) == []


def test_the_same_characters_over_and_over_are_no_password() -> None:
    assert REPEATED in texts_for_ana("AAaa-AA11aa")
    assert REPEATED not in texts_for_ana("AAaa-AA12aa")


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("Caballo*91", "«caballo»"),
        ("*91-Murciélago", "«murcielago»"),
        ("P@ssw0rd1", "«p@ssw0rd»"),
        ("Gomez.Ruiz-85", "«gomez» y «ruiz»"),
        ("MiPres-y-2024!", "«mipres» y «2024»"),
        ("Yo-020304050z", "«CC1020304050»"),
    ],
)
def test_what_makes_a_password_easy_is_named(password: str, found: str) -> None:
    said = told(unmet_rules(password, PasswordPolicy.MANUAL, ANA), password, ANA)
    assert said == f"La contraseña debe: no estar hecha con {found}: es de lo primero que se prueba"


def test_what_has_no_name_is_said_by_its_rule() -> None:
    said = told(unmet_rules("a1-A", PasswordPolicy.MANUAL, ANA), "a1-A", ANA)
    assert "tener mínimo ocho (8) caracteres" in said
    assert "«" not in said


def test_a_short_document_forbids_nothing() -> None:
    somebody = PasswordContext(login="CC123", full_name="Li Wu")
    assert unmet_rules("Tía-Osa-123", PasswordPolicy.MANUAL, somebody) == []


@pytest.mark.parametrize("char", ["a", "1", "-", "ñ", "a1", "-a", "\u0301"])
def test_a_long_password_takes_no_long_time(char: str) -> None:
    """Every rule looks at most at as many characters as a password may have."""
    assert texts_for_ana(char * 50_000) == [AT_MOST]
    assert COMMON not in texts_for_ana((char * 128)[:128])
