from datetime import date

import pytest

from mipres.domain.people import Person, Placement, Sanction


@pytest.mark.parametrize(
    ("given_names", "surnames", "full_name"),
    [("Ana María", "Ruiz Gómez", "Ana María Ruiz Gómez"), ("Ana", "", "Ana"), ("", "Ruiz", "Ruiz")],
)
def test_a_full_name_has_no_blanks_at_its_ends(given_names: str, surnames: str, full_name: str) -> None:
    person = Person(given_names=given_names, surnames=surnames, email="ana@ejemplo.test")
    assert person.full_name == full_name


DAY = date(2026, 11, 23)


def test_what_ends_before_it_begins_cannot_be() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        Sanction(authority="Tribunal", kind="Suspensión", start=DAY, end=date(1900, 1, 1))
    with pytest.raises(ValueError, match="before it begins"):
        Placement(
            profession="Medicina",
            site_code="1",
            site_name="H",
            municipality="11001",
            start=DAY,
            end=date(1900, 1, 1),
        )


def test_a_person_may_come_without_an_address() -> None:
    assert not Person(given_names="Ana", surnames="", email="").has_usable_address
    assert Person(given_names="Ana", surnames="", email="ana@ejemplo.test").has_usable_address


@pytest.mark.parametrize(
    ("start", "begins"),
    [
        (DAY, None),
        (date(2026, 11, 24), date(2026, 11, 24)),
        (date(2028, 11, 1), date(2028, 11, 1)),
        (date(2029, 1, 1), None),
        (date.max, None),
    ],
)
def test_a_placement_far_ahead_is_nobodys_yet(start: date, begins: date | None) -> None:
    placement = Placement(
        profession="Medicina", site_code="1", site_name="H", municipality="11001", start=start, end=date.max
    )
    assert placement.begins_on(DAY) == begins
