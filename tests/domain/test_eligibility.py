from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from mipres.domain.eligibility import (
    EligibilityRules,
    has_ended,
    today_in_bogota,
)
from mipres.domain.errors import RegistryUnavailableError, UnusableTableError
from mipres.domain.outcomes import Refusal
from mipres.domain.people import HealthProfessional, Placement, Profession, Sanction
from mipres.domain.professions import ProfessionTable
from mipres.domain.sanctions import SanctionTable

RULES = EligibilityRules()
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
    "typed", ["76-1234", "761234", "76 1234", "76.12-34", "RM 76-1234", "R.M. No. 076–1234"]
)
def test_punctuation_of_a_registration_does_not_count(typed: str) -> None:
    assert RULES.find_profession(HealthProfessional(professions=(NURSE, DOCTOR)), typed) == DOCTOR


def test_case_of_a_registration_does_not_count() -> None:
    lettered = Profession(code="P07", name="Medicina", registration="rm-12a")
    assert RULES.find_profession(HealthProfessional(professions=(lettered,)), "RM 12A") == lettered


@pytest.mark.parametrize("typed", ["76-123", "76-12345", "-"])
def test_another_registration_is_not_found(typed: str) -> None:
    assert RULES.find_profession(HealthProfessional(professions=(DOCTOR,)), typed) is None


@pytest.mark.parametrize("placeholder", ["N/A", "EN TRÁMITE", "no registra", "R.M.", "000"])
def test_what_a_registry_writes_for_no_registration_is_nobodys(placeholder: str) -> None:
    without = replace(DOCTOR, registration=placeholder)
    assert RULES.find_profession(HealthProfessional(professions=(without,)), placeholder) is None


def test_of_two_professions_with_one_number_the_one_that_prescribes_is_meant() -> None:
    twin = Profession(code="P05", name="Enfermería", registration=DOCTOR.registration)
    assert RULES.find_profession(HealthProfessional(professions=(twin, DOCTOR)), "76-1234") == DOCTOR
    assert RULES.find_profession(HealthProfessional(professions=(twin,)), "76-1234") == twin


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
    assert RULES.professional_refusal(professional, registration="76-1234", today=TODAY) is refusal


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
    assert RULES.professional_refusal(professional, registration="76-1234", today=TODAY) is refusal


def test_one_sanction_in_force_among_others_is_enough() -> None:
    past, current = sanction(TODAY - 3 * DAY, TODAY - 2 * DAY), sanction(TODAY, TODAY)
    professional = HealthProfessional(professions=(DOCTOR,), sanctions=(past, current))
    assert RULES.professional_refusal(professional, registration="76-1234", today=TODAY) is Refusal.SANCTIONED


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
    assert RULES.social_service_refusal(found, today=TODAY) is refusal


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
    assert RULES.other_user_refusal(professional) is refusal


def test_the_last_day_still_counts() -> None:
    assert not has_ended(TODAY, today=TODAY)
    assert has_ended(TODAY - DAY, today=TODAY)
    assert not has_ended(None, today=TODAY)


def rethus(*names: str, code: str = "", unreadable: str | None = None) -> HealthProfessional:
    rows = tuple(Profession(code=code, name=name, registration="76-1234") for name in names)
    return HealthProfessional(professions=rows, unreadable=unreadable)


def as_professional(professional: HealthProfessional) -> Refusal | None:
    return RULES.professional_refusal(professional, registration="76-1234", today=TODAY)


@pytest.mark.parametrize(
    "name",
    ["MÉDICO", "MEDICINA GENERAL", "médica cirujana", "Odontóloga", "OPTOMETRA", "NUTRICIONISTA DIETISTA"],
)
def test_another_spelling_of_the_four_is_a_professional_and_no_other_user(name: str) -> None:
    assert as_professional(rethus(name)) is None
    assert RULES.other_user_refusal(rethus(name)) is Refusal.PROFESSION_NOT_AUTHORIZED


@pytest.mark.parametrize(
    "name", ["Médico Estético Integral", "Medicina interna", "ODONTOPEDIATRÍA", "Nutrición"]
)
def test_what_only_resembles_the_four_is_neither(name: str) -> None:
    assert as_professional(rethus(name)) is Refusal.PROFESSION_NOT_AUTHORIZED
    assert RULES.other_user_refusal(rethus(name)) is Refusal.PROFESSION_NOT_AUTHORIZED


