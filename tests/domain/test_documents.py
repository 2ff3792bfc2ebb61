import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mipres.domain.documents import (
    DOCUMENT_RULES,
    MAX_DOCUMENT_INPUT,
    Document,
    DocumentType,
    is_same_document,
    normalise_number,
    parse_document,
    read_login,
)


def test_every_type_has_a_rule() -> None:
    assert set(DOCUMENT_RULES) == set(DocumentType)


@pytest.mark.parametrize(
    ("type_code", "shortest", "longest"),
    [
        ("CC", "100", "9999999999"),
        ("CE", "100", "9999999"),
        ("CD", "A1B", "A1B2C3D4E5F"),
        ("PA", "AB1", "AB12345678901234"),
        ("PE", "000000000000001", "999999999999999"),
        ("PT", "1000", "999999999"),
        ("SC", "SC123", "SC12345678901234"),
    ],
)
def test_numbers_of_each_type_have_their_lengths_and_no_other(
    type_code: str, shortest: str, longest: str
) -> None:
    for number in (shortest, longest):
        assert parse_document(type_code, number) == Document(type=DocumentType(type_code), number=number)
    for number in (shortest[:-1], longest + "1"):
        with pytest.raises(ValueError, match=re.escape(DOCUMENT_RULES[DocumentType(type_code)].explanation)):
            parse_document(type_code, number)


@pytest.mark.parametrize("type_code", ["CC", "CE", "PT"])
def test_numbers_of_these_types_do_not_begin_with_zero(type_code: str) -> None:
    with pytest.raises(ValueError, match="sin ceros al comienzo"):
        parse_document(type_code, "012345")


@pytest.mark.parametrize("type_code", ["CC", "CE", "PE", "PT"])
def test_letters_are_not_digits(type_code: str) -> None:
    with pytest.raises(ValueError, match="dígitos"):
        parse_document(type_code, "12345A")


@pytest.mark.parametrize(
    "typed",
    [
        "1.020.304.050",
        " 1020304050 ",
        "1 020 304 050",
        "1020-304-050",
        "1020304050\r\n",
        "\t1020304050",
        "1\u00a0020\u00a0304\u00a0050",
        "1020\u200b304050",
        "\ufeff1020304050",
        "1020\u2060304050",
        "1020\u200d304\u200c050",
        "1,020,304,050",
        "1'020.304.050",
        "1’020‘304´050",
        "1020–304—050",
        "1020\u202e304050",
        "\u20661020304050\u2069",
        "1020\u00ad304050",
        "1020\n304050",
        "1020\u2028304050",
        "CC 1020304050",
        "C.C. 1.020.304.050",
        "cc1020304050",
        "CC No. 1020304050",
        "Cédula de ciudadanía 1.020.304.050",
        "Cédula N° 1020304050",
        "Nro. 1020304050",
        "N.º 1020304050",
        "C.C. N.º 1.020.304.050",
    ],
)
def test_what_people_put_between_the_digits_does_not_count(typed: str) -> None:
    assert parse_document("CC", typed).number == "1020304050"


def test_letters_become_capitals() -> None:
    assert parse_document("PA", "ab-123456").number == "AB123456"


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("١٠٢٠٣٠٤٠٥٠", id="Arabic digits"),
        pytest.param("１０２０３０４０５０", id="full-width digits"),
        pytest.param("१०२०३०४०५०", id="Devanagari digits"),
        pytest.param("10²0304050", id="superscript"),
        pytest.param("1020\x00304050", id="NUL"),
        pytest.param("1020\x1b304050", id="escape"),
        pytest.param("АВ123456", id="Cyrillic letters that look Latin"),
        pytest.param("ÑAB12345", id="letter with a tilde"),
        pytest.param("ßß12345", id="letter whose capital is two"),
        pytest.param("ſıAB123", id="letters whose capitals are ASCII"),
        pytest.param("1020\ud800", id="lone surrogate"),
    ],
)
def test_characters_of_no_document_are_refused_in_words(typed: str) -> None:
    with pytest.raises(ValueError, match="solo con letras sin tilde y dígitos"):
        parse_document("PA", typed)


