import csv
import hashlib
from collections import Counter
from importlib import resources

import pytest

from mipres.domain import divipola

# Of the canonical content: each row's code, name and kind, joined with commas, a line each, in code order.
CHECKSUM = "fd43be5d47c4bc9680c0a7b82650a6e2d2ce17815dee4c611d51e12228469d08"

# As DANE's edition of 30 June 2026 has them. A second source counts the same, but 30 for Chocó: see the docs.
MUNICIPALITIES_BY_DEPARTMENT = {
    "05": 125, "08": 23, "11": 1, "13": 46, "15": 123, "17": 27, "18": 16, "19": 42, "20": 25, "23": 30, "25": 116,
    "27": 31, "41": 37, "44": 15, "47": 30, "50": 29, "52": 64, "54": 40, "63": 12, "66": 14, "68": 87, "70": 26,
    "73": 47, "76": 42, "81": 7, "85": 19, "86": 13, "88": 2, "91": 11, "94": 8, "95": 4, "97": 6, "99": 4,
}  # fmt: skip


def rows() -> list[dict[str, str]]:
    text = resources.files("mipres.domain").joinpath("divipola.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_the_table_is_the_one_that_was_checked() -> None:
    canonical = "".join(f"{row['code']},{row['name']},{row['kind']}\n" for row in rows())
    assert hashlib.sha256(canonical.encode()).hexdigest() == CHECKSUM


def test_the_table_counts_what_dane_counts() -> None:
    assert Counter(row["kind"] for row in rows()) == {
        "department": 33,
        "municipality": 1103,
        "area": 18,
        "island": 1,
    }


def test_every_department_has_as_many_municipalities_as_dane_says() -> None:
    counted = {item.code: len(divipola.municipalities(item.code)) for item in divipola.departments()}
    assert counted == MUNICIPALITIES_BY_DEPARTMENT
    assert sum(counted.values()) == 1122


def test_codes_are_sorted_and_unique() -> None:
    codes = [row["code"] for row in rows()]
    assert codes == sorted(set(codes))


def test_codes_are_two_or_five_digits_and_name_their_department() -> None:
    for department in divipola.departments():
        assert department.code.isdigit()
        assert len(department.code) == 2
        for municipality in divipola.municipalities(department.code):
            assert municipality.code.isdigit()
            assert len(municipality.code) == 5
            assert municipality.code.startswith(department.code)
            assert municipality.department_code == department.code


def test_no_two_municipalities_of_a_department_look_the_same() -> None:
    for department in divipola.departments():
        names = [item.name.casefold() for item in divipola.municipalities(department.code)]
        assert len(names) == len(set(names))


def test_names_are_clean() -> None:
    for row in rows():
        assert row["name"] == " ".join(row["name"].split())
        assert row["name"][0].isupper()
        assert not row["name"].isupper()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("11001", "Bogotá, D.C."),
        ("05001", "Medellín"),
        ("05658", "San José de la Montaña"),
        ("19300", "Guachené"),
        ("27493", "Nuevo Belén de Bajirá"),
        ("52240", "Chachagüí"),
        ("54003", "Ábrego"),
        ("76001", "Santiago de Cali"),
        ("88001", "San Andrés"),
        ("88564", "Providencia"),
        ("91460", "Mirití - Paraná"),
        ("94343", "Barrancominas"),
        ("95001", "San José del Guaviare"),
    ],
)
def test_names_of_municipalities(code: str, name: str) -> None:
    assert divipola.municipality_name(code) == name


@pytest.mark.parametrize("code", ["27086", "94663"])
def test_codes_that_dane_withdrew_are_not_in_the_table(code: str) -> None:
    assert code not in {row["code"] for row in rows()}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("11", "Bogotá, D.C."),
        ("52", "Nariño"),
        ("88", "Archipiélago de San Andrés, Providencia y Santa Catalina"),
    ],
)
def test_names_of_departments(code: str, name: str) -> None:
    assert divipola.department_name(code) == name


@pytest.mark.parametrize(
    ("municipality", "department", "expected"),
    [
        ("11001", "11", True),
        ("05001", "05", True),
        ("05001", "11", False),
        ("05999", "05", False),
        ("05", "05", False),
        ("", "", False),
        ("٠٥٠٠١", "05", False),
    ],
)
def test_a_municipality_belongs_to_its_own_department_alone(
    municipality: str,
    department: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert divipola.is_municipality_of(municipality, department) is expected


def test_an_unknown_department_has_no_municipalities() -> None:
    assert divipola.municipalities("99999") == ()


def test_departments_come_in_spanish_alphabetical_order() -> None:
    names = [department.name for department in divipola.departments()]
    assert names[:6] == [
        "Amazonas",
        "Antioquia",
        "Arauca",
        "Archipiélago de San Andrés, Providencia y Santa Catalina",
        "Atlántico",
        "Bogotá, D.C.",
    ]
    assert names.index("Chocó") < names.index("Córdoba") < names.index("Cundinamarca")


def test_accents_do_not_count_in_the_order() -> None:
    names = [municipality.name for municipality in divipola.municipalities("54")]
    assert names[:2] == ["Ábrego", "Arboledas"]


def test_ene_with_tilde_comes_after_every_n() -> None:
    names = [municipality.name for municipality in divipola.municipalities("05")]
    assert names.index("Campamento") < names.index("Cañasgordas") < names.index("Caracolí")
    assert sorted(["Moñitos", "Montelíbano"], key=divipola._alphabetical) == ["Montelíbano", "Moñitos"]


def test_a_place_is_told_with_its_department() -> None:
    assert divipola.municipality_and_department("05001") == "Medellín, Antioquia"
    assert divipola.municipality_and_department("11001") == "Bogotá, D.C."


@pytest.mark.parametrize(("current", "older"), [("27493", "27086"), ("94885", "94663")])
def test_a_renumbered_municipality_has_both_codes(current: str, older: str) -> None:
    assert divipola.codes_of(current) == divipola.codes_of(older) == (current, older)
    assert divipola.municipality_name(older) == divipola.municipality_name(current)


def test_every_other_municipality_has_one_code() -> None:
    assert divipola.codes_of("11001") == ("11001",)
