import pytest

from mipres.domain.people import PRESCRIBING_PROFESSIONS, Person


@pytest.mark.parametrize(
    ("given_names", "surnames", "full_name"),
    [("Ana María", "Ruiz Gómez", "Ana María Ruiz Gómez"), ("Ana", "", "Ana"), ("", "Ruiz", "Ruiz")],
)
def test_a_full_name_has_no_blanks_at_its_ends(given_names: str, surnames: str, full_name: str) -> None:
    person = Person(given_names=given_names, surnames=surnames, email="ana@ejemplo.test")
    assert person.full_name == full_name


def test_four_professions_prescribe() -> None:
    assert len(PRESCRIBING_PROFESSIONS) == 4
