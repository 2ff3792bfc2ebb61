import pytest

from mipres.domain.roles import Role, roles_of, waits_for_a_role
from mipres.domain.submissions import UserType


def test_each_type_of_user_has_the_roles_of_the_manual() -> None:
    assert {user_type: [role.label for role in roles_of(user_type)] for user_type in UserType} == {
        UserType.DELEGATE: ["Administrador de Usuarios"],
        UserType.PROFESSIONAL: ["Prescripción"],
        UserType.SOCIAL_SERVICE: ["Prescripción en la sede de la plaza"],
        UserType.OTHER: ["Admisión", "Dispensador", "Transcriptor IPS"],
    }


def test_only_another_user_waits_for_a_role() -> None:
    assert [user_type for user_type in UserType if waits_for_a_role(user_type)] == [UserType.OTHER]


@pytest.mark.parametrize("role", Role)
def test_every_role_says_what_it_allows_and_who_gives_it(role: Role) -> None:
    assert role.label
    for sentence in (role.allows, role.given_by):
        assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("role", "manual"),
    [
        (Role.ADMISSION, "el estado de afiliación del paciente antes de su atención por un profesional de la salud"),
        (Role.DISPENSER, "la dispensación y/o entrega de tecnologías en salud, con la finalidad de garantizar la entrega del suministro efectivo"),
        (Role.IPS_TRANSCRIBER, "Procedimientos Odontológicos para el monitoreo de financiación UPC detallados en la Circular 003 de 2024, para los pacientes que requirieron la tecnología"),
    ],
)  # fmt: skip
def test_the_roles_of_another_user_are_told_in_the_manuals_words(role: Role, manual: str) -> None:
    assert manual in role.allows