def test_what_is_too_long_is_refused_before_it_is_read() -> None:
    assert normalise_number("1" * MAX_DOCUMENT_INPUT) == "1" * MAX_DOCUMENT_INPUT
    with pytest.raises(ValueError, match="demasiado largo"):
        normalise_number("1" * (MAX_DOCUMENT_INPUT + 1))


@pytest.mark.parametrize("type_code", ["", "cc", "XX", "DocumentType.CC", "TI"])
def test_another_type_is_a_key_error(type_code: str) -> None:
    with pytest.raises(KeyError):
        parse_document(type_code, "1020304050")


def test_the_login_is_type_and_number_without_a_space() -> None:
    document = parse_document("CC", "1020304050")
    assert (document.login, str(document)) == ("CC1020304050", "CC 1020304050")


@given(st.sampled_from(DocumentType), st.text(max_size=60))
def test_any_text_is_a_document_of_ascii_or_a_sentence(document_type: DocumentType, text: str) -> None:
    try:
        outcome = parse_document(document_type, text).number
    except ValueError as error:
        outcome = str(error)
    assert re.fullmatch(r"[A-Z0-9]{3,16}|E[ls].* número .+", outcome)


@given(st.from_regex(r"\A[1-9][0-9]{2,9}\Z"))
def test_a_number_that_was_read_is_read_the_same_again(number: str) -> None:
    once = parse_document("CC", number)
    assert parse_document(once.type, once.number) == once


@pytest.mark.parametrize(
    ("type_code", "typed", "number"),
    [
        ("PT", "PPT 1234567", "1234567"),
        ("PT", "P.P.T. No. 1.234.567", "1234567"),
        ("PT", "PT: 1234567", "1234567"),
        ("PE", "PEP 123456789012345", "123456789012345"),
        ("CC", "(CC) 1020304050", "1020304050"),
        ("CC", "\u2067(C.C.)\u2069 1.020.304.050", "1020304050"),
        ("PA", "PEP12345", "PEP12345"),
        ("PA", "Pasaporte N.º AV123456", "AV123456"),
        ("PA", "Nº AV123456", "AV123456"),
        ("PA", "NO123456", "NO123456"),
    ],
)
def test_what_a_document_itself_prints_in_front_is_dropped(type_code: str, typed: str, number: str) -> None:
    document = parse_document(type_code, typed)
    assert document.number == number
    assert is_same_document(document, type_code=type_code, number=typed)


@pytest.mark.parametrize(
    ("type_code", "number", "written"),
    [("PT", "1234567", "PPT"), ("PT", "1234567", "P.P.T."), ("PE", "123456789012345", "pep")],
)
def test_a_registry_may_write_the_type_that_the_document_prints(
    type_code: str, number: str, written: str
) -> None:
    document = parse_document(type_code, number)
    assert is_same_document(document, type_code=written, number=number)
    assert not is_same_document(parse_document("PA", number), type_code=written, number=number)


@given(st.data(), st.sampled_from(DocumentType))
def test_a_login_names_its_document_and_no_other(data: st.DataObject, document_type: DocumentType) -> None:
    number = data.draw(st.from_regex(DOCUMENT_RULES[document_type].pattern, fullmatch=True))
    document = Document(type=document_type, number=number)
    assert read_login(document.login) == document


@pytest.mark.parametrize(
    ("typed", "login"),
    [
        (" cc 1.020.304.050 ", "CC1020304050"),
        ("C.C. No. 1020304050", "CC1020304050"),
        ("PPT 1234567", "PT1234567"),
        ("pep123456789012345", "PE123456789012345"),
        ("PA PEP12345", "PAPEP12345"),
    ],
)
def test_a_login_is_read_as_people_type_it(typed: str, login: str) -> None:
    document = read_login(typed)
    assert document is not None
    assert document.login == login


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "1020304050",
        "ana@ejemplo.gov.co",
        "CC",
        "CC01020304050",
        "CC１０２０３０４０５０",
        "PAß12",
        "TI1020304",
    ],
)
def test_what_names_no_document_is_no_login(typed: str) -> None:
    assert read_login(typed) is None
