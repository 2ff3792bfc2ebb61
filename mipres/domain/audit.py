"""What the trail records for good.

Who did what, to which registration, when and why. Nothing personal.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from mipres.domain.errors import MipresError

MINIMUM_REASON = 10
MAXIMUM_REASON = 300


class AuditEventType(StrEnum):
    """Every business event that leaves a trace; `label` is how people read it."""

    label: str

    def __new__(cls, value: str, label: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    REGISTRATION_SUBMITTED = "registration_submitted", "Registro solicitado"
    REGISTRATION_REFUSED = "registration_refused", "Registro no procedente"
    REGISTRATION_DISCARDED = "registration_discarded", "Registro deshecho"
    REGISTRATION_GIVEN_UP = "registration_given_up", "Registro sin terminar"
    ACCOUNT_CREATED = "account_created", "Cuenta creada"
    ACCOUNT_UPDATED = "account_updated", "Datos de la cuenta actualizados"
    LINK_ISSUED = "link_issued", "Enlace emitido"
    LINK_USED = "link_used", "Enlace usado"
    LINK_EXPIRED = "link_expired", "Enlace vencido"
    PASSWORD_SET = "password_set", "Contraseña creada o cambiada"
    RECOVERY_ASKED = "recovery_asked", "Recuperación de contraseña pedida"
    ADDRESS_CHANGE_FOUND = "address_change_found", "Cambio de correo encontrado"
    ADDRESS_CHANGED = "address_changed", "Correo cambiado"
    ADDRESS_CHANGE_STOPPED = "address_change_stopped", "Cambio de correo detenido por la persona"
    ADDRESS_CHANGE_WITHDRAWN = "address_change_withdrawn", "Cambio de correo retirado"
    LOGIN_SUCCEEDED = "login_succeeded", "Ingreso"
    LOGIN_FAILED = "login_failed", "Ingreso fallido"
    LOGIN_LOCKED = "login_locked", "Ingreso bloqueado"
    LOGOUT = "logout", "Salida"
    RESEND_ASKED = "resend_asked", "Reenvío del enlace pedido"
    WAIT_ASKED = "wait_asked", "Espera de un registro pedida"
    WAIT_STOPPED = "wait_stopped", "Espera de un registro terminada por la persona"
    RETRY_ASKED = "retry_asked", "Reintento pedido"
    CANCEL_ASKED = "cancel_asked", "Cancelación pedida"
    UNLOCKED = "unlocked", "Usuario desbloqueado"
    ACCOUNT_SUSPENDED = "account_suspended", "Cuenta suspendida"
    ACCOUNT_REINSTATED = "account_reinstated", "Cuenta abierta otra vez"
    ACCOUNT_REPLACED = "account_replaced", "Cuenta unida a la del nuevo documento"
    ACCOUNT_JOINED = "account_joined", "Cuenta del documento anterior recibida"
    PROFILE_SUSPENDED = "profile_suspended", "Perfil suspendido"
    PROFILE_REINSTATED = "profile_reinstated", "Perfil vigente otra vez"
    PROFILE_ENDED = "profile_ended", "Perfil terminado"
    PLACEMENT_CHANGED = "placement_changed", "Sede de la plaza cambiada"
    REVIEW_STOPPED = "review_stopped", "Revisión de accesos detenida"
    REVIEW_GO_ON_ASKED = "review_go_on_asked", "Pedido que la revisión de accesos siga"
    REVIEW_STOP_ASKED = "review_stop_asked", "Pedido que la revisión de accesos se abandone"
    SECOND_FACTOR_CHANGED = "second_factor_changed", "Segundo factor cambiado"
    SECOND_FACTOR_FAILED = "second_factor_failed", "Segundo factor fallido"
    FACTOR_RESET_ASKED = "factor_reset_asked", "Restablecimiento del segundo factor pedido"
    FACTOR_RESET_DONE = "factor_reset_done", "Segundo factor quitado después de su plazo"
    FACTOR_RESET_STOPPED = (
        "factor_reset_stopped",
        "Restablecimiento del segundo factor detenido por la persona",
    )
    FACTOR_RESET_WITHDRAWN = "factor_reset_withdrawn", "Restablecimiento del segundo factor retirado"
    SESSIONS_ENDED = "sessions_ended", "Sesiones cerradas"
    DATA_VIEWED = "data_viewed", "Datos de una persona consultados por soporte"
    PAYLOAD_REFUSED = "payload_refused", "Dato ajeno rechazado en Temporal"
    REASON_SEALED = "reason_sealed", "Motivo firmado para la interfaz de Temporal"
    PAYLOADS_DECODED = "payloads_decoded", "Datos cifrados leídos por soporte"
    CODEC_KEY_ISSUED = "codec_key_issued", "Clave de lectura emitida"
    STAFF_LOGIN_SUCCEEDED = "staff_login_succeeded", "Ingreso de soporte"
    STAFF_LOGIN_FAILED = "staff_login_failed", "Ingreso de soporte fallido"
    STAFF_LOGIN_LOCKED = "staff_login_locked", "Ingreso de soporte bloqueado"
    STAFF_LOGOUT = "staff_logout", "Salida de soporte"
    STAFF_CHANGED = "staff_changed", "Cuenta de soporte creada o cambiada"
    APPLICATION_CHANGED = "application_changed", "Aplicación creada o cambiada"
    APPLICATION_ALLOWED = "application_allowed", "Datos autorizados a una aplicación"
    APPLICATION_WITHDRAWN = "application_withdrawn", "Autorización a una aplicación retirada"
    APPLICATION_LOGIN_REPLAYED = (
        "application_login_replayed",
        "Una aplicación presentó otra vez una credencial ya usada",
    )
    APPLICATION_LOGOUT_NOT_TAKEN = (
        "application_logout_not_taken",
        "Una aplicación no recibió el aviso de una salida",
    )
    KEYS_ROTATED = "keys_rotated", "Claves de cifrado rotadas"
    PERSON_EXPORTED = "person_exported", "Datos de la persona entregados"
    PERSON_ERASED = "person_erased", "Datos de la persona suprimidos"


CITIZEN = "citizen"
"""The person of the registration, in a browser."""
PROGRAM = "program"
"""A client of the JSON API whose key has no name."""
PRODUCT = "product"
"""The product by itself: a workflow's step or its deadline."""


