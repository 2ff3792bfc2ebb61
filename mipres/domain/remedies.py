"""What a refusal compared, and where exactly each person corrects it."""

from dataclasses import dataclass, replace

from mipres.domain import sentences
from mipres.domain.outcomes import REFUSAL_MESSAGES, Refusal, Site
from mipres.domain.submissions import Entity, EntityKind, UserType


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A refusal as one kind of person needs it.

    Attributes:
        title: The manual's sentence.
        compared: What was held against which registry.
        remedy: Where exactly the person corrects it.
        site: The public site where that is done or seen.
        right_form: The type of user that this person registers as instead.
    """

    title: str
    compared: str
    remedy: str
    site: Site | None = None
    right_form: UserType | None = None


def explain_by_mail(
    refusal: Refusal, user_type: UserType | None, *, entity: Entity | None = None, may_wait: bool = False
) -> Explanation:
    """Explain a refusal in a mail, where no button leads back to the form."""
    explained = explain(refusal, user_type, entity=entity, may_wait=may_wait)
    return replace(explained, remedy=explained.remedy.replace(_ON_THE_PAGE, _IN_A_MAIL))


def explain(
    refusal: Refusal, user_type: UserType | None, *, entity: Entity | None = None, may_wait: bool = False
) -> Explanation:
    """Explain a refusal on a page.

    Args:
        refusal: What the registry said.
        user_type: Whom the person registered as; None where no longer known.
        entity: What the person represents; None where the page may not know it.
        may_wait: Whether the registry does not know the person at all.
    """
    message = REFUSAL_MESSAGES[refusal]
    general = Explanation(
        title=message.title, compared=_COMPARED[refusal], remedy=message.remedy, site=message.site
    )
    match refusal, user_type:
        case Refusal.NOT_IN_MISEGURIDADSOCIAL, UserType.DELEGATE:
            return _unknown_delegate(general, entity)
        case Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL, _ if entity:
            return _delegation(general, entity)
        case Refusal.NOT_IN_RETHUS, _ if may_wait:
            return replace(general, compared=_UNKNOWN_TO_RETHUS, remedy=_UNKNOWN_TO_RETHUS_REMEDY)
        case Refusal.PROFESSION_NOT_AUTHORIZED, UserType():
            return _profession(general, user_type)
    return general


def _unknown_delegate(general: Explanation, entity: Entity | None) -> Explanation:
    if entity is None:
        return replace(general, remedy=f"{general.remedy} {_PROVIDER_HINT}")
    if entity.is_natural_person:
        return replace(general, compared=_PROVIDER_COMPARED, remedy=_PROVIDER_REMEDY)
    return general


def _delegation(general: Explanation, entity: Entity) -> Explanation:
    if entity.kind is EntityKind.EPS:
        return replace(general, compared=_EPS_COMPARED, remedy=_EPS_REMEDY)
    kind = "IPS" if entity.kind is EntityKind.IPS else "proveedor con NIT"
    return replace(general, compared=_ENTITY_COMPARED.format(kind), remedy=_ENTITY_REMEDY.format(kind))


def _profession(general: Explanation, user_type: UserType) -> Explanation:
    compared, remedy = _PROFESSIONS[user_type]
    right_form = UserType.PROFESSIONAL if user_type is UserType.OTHER else UserType.OTHER
    explained = replace(general, compared=compared, remedy=remedy, right_form=right_form)
    # A placement is corrected in an application that has no public page.
    return replace(explained, site=None) if user_type is UserType.SOCIAL_SERVICE else explained


_COMPARED = {
    Refusal.NOT_IN_MISEGURIDADSOCIAL: "Buscamos en www.miseguridadsocial.gov.co una persona con este tipo y número de identificación, y no figura.",
    Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL: "Comparamos el tipo de entidad, el régimen si es una EPS, el NIT y el documento del delegado con los delegados que registró el representante legal en www.miseguridadsocial.gov.co.",
    Refusal.NOT_IN_RETHUS: "Comparamos el tipo y número de identificación y el registro profesional con ReTHUS: no figura ese documento con ese registro profesional.",
    Refusal.SANCTIONED: "Consultamos en ReTHUS las sanciones que están vigentes hoy para este documento.",
    Refusal.PROFESSION_NOT_AUTHORIZED: "Comparamos la profesión que reportan los registros del Estado con las que corresponden a este tipo de usuario.",
    Refusal.NOT_IN_SSO: "Buscamos para este tipo y número de identificación una plaza de Servicio Social Obligatorio vigente hoy en el aplicativo del Ministerio, y no figura.",
    Refusal.NO_VALID_EMAIL: "Leímos el correo electrónico que figura en www.miseguridadsocial.gov.co para este tipo y número de identificación: falta o no es una dirección a la que se pueda escribir.",
    Refusal.DATA_ERASED: "Comparamos la fecha de este registro con la de la solicitud de supresión.",
    Refusal.DOCUMENT_REPLACED: "Comparamos su documento con los que soporte reemplazó a petición de su titular.",
}
_ON_THE_PAGE = "aquí con «Corregir los datos»"
_IN_A_MAIL = "al repetir el registro"
_PROVIDER_COMPARED = "Comparamos el departamento, el municipio y el tipo y número de identificación con los proveedores sin NIT que figuran en www.miseguridadsocial.gov.co."
_PROVIDER_REMEDY = f"Un proveedor sin NIT se registra con el departamento y el municipio en los que figura allí: si es otro municipio, corríjalo {_ON_THE_PAGE}. Si no figura en ninguno, regístrese primero en www.miseguridadsocial.gov.co y luego repita este registro. Si tiene NIT, corrija la respuesta a «Sí» y escríbalo."
_PROVIDER_HINT = (
    "Un proveedor sin NIT revisa también que el departamento y el municipio sean los que figuran allí."
)
_EPS_COMPARED = "Comparamos el NIT de la EPS, el régimen y el documento del delegado con los delegados que registró el representante legal en www.miseguridadsocial.gov.co."
_EPS_REMEDY = f"Pida al representante legal de la EPS que confirme allí el régimen y que lo registre como Delegado Administrativo MIPRES con este NIT y este documento: la misma EPS tiene un delegado en cada régimen. Si usted es el delegado del otro régimen, corríjalo {_ON_THE_PAGE}."
_ENTITY_COMPARED = "Comparamos el NIT y el documento del delegado con los delegados que el representante legal registró como {} en www.miseguridadsocial.gov.co."
_ENTITY_REMEDY = f"Pida al representante legal de la entidad que lo registre allí como Delegado Administrativo MIPRES, como {{}}, con este NIT y este documento, y luego repita este registro. Si el tipo de entidad o el NIT no son los suyos, corríjalos {_ON_THE_PAGE}."
_UNKNOWN_TO_RETHUS = "Buscamos en ReTHUS este tipo y número de identificación, y todavía no figura."
_UNKNOWN_TO_RETHUS_REMEDY = "Si el documento está bien escrito, pida la inscripción o la corrección en ReTHUS al colegio profesional o a la entidad que le otorgó el registro; puede tardar hasta 15 días."
_PROFESSIONS = {
    UserType.PROFESSIONAL: (
        "Comparamos la profesión que ReTHUS reporta para este registro profesional con las que prescriben, y no es una de ellas.",
        f"{sentences.PRESCRIBERS} {sentences.PROFESSION_IN_RETHUS}",
    ),
    UserType.OTHER: (
        "Comparamos las profesiones que ReTHUS reporta para este documento con las que prescriben: por lo menos una lo es o puede serlo.",
        f"{sentences.PRESCRIBERS} {sentences.PROFESSION_IN_RETHUS}",
    ),
    UserType.SOCIAL_SERVICE: (
        "Comparamos la profesión de su plaza de Servicio Social Obligatorio con las que prescriben, y no es una de ellas.",
        f"{sentences.PRESCRIBERS} Si la profesión de la plaza está mal registrada, pida la corrección a la entidad que se la asignó, en el aplicativo Servicio Social Obligatorio del Ministerio.",
    ),
    UserType.DELEGATE: (_COMPARED[Refusal.PROFESSION_NOT_AUTHORIZED], sentences.PRESCRIBERS),
}