@pytest.mark.parametrize(
    "name",
    [
        "Enfermería",
        "Bacteriología",
        "Medicina Veterinaria",
        "Auxiliar en Odontología",
        "TÉCNICO EN NUTRICIÓN",
        "Ingeniería Biomédica",
    ],
)
def test_a_profession_that_resembles_none_of_the_four_is_an_other_user(name: str) -> None:
    assert as_professional(rethus(name)) is Refusal.PROFESSION_NOT_AUTHORIZED
    assert RULES.other_user_refusal(rethus(name)) is None


def test_a_code_counts_where_the_name_is_missing_or_resembles() -> None:
    assert as_professional(rethus("", code="p07")) is None
    assert as_professional(rethus("Médico egresado", code="P07")) is None
    assert RULES.other_user_refusal(rethus("Profesión 17", code="P07")) is Refusal.PROFESSION_NOT_AUTHORIZED
    assert as_professional(rethus("Profesión 17", code="P07")) is Refusal.PROFESSION_NOT_AUTHORIZED
    assert as_professional(rethus("Enfermería", code="P07")) is Refusal.PROFESSION_NOT_AUTHORIZED


@pytest.mark.parametrize(
    "professional",
    [rethus(""), rethus("", "Enfermería"), rethus("Enfermería", unreadable="professions[1]: x")],
)
def test_a_profession_that_cannot_be_read_lets_no_other_user_in(professional: HealthProfessional) -> None:
    with pytest.raises(RegistryUnavailableError, match="professions"):
        RULES.other_user_refusal(professional)


def test_a_profession_that_cannot_be_read_refuses_no_professional() -> None:
    with pytest.raises(RegistryUnavailableError, match=r"professions\[1\]"):
        RULES.professional_refusal(
            rethus("Medicina", unreadable="professions[1]: x"), registration="9", today=TODAY
        )
    with pytest.raises(RegistryUnavailableError, match="neither readable name"):
        as_professional(rethus(""))
    assert as_professional(rethus("Medicina", unreadable="professions[1]: x")) is None


LOST = [
    "M?DICO", "M\ufffdDICO", "M¿DICO CIRUJANO", "MÃ‰DICO", "MÃ©dico", "M├®dico", "M‚dico", "Mï¿½dico",
    "M&Eacute;DICO", "M&#201;DICO", "M%C9DICO", "M\\u00c9DICO", "M´EDICO", "M'EDICO", "T?CNICO EN ENFERMER?A",
]  # fmt: skip


def assert_decides_nothing(name: str) -> None:
    """No type of user is let in or refused for this profession."""
    with pytest.raises(RegistryUnavailableError, match="readable name"):
        RULES.other_user_refusal(rethus(name))
    with pytest.raises(RegistryUnavailableError, match="readable name"):
        as_professional(rethus(name))
    with pytest.raises(RegistryUnavailableError, match="readable name"):
        RULES.social_service_refusal(placement(profession=name), today=TODAY)


@pytest.mark.parametrize("name", LOST)
def test_a_profession_that_lost_its_letters_is_neither_let_in_nor_refused(name: str) -> None:
    assert_decides_nothing(name)
    assert (
        RULES.social_service_refusal(
            placement(profession=name, end=TODAY - DAY, start=TODAY - DAY), today=TODAY
        )
        is Refusal.NOT_IN_SSO
    )


@pytest.mark.parametrize("name", ["N/A", "NO REGISTRA", "Sin  información", "null", "0", "17", "(999)"])
def test_what_stands_where_a_profession_is_missing_is_none(name: str) -> None:
    assert_decides_nothing(name)
    assert as_professional(rethus(name, code="P07")) is None
    assert RULES.other_user_refusal(rethus(name, code="P07")) is Refusal.PROFESSION_NOT_AUTHORIZED
    assert RULES.professions.knows(name, code="P07")


def test_the_code_counts_where_a_profession_lost_its_letters() -> None:
    assert as_professional(rethus("M?DICO", code="P07")) is None
    assert RULES.other_user_refusal(rethus("M?DICO", code="P07")) is Refusal.PROFESSION_NOT_AUTHORIZED


@pytest.mark.parametrize("code", ["p07", "P-07", "P 07", "P7", "p.007"])
def test_a_code_has_many_spellings(code: str) -> None:
    assert as_professional(rethus("", code=code)) is None
    assert RULES.other_user_refusal(rethus("Profesión 17", code=code)) is Refusal.PROFESSION_NOT_AUTHORIZED


