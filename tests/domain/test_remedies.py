"""Each type of user × each refusal: what was compared, the way on, the form."""

import pytest

from mipres.domain.outcomes import REFUSAL_MESSAGES, Refusal
from mipres.domain.remedies import explain, explain_by_mail
from mipres.domain.submissions import Entity, EntityKind, Regime, UserType

DELEGATE, PROFESSIONAL = UserType.DELEGATE, UserType.PROFESSIONAL
SOCIAL_SERVICE, OTHER = UserType.SOCIAL_SERVICE, UserType.OTHER
IPS = Entity(kind=EntityKind.IPS, nit="900123456")
EPS = Entity(kind=EntityKind.EPS, regime=Regime.SUBSIDIADO, nit="900123456")
COMPANY = Entity(kind=EntityKind.PROVIDER, nit="900123456")
PERSON = Entity(kind=EntityKind.PROVIDER, department="05", municipality="05001")

Row = tuple[Refusal, UserType, Entity | None, bool, str, str, UserType | None]
# (refusal, type of user, entity, whether the registry may learn of the person, what was compared, the way on, the form)
TABLE: list[Row] = [
    (Refusal.NOT_IN_MISEGURIDADSOCIAL, PROFESSIONAL, None, False, "Buscamos en www.miseguridadsocial.gov.co una persona con este tipo y número", "Regístrese primero en www.miseguridadsocial.gov.co", None),
    (Refusal.NOT_IN_MISEGURIDADSOCIAL, SOCIAL_SERVICE, None, False, "Buscamos en www.miseguridadsocial.gov.co una persona con este tipo y número", "Regístrese primero en www.miseguridadsocial.gov.co", None),
    (Refusal.NOT_IN_MISEGURIDADSOCIAL, OTHER, None, False, "Buscamos en www.miseguridadsocial.gov.co una persona con este tipo y número", "Regístrese primero en www.miseguridadsocial.gov.co", None),
    (Refusal.NOT_IN_MISEGURIDADSOCIAL, DELEGATE, PERSON, False, "Comparamos el departamento, el municipio", "si es otro municipio, corríjalo aquí", None),
    (Refusal.NOT_IN_MISEGURIDADSOCIAL, DELEGATE, IPS, False, "Buscamos en www.miseguridadsocial.gov.co una persona con este tipo y número", "Regístrese primero en www.miseguridadsocial.gov.co", None),
    (Refusal.NOT_IN_MISEGURIDADSOCIAL, DELEGATE, None, False, "Buscamos en www.miseguridadsocial.gov.co una persona", "Un proveedor sin NIT revisa también", None),
    (Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL, DELEGATE, IPS, False, "Comparamos el NIT y el documento del delegado con los delegados que el representante legal registró como IPS", "Pida al representante legal de la entidad que lo registre allí como Delegado Administrativo MIPRES, como IPS", None),
    (Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL, DELEGATE, COMPANY, False, "registró como proveedor con NIT", "como proveedor con NIT, con este NIT", None),
    (Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL, DELEGATE, EPS, False, "Comparamos el NIT de la EPS, el régimen y el documento", "Pida al representante legal de la EPS que confirme allí el régimen", None),
    (Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL, DELEGATE, None, False, "Comparamos el tipo de entidad, el régimen si es una EPS, el NIT", "Pida al representante legal de la entidad", None),
    (Refusal.NOT_IN_RETHUS, PROFESSIONAL, None, False, "no figura ese documento con ese registro profesional", "Verifique el tipo y número de identificación y el registro profesional", None),
    (Refusal.NOT_IN_RETHUS, PROFESSIONAL, None, True, "este tipo y número de identificación, y todavía no figura", "pida la inscripción o la corrección en ReTHUS", None),
    (Refusal.SANCTIONED, PROFESSIONAL, None, False, "las sanciones que están vigentes hoy", "Consulte con el tribunal o la autoridad que la impuso", None),
    (Refusal.PROFESSION_NOT_AUTHORIZED, PROFESSIONAL, None, False, "la profesión que ReTHUS reporta para este registro profesional", "pida la corrección en ReTHUS", OTHER),
    (Refusal.PROFESSION_NOT_AUTHORIZED, OTHER, None, False, "por lo menos una lo es o puede serlo", "pida la corrección en ReTHUS", PROFESSIONAL),
    (Refusal.PROFESSION_NOT_AUTHORIZED, SOCIAL_SERVICE, None, False, "la profesión de su plaza", "pida la corrección a la entidad que se la asignó", OTHER),
    (Refusal.NOT_IN_SSO, SOCIAL_SERVICE, None, True, "una plaza de Servicio Social Obligatorio vigente hoy", "su plaza de Servicio Social Obligatorio esté asignada", None),
    *((Refusal.NO_VALID_EMAIL, user_type, None, False, "el correo electrónico que figura en www.miseguridadsocial.gov.co", "Actualícelo en www.miseguridadsocial.gov.co", None) for user_type in UserType),
    *((Refusal.DOCUMENT_REPLACED, user_type, None, False, "los que soporte reemplazó", "con el documento nuevo", None) for user_type in UserType),
    *((Refusal.DATA_ERASED, user_type, None, False, "la solicitud de supresión", "envíe de nuevo el formulario", None) for user_type in UserType),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_refusal_says_what_was_compared_and_where_to_correct_it(row: Row) -> None:
    refusal, user_type, entity, may_wait, compared, remedy, right_form = row
    explained = explain(refusal, user_type, entity=entity, may_wait=may_wait)
    assert explained.title == REFUSAL_MESSAGES[refusal].title
    assert compared in explained.compared
    assert remedy in explained.remedy
    assert explained.right_form is right_form


def test_the_table_has_every_refusal() -> None:
    assert {row[0] for row in TABLE} == set(Refusal)


@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize("user_type", [*UserType, None])
def test_no_kind_of_person_is_left_without_a_way_on(refusal: Refusal, user_type: UserType | None) -> None:
    explained = explain(refusal, user_type)
    assert explained.compared.endswith(".")
    assert explained.remedy.endswith(".")


def test_a_placement_is_not_corrected_in_rethus() -> None:
    explained = explain(Refusal.PROFESSION_NOT_AUTHORIZED, SOCIAL_SERVICE)
    assert explained.site is None
    assert "ReTHUS" not in explained.remedy


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_mail_points_to_no_button_of_a_page(row: Row) -> None:
    refusal, user_type, entity, may_wait, compared, _, _ = row
    explained = explain_by_mail(refusal, user_type, entity=entity, may_wait=may_wait)
    assert compared in explained.compared
    assert "aquí" not in explained.remedy
    assert "{" not in explained.remedy
