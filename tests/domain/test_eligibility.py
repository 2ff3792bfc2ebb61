from datetime import UTC, date, datetime, timedelta

import pytest

from mipres.domain.eligibility import (
    find_profession,
    has_ended,
    may_prescribe,
    other_user_refusal,
    professional_refusal,
    social_service_refusal,
    today_in_bogota,
)
from mipres.domain.outcomes import Refusal
from mipres.domain.people import HealthProfessional, Placement, Profession, Sanction

TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)
DOCTOR = Profession(code="P07", name="Medicina", registration="76-1234")
NURSE = Profession(code="P05", name="Enfermería", registration="05-9999")


def sanction(start: date, end: date | None) -> Sanction:
    return Sanction(authority="Tribunal", kind="Suspensión", start=start, end=end)


def placement(*, start: date = TODAY, end: date = TODAY, profession: str = "Medicina") -> Placement:
    return Placement(
        profession=profession,
        site_code="1",
        site_name="Hospital",
        municipality="11001",
        start=start,
        end=end,
    )


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 23, 4, 59, 59, tzinfo=UTC), date(2026, 11, 22)),
        (datetime(2026, 11, 23, 5, 0, 0, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2027, 1, 1, 4, 59, 59, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 7, 1, 4, 59, 59, tzinfo=UTC), date(2026, 6, 30)),
    ],
)
def test_a_day_begins_at_midnight_in_bogota(moment: datetime, day: date) -> None:
    assert today_in_bogota(moment) == day


@pytest.mark.parametrize(
    "name",
    [
        "Medicina",
        "MEDICINA",
        "odontología",
        "Odontologi\u0301a",
        "Optometría",
        "NUTRICIÓN Y DIETÉTICA",
        "  Nutrición  y\u00a0Dietética ",
    ],
)
def test_the_manuals_four_professions_prescribe_however_they_are_written(name: str) -> None:
    assert may_prescribe(name)


@pytest.mark.parametrize(
    "name",
    ["", "Enfermería", "Bacteriología", "Medicina Veterinaria", "Auxiliar en Odontología", "Nutrición"],
)
def test_no_other_profession_prescribes(name: str) -> None:
    assert not may_prescribe(name)


@pytest.mark.parametrize("typed", ["76-1234", "761234", "76 1234", "76.12-34"])
def test_punctuation_of_a_registration_does_not_count(typed: str) -> None:
    assert find_profession(HealthProfessional(professions=(NURSE, DOCTOR)), typed) == DOCTOR


def test_case_of_a_registration_does_not_count() -> None:
    lettered = Profession(code="P07", name="Medicina", registration="rm-12a")
    assert find_profession(HealthProfessional(professions=(lettered,)), "RM 12A") == lettered


@pytest.mark.parametrize("typed", ["76-123", "76-12345", "-"])
def test_another_registration_is_not_found(typed: str) -> None:
    assert find_profession(HealthProfessional(professions=(DOCTOR,)), typed) is None


def test_of_two_professions_with_one_number_the_one_that_prescribes_is_meant() -> None:
    twin = Profession(code="P05", name="Enfermería", registration=DOCTOR.registration)
    assert find_profession(HealthProfessional(professions=(twin, DOCTOR)), "76-1234") == DOCTOR
    assert find_profession(HealthProfessional(professions=(twin,)), "76-1234") == twin


@pytest.mark.parametrize(
    ("professional", "refusal"),
    [
        (None, Refusal.NOT_IN_RETHUS),
        (HealthProfessional(professions=()), Refusal.NOT_IN_RETHUS),
        (HealthProfessional(professions=(NURSE,)), Refusal.NOT_IN_RETHUS),
        (HealthProfessional(professions=(DOCTOR,)), None),
        (
            HealthProfessional(
                professions=(Profession(code="P05", name="Enfermería", registration="76-1234"),)
            ),
            Refusal.PROFESSION_NOT_AUTHORIZED,
        ),
        (
            HealthProfessional(
                professions=(Profession(code="P05", name="Enfermería", registration="76-1234"),),
                sanctions=(sanction(TODAY, None),),
            ),
            Refusal.SANCTIONED,
        ),
    ],
)
def test_a_professional_is_refused_for(
    professional: HealthProfessional | None, refusal: Refusal | None
) -> None:
    assert professional_refusal(professional, registration="76-1234", today=TODAY) is refusal


@pytest.mark.parametrize(
    ("start", "end", "refusal"),
    [
        (TODAY + DAY, None, None),
        (TODAY, None, Refusal.SANCTIONED),
        (TODAY, TODAY, Refusal.SANCTIONED),
        (TODAY - DAY, TODAY, Refusal.SANCTIONED),
        (TODAY - DAY, TODAY - DAY, None),
        (date(1990, 1, 1), None, Refusal.SANCTIONED),
    ],
)
def test_a_sanction_counts_from_its_first_day_to_its_last(
    start: date, end: date | None, refusal: Refusal | None
) -> None:
    professional = HealthProfessional(professions=(DOCTOR,), sanctions=(sanction(start, end),))
    assert professional_refusal(professional, registration="76-1234", today=TODAY) is refusal


def test_one_sanction_in_force_among_others_is_enough() -> None:
    past, current = sanction(TODAY - 3 * DAY, TODAY - 2 * DAY), sanction(TODAY, TODAY)
    professional = HealthProfessional(professions=(DOCTOR,), sanctions=(past, current))
    assert professional_refusal(professional, registration="76-1234", today=TODAY) is Refusal.SANCTIONED


@pytest.mark.parametrize(
    ("found", "refusal"),
    [
        (None, Refusal.NOT_IN_SSO),
        (placement(start=TODAY + DAY, end=TODAY + DAY), Refusal.NOT_IN_SSO),
        (placement(start=TODAY, end=TODAY + DAY), None),
        (placement(start=TODAY - DAY, end=TODAY), None),
        (placement(start=TODAY - DAY, end=TODAY - DAY), Refusal.NOT_IN_SSO),
        (placement(profession="Enfermería"), Refusal.PROFESSION_NOT_AUTHORIZED),
        (placement(profession="Enfermería", end=TODAY - DAY, start=TODAY - DAY), Refusal.NOT_IN_SSO),
    ],
)
def test_a_placement_counts_from_its_first_day_to_its_last(
    found: Placement | None, refusal: Refusal | None
) -> None:
    assert social_service_refusal(found, today=TODAY) is refusal


@pytest.mark.parametrize(
    ("professional", "refusal"),
    [
        (None, None),
        (HealthProfessional(professions=()), None),
        (HealthProfessional(professions=(NURSE,)), None),
        (HealthProfessional(professions=(NURSE,), sanctions=(sanction(TODAY, None),)), None),
        (HealthProfessional(professions=(NURSE, DOCTOR)), Refusal.PROFESSION_NOT_AUTHORIZED),
    ],
)
def test_another_user_is_whoever_does_not_prescribe(
    professional: HealthProfessional | None, refusal: Refusal | None
) -> None:
    assert other_user_refusal(professional) is refusal


def test_the_last_day_still_counts() -> None:
    assert not has_ended(TODAY, today=TODAY)
    assert has_ended(TODAY - DAY, today=TODAY)
    assert not has_ended(None, today=TODAY)