def staff(name: str) -> str:
    """A person of support, logged in at /soporte."""
    return f"staff:{name}"


def operator(name: str, *, account: str | None = None) -> str:
    """The person who runs a command.

    Args:
        name: The account of the operating system, or the name given with --as.
        account: The account, where it is another one: anybody can type a name.
    """
    return f"operator:{name}" if account in {None, name} else f"operator:{name} ({account})"


def program(name: str | None) -> str:
    """A client of the JSON API, by the name of its key."""
    return f"{PROGRAM}:{name}" if name else PROGRAM


class ReasonRefusedError(MipresError):
    """A reason is missing, too short, too long, or holds what must not be kept."""


# A document or a telephone, and an address: the trail outlives the person's data, so they stay out.
_PERSONAL = re.compile(r"\d(?:[ .]?\d){6,}|\S+@\S+\.\S+")


def checked_reason(text: str) -> str:
    """The reason of an action, as the trail records it.

    Raises:
        ReasonRefusedError: with the Spanish sentence to show.
    """
    reason = " ".join(text.split())
    if len(reason) < MINIMUM_REASON:
        raise ReasonRefusedError(f"Escriba el motivo con al menos {MINIMUM_REASON} caracteres")
    if len(reason) > MAXIMUM_REASON:
        raise ReasonRefusedError(f"El motivo debe tener como máximo {MAXIMUM_REASON} caracteres")
    if not reason.isprintable():
        raise ReasonRefusedError("El motivo tiene caracteres que no se pueden leer")
    if _PERSONAL.search(reason):
        raise ReasonRefusedError(
            "El motivo se conserva para siempre: escríbalo sin documentos, teléfonos ni correos"
        )
    return reason


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """Something that happened.

    Attributes:
        reference: The radicado, or the reference of a recovery.
        login: Whose account it was. Only a keyed hash of it is stored.
        person: That hash, where the trail itself is all that names the person.
        details: Codes and counts, never personal data.
    """

    type: AuditEventType
    actor: str
    reference: str | None = None
    login: str | None = None
    person: str | None = None
    reason: str | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """An event as it stands in the trail.

    `type` is text: an older release knows fewer events.
    """

    number: int
    occurred_at: datetime
    type: str
    actor: str
    reference: str | None
    reason: str | None
    details: Mapping[str, str | int]

    @property
    def label(self) -> str:
        return next((event.label for event in AuditEventType if event.value == self.type), self.type)


@dataclass(frozen=True, kw_only=True)
class AuditHead:
    """The newest row: noted elsewhere, it proves that nothing before it was cut off."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


@dataclass(frozen=True, kw_only=True)
class AuditVerdict:
    """What checking the whole trail found.

    Attributes:
        checked: Rows that are as they were written.
        head: The last of them; None for an empty trail.
        broken_at: Number of the first row that is not, or None.
        problem: What is wrong there, in Spanish.
        missing_key: Id of the key without which that row cannot be checked, or None.
    """

    checked: int
    head: AuditHead | None = None
    broken_at: int | None = None
    problem: str | None = None
    missing_key: str | None = None

    @property
    def is_intact(self) -> bool:
        return self.broken_at is None
