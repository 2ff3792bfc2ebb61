"""What a person sees of each profile: a table, without any HTML."""

from dataclasses import replace
from datetime import date

import pytest
from starlette.requests import Request

from api.answers import Placement
from api.pages.landing import profile_card
from mipres.database.sessions import Profile
from mipres.domain.access import CLOSED_WORDS, AccessCause, AccessState
from mipres.domain.roles import roles_of
from mipres.domain.submissions import UserType
from tests.templating import make_pages

BARE = Profile(
    user_type=UserType.OTHER,
    entity_name=None,
    entity_kind=None,
    entity_regime=None,
    entity_nit=None,
    municipality=None,
    profession_name=None,
    professional_registration=None,
    site_name=None,
    ends_on=None,
)
PLACEMENT = replace(
    BARE,
    user_type=UserType.SOCIAL_SERVICE,
    profession_name="Medicina",
    site_name="Hospital de Ejemplo",
    ends_on=date(2027, 5, 31),
)


@pytest.mark.parametrize(
    ("profile", "rows"),
    [
        (BARE, []),
        (
            replace(
                BARE,
                user_type=UserType.DELEGATE,
                entity_kind="EPS",
                entity_name="Salud de Ejemplo",
                entity_nit="900123456",
                entity_regime="CONTRIBUTIVO",
            ),
            [
                ("Tipo de entidad", "EPS"),
                ("Entidad", "Salud de Ejemplo"),
                ("NIT", "900123456"),
                ("Régimen", "Contributivo"),
            ],
        ),
        (
            replace(BARE, user_type=UserType.DELEGATE, entity_kind="PROVIDER", municipality="05001"),
            [("Tipo de entidad", "Proveedor"), ("Municipio", "Medellín, Antioquia")],
        ),
        (
            replace(
                BARE,
                user_type=UserType.PROFESSIONAL,
                profession_name="Medicina",
                professional_registration="76-1234",
            ),
            [("Profesión", "Medicina"), ("Registro profesional", "76-1234")],
        ),
        (
            PLACEMENT,
            [
                ("Profesión", "Medicina"),
                ("Sede del SSO", "Hospital de Ejemplo"),
                ("Plaza hasta", "31 de mayo de 2027"),
            ],
        ),
    ],
)
def test_a_card_has_a_row_for_each_fact_that_is_known(profile: Profile, rows: list[tuple[str, str]]) -> None:
    assert list(profile_card(profile).rows) == rows


@pytest.mark.parametrize("user_type", UserType)
def test_a_card_names_the_roles_of_its_type(user_type: UserType) -> None:
    card = profile_card(replace(BARE, user_type=user_type))
    assert (card.title, card.roles) == (user_type.label, roles_of(user_type))
    waits = user_type is UserType.OTHER
    assert (card.roles_heading, card.note is not None) == (
        "Roles que le pueden asignar" if waits else "Rol",
        waits,
    )


def test_a_placement_says_that_it_ends_and_when_it_has_ended() -> None:
    assert "termina con la plaza" in str(profile_card(PLACEMENT).note)
    ended = profile_card(replace(PLACEMENT, state=AccessState.ENDED, cause=AccessCause.PLACEMENT_OVER))
    assert ended.closed == CLOSED_WORDS[AccessCause.PLACEMENT_OVER]
    assert ("Terminó el", "31 de mayo de 2027") in ended.rows


@pytest.mark.parametrize(("site_name", "is_named"), [("Hospital de Ejemplo", True), ("", False)])
def test_a_placement_that_ended_names_its_site_where_the_registry_does(
    site_name: str, *, is_named: bool
) -> None:
    placement = Placement(site_name=site_name, last_day=date(2026, 11, 26))
    request = Request({"type": "http", "headers": [], "path": "/", "query_string": b""})
    page = make_pages().render(request, "placement_ended", placement=placement, right=())
    text = " ".join(bytes(page.body).decode().split())
    assert "terminó con la plaza, el 26 de noviembre de 2026" in text
    assert ("ligado a la sede" in text) is is_named
    assert "<strong></strong>" not in text
