from datetime import timedelta
from typing import get_args

import pytest

from dev.registry_simulator.people import Person, Regime
from dev.registry_simulator.people_page import table
from dev.registry_simulator.seed import (
    FIELD_LABELS,
    Outcome,
    SeedRow,
    UserType,
    seed_rows,
    seeded_people,
    today_in_bogota,
)
from mipres.domain.documents import DocumentType, parse_document

TODAY = today_in_bogota()
PRESCRIBE = {"medicina", "odontologia", "optometria", "nutricion y dietetica"}
KINDS = {"IPS": "IPS", "EPS": "EPS", "PROVEEDOR": "PROVIDER"}


def prescribes(profession: str) -> bool:
    return profession.lower().translate(str.maketrans("áéíóú", "aeiou")) in PRESCRIBE


def professional(row: SeedRow, person: Person) -> Outcome:
    entry = person.rethus
    if entry is None:
        return "not_in_rethus"
    names = [one.name for one in entry.professions if one.registration == row.fields["registro_profesional"]]
    if not names:
        return "not_in_rethus"
    if any(one.start <= TODAY and (one.end is None or one.end >= TODAY) for one in entry.sanctions):
        return "sanctioned"
    return "registered" if prescribes(names[0]) else "profession_not_authorized"


def social_service(person: Person) -> Outcome:
    if person.sso is None or not person.sso.start <= TODAY <= person.sso.end:
        return "not_in_sso"
    return "registered" if prescribes(person.sso.profession) else "profession_not_authorized"


def delegate(row: SeedRow, person: Person) -> Outcome:
    if row.fields.get("tiene_nit") == "NO":
        here = person.provider_in and person.provider_in.municipality == row.fields["municipio"]
        return "registered" if here else "not_in_miseguridadsocial"
    regimes: dict[str | None, Regime] = {"CONTRIBUTIVO": "CONTRIBUTIVO", "SUBSIDIADO": "SUBSIDIADO"}
    kind = KINDS[row.fields["tipo_entidad"]]
    known = [
        entity
        for entity in person.delegate_of
        if (entity.nit, entity.kind, entity.regime)
        == (row.fields["nit"], kind, regimes.get(row.fields.get("regimen")))
    ]
    return "registered" if known else "entity_not_in_miseguridadsocial"


def judge(row: SeedRow) -> Outcome:
    """What the manual's checks come to, said again independently of the product."""
    person = seeded_people(TODAY).get(row.document)
    if person is None:
        return "not_in_miseguridadsocial"
    if ";" in person.email:
        return "no_valid_email"
    match row.user_type:
        case "profesional":
            return professional(row, person)
        case "sso":
            return social_service(person)
        case "delegado":
            return delegate(row, person)
        case "otro":
            entry = person.rethus
            refused = entry is not None and any(prescribes(one.name) for one in entry.professions)
            return "profession_not_authorized" if refused else "registered"


@pytest.mark.parametrize(
    "row", seed_rows(), ids=lambda row: f"{row.document} {row.user_type} {row.form_text}"
)
def test_each_row_comes_to_what_it_says(row: SeedRow) -> None:
    assert judge(row) == row.expected


def test_rows_cover_every_outcome_user_type_and_document_type() -> None:
    rows = seed_rows()

    assert {row.expected for row in rows} == set(get_args(Outcome))
    assert {row.user_type for row in rows} == set(get_args(UserType))
    assert {row.document.split()[0] for row in rows} == set(DocumentType)
    assert {row.user_type for row in rows if row.expected == "registered"} == set(get_args(UserType))


def test_documents_fit_the_formats_of_their_types() -> None:
    for row in seed_rows():
        assert str(parse_document(*row.document.split())) == row.document


def test_rows_are_told_in_known_fields_and_are_not_repeated() -> None:
    rows = seed_rows()

    assert {name for row in rows for name in row.fields} <= set(FIELD_LABELS)
    assert len({(row.document, row.user_type, row.form_text) for row in rows}) == len(rows)
    assert all(row.purpose.endswith(".") for row in rows)


def test_addresses_lie_in_a_domain_that_nobody_can_own() -> None:
    addresses = [person.email for person in seeded_people(TODAY).values()]

    assert all(address.endswith("@ejemplo.test") for address in addresses)
    assert len(set(addresses)) == len(addresses)


def test_dates_move_with_the_day() -> None:
    later = TODAY + timedelta(days=400)
    now, then = (seeded_people(day)["CC 1020304074"].sso for day in (TODAY, later))

    assert now
    assert then
    assert (now.end, then.end) == (TODAY, later)


def test_the_table_has_a_line_for_each_row() -> None:
    lines = table().splitlines()

    assert lines[0] == "| Documento | Tipo de usuario | Datos del formulario | Qué muestra |"
    assert len(lines) == 2 + len(seed_rows())
    assert {line.count("|") for line in lines} == {5}
