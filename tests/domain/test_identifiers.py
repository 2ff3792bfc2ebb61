import pytest
from hypothesis import given
from hypothesis import strategies as st

from mipres.domain.documents import DocumentType, is_same_document, parse_document
from mipres.domain.identifiers import (
    compact,
    folded_registration,
    folded_words,
    visible,
    without_registration_label,
)


@pytest.mark.parametrize(
    "written",
    [
        "761234",
        "76-1234",
        "RM 76-1234",
        "R.M. 76-1234",
        "r.m. no. 76–1234",
        "R. M. Nº 76—1234",
        "RM N° 76\u22121234",
        "№ 76.1234",
        "076-1234",
        "RM 0076 1234",
        "Registro médico 76/1234",
        "Reg. Profesional No 76-1234",
        "T.P. 76-1234",
        "#76-1234",
        "Reg. Méd. 76-1234",
        "M.P. 76-1234",
        "Matrícula profesional No. 76-1234",
        "ReTHUS: 76-1234",
        "76\u200b-\u202e1234",
        "76\u00ad1234",
    ],
)
def test_one_registration_has_many_spellings(written: str) -> None:
    assert folded_registration(written) == "761234"


@pytest.mark.parametrize("other", ["76-123", "76-12345", "A76-1234", "76-1234A", "76-12340"])
def test_another_number_is_another_registration(other: str) -> None:
    assert folded_registration(other) != "761234"


@pytest.mark.parametrize("written", ["", "-", "0", "R.M.", "N/A", "En trámite", "T.P. 00", "SIN REGISTRO"])
def test_what_has_no_number_names_no_registration(written: str) -> None:
    assert folded_registration(written) == ""


@given(st.from_regex(r"\A[1-9][0-9]{0,8}\Z"))
def test_a_folded_registration_is_folded_already(number: str) -> None:
    assert folded_registration(folded_registration(f"RM {number}")) == number


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("RM 76-1234", "76-1234"),
        ("R.M. No. 76-1234", "76-1234"),
        ("R.M. N.º 76-1234", "76-1234"),
        ("Registro médico Nº 76-1234", "76-1234"),
        ("Reg. Méd. 76-1234", "76-1234"),
        ("M. P. 76-1234", "76-1234"),
        ("76-1234", "76-1234"),
        ("AB 12", "AB 12"),
    ],
)
def test_the_words_before_a_registration_are_dropped(written: str, kept: str) -> None:
    assert without_registration_label(written) == kept


@pytest.mark.parametrize("text", ["MÉDICO", "médico", "  Médico. ", "Medico\u0301".replace("e", "é", 1)])
def test_words_are_folded(text: str) -> None:
    assert folded_words(text).startswith("medico")


def test_what_has_no_width_is_not_seen() -> None:
    assert visible("\ufeff 76\u201112\u200b34\u2069 ") == "76-1234"
    assert compact("1’020.304,050\u2066") == "1020304050"


CEDULA = parse_document("CC", "1020304050")


@pytest.mark.parametrize(
    ("type_code", "number"),
    [
        ("cc", "1.020.304.050"),
        ("C.C.", "0001020304050"),
        ("Cédula de Ciudadanía", "CC 1020304050"),
        ("CC ", "1020304050\u200b"),
        ("CC - Cédula de ciudadanía", "1020304050"),
        ("CÉDULA DE CIUDADANÍA (C.C.)", "1020304050"),
    ],
)
def test_a_registry_may_write_a_document_another_way(type_code: str, number: str) -> None:
    assert is_same_document(CEDULA, type_code=type_code, number=number)


@pytest.mark.parametrize(
    ("type_code", "number"),
    [
        ("CE", "1020304050"),
        ("CC", "1020304051"),
        ("CC", "１０２０３０４０５０"),
        ("CC", ""),
        ("", "1020304050"),
        ("CC", "x"),
        ("CE - Cédula de ciudadanía", "1020304050"),
        ("CC - Cédula de extranjería", "1020304050"),
    ],
)
def test_another_document_is_another(type_code: str, number: str) -> None:
    assert not is_same_document(CEDULA, type_code=type_code, number=number)


def test_zeros_in_front_of_a_passport_count() -> None:
    passport = parse_document("PA", "00123")
    assert is_same_document(passport, type_code="PA", number="00123")
    assert not is_same_document(passport, type_code="PA", number="123")


@pytest.mark.parametrize("document_type", DocumentType)
def test_the_label_of_every_type_may_stand_in_front(document_type: DocumentType) -> None:
    number = {"PE": "123456789012345"}.get(document_type, "123456")
    document = parse_document(document_type, number)
    for front in (f"{document_type}: ", f"{document_type}. No. "):
        assert parse_document(document_type, front + number) == document


def test_a_passport_keeps_the_letters_that_it_begins_with() -> None:
    for number in ("PA0123456", "PA 0123456", "N123456", "NO123456"):
        assert parse_document("PA", number).number == number.replace(" ", "")
    assert parse_document("PA", "Pasaporte No. AB123456").number == "AB123456"
