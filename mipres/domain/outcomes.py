"""How a registration can come out, and every sentence of the manual that tells it."""

from dataclasses import dataclass
from enum import StrEnum

from mipres.domain import sentences


class Refusal(StrEnum):
    """Why a registration is refused. Values are the stable codes of the JSON API."""

    NOT_IN_MISEGURIDADSOCIAL = "not_in_miseguridadsocial"
    ENTITY_NOT_IN_MISEGURIDADSOCIAL = "entity_not_in_miseguridadsocial"
    NOT_IN_RETHUS = "not_in_rethus"
    SANCTIONED = "sanctioned"
    PROFESSION_NOT_AUTHORIZED = "profession_not_authorized"
    NOT_IN_SSO = "not_in_sso"
    NO_VALID_EMAIL = "no_valid_email"
    DATA_ERASED = "data_erased"
    DOCUMENT_REPLACED = "document_replaced"


class OutcomeStatus(StrEnum):
    """The first answer that a registration gives."""

    REGISTERED = "registered"
    UPDATED = "updated"
    REFUSED = "refused"
    IN_PROGRESS = "in_progress"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The first answer of a registration.

    `email_hint` is masked; `refusal` only stands with REFUSED, and `may_wait` where the registry may
    still learn of the person.
    """

    status: OutcomeStatus
    refusal: Refusal | None = None
    email_hint: str | None = None
    may_wait: bool = False

    @property
    def code(self) -> str:
        """`registered`, `updated`, `in_progress`, or the code of the refusal."""
        return self.refusal or self.status


@dataclass(frozen=True, kw_only=True)
class Site:
    """A public site of the State, where people see or correct what it says about them."""

    name: str
    address: str


_MISEGURIDADSOCIAL = Site(name="www.miseguridadsocial.gov.co", address="https://www.miseguridadsocial.gov.co")
RETHUS_SITE = Site(
    name="la consulta pública de ReTHUS",
    address="https://web.sispro.gov.co/THS/Cliente/ConsultasPublicas/ConsultaPublicaDeTHxIdentificacion.aspx",
)


@dataclass(frozen=True, kw_only=True)
class RefusalMessage:
    """The manual's sentence (`title`), what the person can do, and on which site."""

    title: str
    remedy: str
    site: Site | None = None


REFUSAL_MESSAGES: dict[Refusal, RefusalMessage] = {
    Refusal.NOT_IN_MISEGURIDADSOCIAL: RefusalMessage(
        title="El usuario no se encuentra registrado en www.miseguridadsocial.gov.co. Por favor verifique antes de realizar el registro",
        remedy="Regístrese primero en www.miseguridadsocial.gov.co con el mismo tipo y número de identificación y luego repita este registro.",
        site=_MISEGURIDADSOCIAL,
    ),
    Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL: RefusalMessage(
        title="Usuario no registrado como persona jurídica en www.miseguridadsocial.gov.co",
        remedy="Pida al representante legal de la entidad que lo registre como Delegado Administrativo MIPRES en www.miseguridadsocial.gov.co, con este NIT y este documento, y luego repita este registro.",
        site=_MISEGURIDADSOCIAL,
    ),
    Refusal.NOT_IN_RETHUS: RefusalMessage(
        title="Profesional no encontrado en RETHUS",
        remedy="Verifique el tipo y número de identificación y el registro profesional. Si están bien escritos, pida la inscripción o la corrección en ReTHUS al colegio profesional o a la entidad que le otorgó el registro; puede tardar hasta 15 días.",
        site=RETHUS_SITE,
    ),
    Refusal.SANCTIONED: RefusalMessage(
        title="El profesional se encuentra sancionado",
        remedy=f"ReTHUS reporta una sanción vigente para el ejercicio de su profesión. {sentences.ASK_THE_TRIBUNAL}; cuando termine, podrá repetir este registro.",
        site=RETHUS_SITE,
    ),
    Refusal.PROFESSION_NOT_AUTHORIZED: RefusalMessage(
        title="La profesión registrada no corresponde a este tipo de usuario",
        remedy=f"{sentences.PRESCRIBERS} Si su profesión está mal registrada, pida la corrección en ReTHUS o, para una plaza de Servicio Social Obligatorio, en el aplicativo del Ministerio.",
        site=RETHUS_SITE,
    ),
    Refusal.NOT_IN_SSO: RefusalMessage(
        title="Profesional no encontrado en SSO",
        remedy="Verifique su documento y que su plaza de Servicio Social Obligatorio esté asignada y activa hoy en el aplicativo Servicio Social Obligatorio del Ministerio.",
    ),
    # The manual has no sentence for it: it takes for granted that the registry's address can be written to.
    Refusal.NO_VALID_EMAIL: RefusalMessage(
        title="El usuario no tiene un correo electrónico válido en www.miseguridadsocial.gov.co",
        remedy="Su registro necesita un correo electrónico al que podamos enviarle el enlace para crear la contraseña. Actualícelo en www.miseguridadsocial.gov.co, con una sola dirección de correo, y repita el registro.",
        site=_MISEGURIDADSOCIAL,
    ),
    # No registry says it: the person's own request was carried out while the registration was under way.
    Refusal.DATA_ERASED: RefusalMessage(
        title="Los datos de este documento se suprimieron después de enviar este registro",
        remedy=f"Se atendió una solicitud de supresión de datos: {sentences.NO_ACCOUNT}. Si quiere registrarse, envíe de nuevo el formulario.",
    ),
    Refusal.DOCUMENT_REPLACED: RefusalMessage(
        title="Este documento fue reemplazado por otro",
        remedy="Soporte unió la cuenta de este documento a la de su documento nuevo: no se creó nada. Regístrese o ingrese con el documento nuevo.",
    ),
}

FILL_ALL_FIELDS = "Diligencie todos los campos"
REGISTRATION_SUCCESSFUL = "REGISTRO SATISFACTORIO"
DATA_UPDATED = "Datos del usuario actualizados satisfactoriamente"
USE_FIRST_CREDENTIALS = (
    "Auténtiquese con las credenciales de acceso creadas al realizar su registro por primera vez"
)
LINK_WILL_BE_SENT = "Al correo electrónico registrado en www.miseguridadsocial.gov.co, se le enviará el enlace que le permitirá crear la contraseña de ingreso al aplicativo MIPRES No UPC y/o al Módulo Administración de Usuarios, según corresponda"
IN_PROGRESS = "Su registro está en proceso"


def message_of(outcome: Outcome) -> str:
    """The sentence that tells an outcome, as the web pages and the JSON API say it."""
    match outcome.status:
        case OutcomeStatus.REGISTERED:
            return f"{REGISTRATION_SUCCESSFUL}. {LINK_WILL_BE_SENT}"
        case OutcomeStatus.UPDATED:
            return f"{DATA_UPDATED}. {USE_FIRST_CREDENTIALS}"
        case OutcomeStatus.IN_PROGRESS:
            return IN_PROGRESS
        case OutcomeStatus.REFUSED:
            if outcome.refusal is None:
                raise ValueError("a refused outcome names its refusal")
            return REFUSAL_MESSAGES[outcome.refusal].title


def mask_email(address: str) -> str:
    """`juan@hospital.gov.co` becomes `j•••@h•••.co`.

    Enough to recognise, too little to learn.
    """
    local, _, domain = address.partition("@")
    head, _, top = domain.rpartition(".")
    return f"{local[:1]}•••@{head[:1]}•••.{top}"
