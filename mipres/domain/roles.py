"""Section 9.1 of the manual.

What each type of user may do, and who gives the role.
"""

from dataclasses import dataclass
from enum import StrEnum

from mipres.domain.submissions import UserType


class Role(StrEnum):
    """What a person does in MIPRES.

    A profile comes with one, or waits for one to be assigned.
    """

    USER_ADMINISTRATOR = "user_administrator"
    PRESCRIBER = "prescriber"
    SITE_PRESCRIBER = "site_prescriber"
    ADMISSION = "admission"
    DISPENSER = "dispenser"
    IPS_TRANSCRIBER = "ips_transcriber"

    @property
    def label(self) -> str:
        return _RULES[self].label

    @property
    def allows(self) -> str:
        """What the role is for, in the manual's words."""
        return _RULES[self].allows

    @property
    def given_by(self) -> str:
        """Who gives it."""
        return _RULES[self].given_by


@dataclass(frozen=True, kw_only=True)
class _RoleRule:
    label: str
    allows: str
    given_by: str


_GIVEN_BY_IPS = "Lo asignan las Instituciones Prestadoras de Servicios de Salud - IPS."
_RULES = {
    Role.USER_ADMINISTRATOR: _RoleRule(
        label="Administrador de Usuarios",
        allows="Garantiza la activación de las funcionalidades correspondientes para cada actor: valida a los usuarios de su entidad, los activa o inactiva y les asigna el rol.",
        given_by="Lo designa el representante legal de la entidad.",
    ),
    Role.PRESCRIBER: _RoleRule(
        label="Prescripción",
        allows="Prescribe y reporta las tecnologías en salud no financiadas con recursos de la UPC, así como los servicios complementarios.",
        given_by="Lo activa el delegado de la IPS a la que está vinculado o, si es independiente, el de la EPS.",
    ),
    Role.SITE_PRESCRIBER: _RoleRule(
        label="Prescripción en la sede de la plaza",
        allows="Prescribe y reporta las tecnologías en salud no financiadas con recursos de la UPC o los servicios complementarios, solo en la sede asignada para realizar el Servicio Social Obligatorio y durante la vigencia del mismo.",
        given_by="Lo activa el delegado de la entidad de la plaza.",
    ),
    Role.ADMISSION: _RoleRule(
        label="Admisión",
        allows="Consulta el estado de afiliación del paciente antes de su atención por un profesional de la salud.",
        given_by=_GIVEN_BY_IPS,
    ),
    Role.DISPENSER: _RoleRule(
        label="Dispensador",
        allows="Registra y consulta la dispensación y/o entrega de tecnologías en salud, con la finalidad de garantizar la entrega del suministro efectivo.",
        given_by="Lo asignan los proveedores de servicios y tecnologías, las IPS o los profesionales de salud independientes.",
    ),
    Role.IPS_TRANSCRIBER: _RoleRule(
        label="Transcriptor IPS",
        allows="Registra la información de los Procedimientos Odontológicos para el monitoreo de financiación UPC detallados en la Circular 003 de 2024, para los pacientes que requirieron la tecnología.",
        given_by=_GIVEN_BY_IPS,
    ),
}

_ROLES = {
    UserType.DELEGATE: (Role.USER_ADMINISTRATOR,),
    UserType.PROFESSIONAL: (Role.PRESCRIBER,),
    UserType.SOCIAL_SERVICE: (Role.SITE_PRESCRIBER,),
    UserType.OTHER: (Role.ADMISSION, Role.DISPENSER, Role.IPS_TRANSCRIBER),
}
_ASSIGNED_LATER = frozenset({UserType.OTHER})


def roles_of(user_type: UserType) -> tuple[Role, ...]:
    """The roles that this type of user has, or can be given."""
    return _ROLES[user_type]


def waits_for_a_role(user_type: UserType) -> bool:
    """Whether registering gives none of the roles.

    The delegate of an entity assigns them later.
    """
    return user_type in _ASSIGNED_LATER