@pytest.mark.parametrize("code", ["P70", "P17", "PO7", "07"])
def test_another_code_is_another_profession(code: str) -> None:
    assert RULES.other_user_refusal(rethus("Profesión 17", code=code)) is None


def test_a_sanction_that_lost_its_letters_is_no_reason_to_call_a_person_sanctioned() -> None:
    def judged(*kinds: str, end: date | None = None) -> Refusal | None:
        rows = tuple(Sanction(authority="", kind=kind, start=TODAY - DAY, end=end) for kind in kinds)
        return as_professional(HealthProfessional(professions=(DOCTOR,), sanctions=rows))

    with pytest.raises(RegistryUnavailableError, match="sanctions: no readable kind"):
        judged("AMONESTACI?N PRIVADA")
    assert judged("AMONESTACI?N PRIVADA", "Suspensión") is Refusal.SANCTIONED
    assert judged("SUSPENSI?N", end=TODAY - DAY) is None


def test_a_sanction_that_cannot_be_read_counts_only_for_who_prescribes() -> None:
    def with_fault(profession: Profession, *sanctions: Sanction) -> HealthProfessional:
        cause = "sanctions[1].end: not a day"
        return HealthProfessional(professions=(profession,), sanctions=sanctions, unreadable_sanction=cause)

    with pytest.raises(RegistryUnavailableError, match=r"sanctions\[1\]\.end"):
        as_professional(with_fault(DOCTOR))
    with pytest.raises(RegistryUnavailableError, match=r"sanctions\[1\]\.end"):
        as_professional(with_fault(DOCTOR, sanction(TODAY - DAY, TODAY - DAY)))
    assert as_professional(with_fault(DOCTOR, sanction(TODAY, None))) is Refusal.SANCTIONED
    assert as_professional(with_fault(NURSE)) is Refusal.NOT_IN_RETHUS
    assert RULES.other_user_refusal(with_fault(NURSE)) is None
    assert RULES.other_user_refusal(with_fault(DOCTOR)) is Refusal.PROFESSION_NOT_AUTHORIZED


@pytest.mark.parametrize(
    "kind", ["Amonestación", "AMONESTACION PRIVADA", "Censura", "Censura escrita y pública"]
)
def test_a_reprimand_bars_nobody(kind: str) -> None:
    reprimand = Sanction(authority="Tribunal", kind=kind, start=date(2001, 1, 1), end=None)
    assert as_professional(HealthProfessional(professions=(DOCTOR,), sanctions=(reprimand,))) is None


@pytest.mark.parametrize(
    "kind", ["Suspensión", "SUSPENSION DEL EJERCICIO PROFESIONAL", "Otra cosa", "", "17"]
)
def test_a_suspension_and_what_nobody_knows_bar(kind: str) -> None:
    barring = Sanction(authority="Tribunal", kind=kind, start=date(2001, 1, 1), end=None)
    assert (
        as_professional(HealthProfessional(professions=(DOCTOR,), sanctions=(barring,))) is Refusal.SANCTIONED
    )


def test_other_tables_may_replace_the_shipped_ones(tmp_path: Path) -> None:
    professions, sanctions = tmp_path / "professions.toml", tmp_path / "sanctions.toml"
    professions.write_text(
        'resembling = ["enfer"]\nother_levels = []\n[[profession]]\nname = "Enfermería"\nprescribes = true\n'
    )
    sanctions.write_text('[[kind]]\nname = "Suspensión"\nbars = false\n')
    rules = EligibilityRules(
        professions=ProfessionTable.read(professions), sanctions=SanctionTable.read(sanctions)
    )
    nurse = HealthProfessional(professions=(NURSE,), sanctions=(sanction(TODAY, None),))
    assert rules.professional_refusal(nurse, registration=NURSE.registration, today=TODAY) is None
    assert rules.other_user_refusal(nurse) is Refusal.PROFESSION_NOT_AUTHORIZED
    assert rules.other_user_refusal(rethus("Medicina")) is None


@pytest.mark.parametrize("content", ["", "[", "kind = 1", '[[kind]]\nname = "x"\nbars = "false"\n', "\xff"])
def test_a_table_that_cannot_be_used_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "table.toml"
    file.write_bytes(content.encode("latin-1"))
    for read in (ProfessionTable.read, SanctionTable.read):
        with pytest.raises(UnusableTableError, match=r"table\.toml"):
            read(file)
    with pytest.raises(UnusableTableError, match="FileNotFoundError"):
        SanctionTable.read(tmp_path / "none.toml")
