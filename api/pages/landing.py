"""Decide what a person sees of each profile after the login."""

from collections.abc import Callable
from dataclasses import dataclass

from mipres.database.sessions import Profile
from mipres.domain.access import CLOSED_WORDS, AccessState, AccessWords
from mipres.domain.divipola import municipality_and_department
from mipres.domain.roles import Role, roles_of, waits_for_a_role
from mipres.domain.submissions import EntityKind
from mipres.mail.dates import long_date

_KINDS = {EntityKind.IPS: "IPS", EntityKind.EPS: "EPS", EntityKind.PROVIDER: "Proveedor"}


@dataclass(frozen=True, kw_only=True)
class ProfileCard:
    """One profile as the landing page shows it.

    Attributes:
        closed: Why the profile opens nothing, and what to do; None while it is in force.
        roles_heading: Whether the roles below are given already or have to be assigned.
        note: What the person must know about the roles, or None.
    """

    title: str
    state: AccessState
    closed: AccessWords | None
    rows: tuple[tuple[str, str], ...]
    roles_heading: str
    roles: tuple[Role, ...]
    note: str | None


def profile_card(profile: Profile) -> ProfileCard:
    waits = waits_for_a_role(profile.user_type)
    note = None
    if waits:
        note = (
            "El registro no trae ningún rol: se lo asigna el delegado de su entidad en el Módulo Administración de "
            "Usuarios."
        )
    elif profile.ends_on:
        note = "El perfil vale solo en esa sede y termina con la plaza."
    rows = (
        ("Tipo de entidad", _shown(profile.entity_kind, lambda kind: _KINDS[EntityKind(kind)])),
        ("Entidad", profile.entity_name),
        ("NIT", profile.entity_nit),
        ("Régimen", _shown(profile.entity_regime, str.capitalize)),
        ("Municipio", _shown(profile.municipality, municipality_and_department)),
        ("Profesión", profile.profession_name),
        ("Registro profesional", profile.professional_registration),
        ("Sede del SSO", profile.site_name),
        (
            "Terminó el" if profile.state is AccessState.ENDED else "Plaza hasta",
            long_date(profile.ends_on) if profile.ends_on else None,
        ),
    )
    return ProfileCard(
        title=profile.user_type.label,
        state=profile.state,
        closed=CLOSED_WORDS[profile.cause] if profile.cause else None,
        rows=tuple((label, value) for label, value in rows if value),
        roles_heading="Roles que le pueden asignar" if waits else "Rol",
        roles=roles_of(profile.user_type),
        note=note,
    )


def _shown(value: str | None, words: Callable[[str], str]) -> str | None:
    return words(value) if value else None
