import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.co import nit as oracle

from mipres.domain.nit import InvalidNitError, check_digit, is_same_nit, nit_to_offer, parse_nit


@given(st.text(alphabet="0123456789", min_size=1, max_size=15))
def test_check_digit_is_that_of_the_oracle(nit: str) -> None:
    assert check_digit(nit) == oracle.calc_check_digit(nit)


@pytest.mark.parametrize(("nit", "digit"), [("800197268", "4"), ("213123432", "1"), ("899999061", "9")])
def test_check_digit_of_published_nits(nit: str, digit: str) -> None:
    assert check_digit(nit) == digit


@pytest.mark.parametrize("text", ["", "12a", "1" * 16, "٣٣٣"])
def test_check_digit_refuses_what_is_not_a_number_of_fifteen_digits_at_most(text: str) -> None:
    with pytest.raises(ValueError, match="fifteen"):
        check_digit(text)


entities = st.from_regex(r"\A[89][0-9]{8}\Z")
people = st.from_regex(r"\A[1-9][0-9]{5,7}\Z|\A[1-7][0-9]{8,9}\Z")


@given(entities | people)
def test_an_entity_has_nine_digits_and_a_person_the_cedula(nit: str) -> None:
    assert parse_nit(nit) == nit


@given(entities)
def test_the_check_digit_is_noticed_and_the_nine_are_offered(nit: str) -> None:
    for written in (oracle.format(nit + oracle.calc_check_digit(nit)), nit + oracle.calc_check_digit(nit)):
        with pytest.raises(InvalidNitError) as caught:
            parse_nit(written)
        assert caught.value.suggestion == nit
        assert nit in str(caught.value)


@given(people)
def test_the_check_digit_of_a_person_is_noticed_behind_a_hyphen(nit: str) -> None:
    with pytest.raises(InvalidNitError) as caught:
        parse_nit(f"{nit}-{oracle.calc_check_digit(nit)}")
    assert caught.value.suggestion == nit


@given(entities, st.sampled_from("0123456789"))
def test_ten_digits_with_a_wrong_check_digit_suggest_nothing(nit: str, last: str) -> None:
    if oracle.is_valid(nit + last):
        return
    with pytest.raises(InvalidNitError, match="9 dígitos") as caught:
        parse_nit(nit + last)
    assert caught.value.suggestion is None


@pytest.mark.parametrize("text", ["1", "12345", "000000000", "012345678", "0000000000", "1" * 12, "1" * 30])
def test_what_no_entity_and_no_person_has_is_refused_without_a_suggestion(text: str) -> None:
    with pytest.raises(InvalidNitError, match="9 dígitos") as caught:
        parse_nit(text)
    assert caught.value.suggestion is None


@pytest.mark.parametrize(
    "written",
    [
        "900123456",
        "900.123.456-8",
        "9001234568",
        "0900123456",
        " 000900123456-8",
        "NIT 900123456",
        "NIT No. 900123456-8",
        "900.123.456 D.V. 8",
        "900123456 (8)",
    ],
)
def test_a_registry_may_write_a_nit_another_way(written: str) -> None:
    assert is_same_nit("900123456", written)


@pytest.mark.parametrize("written", ["900123457", "9001234567", "", "x", "90012345"])
def test_another_nit_is_another(written: str) -> None:
    assert not is_same_nit("900123456", written)


@given(st.text(max_size=60))
def test_any_text_gives_nine_digits_or_the_reason(text: str) -> None:
    try:
        outcome = parse_nit(text)
    except InvalidNitError as error:
        outcome = error.reason
    assert re.fullmatch(r"[1-9][0-9]{5,9}|E[ls].*NIT.*", outcome)


@pytest.mark.parametrize(
    "text",
    [
        "900123456",
        "NIT: 900.123.456",
        "900'123,456",
        "\u2066900123456\u2069",
        " 900.123.456 ",
        "900 123 456",
        "900-123-456",
        "900\u00a0123\u200b456",
    ],
)
def test_what_people_write_among_the_digits_does_not_count(text: str) -> None:
    assert parse_nit(text) == "900123456"


@pytest.mark.parametrize("text", ["", "   ", "NIT", "90012345A", "٩٠٠١٢٣٤٥٦", "９００１２３４５６"])
def test_only_ascii_digits_make_a_nit(text: str) -> None:
    with pytest.raises(InvalidNitError, match="solo con dígitos"):
        parse_nit(text)


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("9001234568", "900123456"),
        ("900.123.456-8", "900123456"),
        ("900123456", None),
        ("9001234560", None),
        ("x", None),
    ],
)
def test_only_a_nit_with_its_check_digit_is_offered_without_it(text: str, offered: str | None) -> None:
    assert nit_to_offer(text) == offered


@pytest.mark.parametrize(
    "written", ["{} DV {}", "{} D.V. {}", "{}-DV:{}", "{} (DV {})", "NIT N° {} - {}", "{}({})"]
)
@pytest.mark.parametrize("nit", ["900123456", "1020304050", "79123456"])
def test_a_check_digit_that_is_marked_as_one_is_noticed(nit: str, written: str) -> None:
    with pytest.raises(InvalidNitError) as caught:
        parse_nit(written.format(nit, check_digit(nit)))
    assert caught.value.suggestion == nit
