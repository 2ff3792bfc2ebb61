"""What a person may enter now, decided in one place.

`today` is the calendar date in Bogotá.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from mipres.domain import sentences
from mipres.domain.accounts import AccountContact
from mipres.domain.applications import Application, application_of
from mipres.domain.eligibility import has_ended
from mipres.domain.submissions import UserType


class AccessState(StrEnum):
    """How the access of a profile stands."""

    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    ENDED = "ended"

    @property
    def label(self) -> str:
        return _LABELS[self]


class AccountState(StrEnum):
    """Whether an account opens what its profiles allow."""

    OPEN = "open"
    SUSPENDED = "suspended"
    JOINED = "joined"

    @property
    def label(self) -> str:
        return _ACCOUNT_LABELS[self]


class AccessCause(StrEnum):
    """Why an access is suspended or has ended."""

    SUPPORT = "support"
    SANCTIONED = "sanctioned"
    NOT_IN_RETHUS = "not_in_rethus"
    PROFESSION_NOT_AUTHORIZED = "profession_not_authorized"
    DELEGATION_WITHDRAWN = "delegation_withdrawn"
    PLACEMENT_OVER = "placement_over"


_ACCOUNT_LABELS = {
    AccountState.OPEN: "abierta",
    AccountState.SUSPENDED: "suspendida",
    AccountState.JOINED: "unida a la de su nuevo documento",
}
_LABELS = {
    AccessState.IN_FORCE: "vigente",
    AccessState.SUSPENDED: "suspendido",
    AccessState.ENDED: "terminado",
}


@dataclass(frozen=True, kw_only=True)
class ProfileAccess:
    """What decides about one profile.

    Attributes:
        last_day: The last day of the placement that the profile belongs to, if it belongs to one.
        is_sanctioned: Whether ReTHUS has reported a sanction that bars.
        sanctioned_until: Its last day; None until further notice.
        ended_cause: Why a registry ended the profile; None while none has.
    """

    user_type: UserType
    last_day: date | None = None
    site_name: str | None = None
    is_sanctioned: bool = False
    sanctioned_until: date | None = None
    is_suspended_by_support: bool = False
    ended_cause: AccessCause | None = None

    def cause(self, today: date) -> AccessCause | None:
        """Why the profile opens nothing today; None while it is in force.

        The end weighs most. A sanction is over the day after its last day, whether or not ReTHUS can be
        asked again by then.
        """
        if self.ended_cause is not None:
            return self.ended_cause
        if has_ended(self.last_day, today=today):
            return AccessCause.PLACEMENT_OVER
        if self.is_suspended_by_support:
            return AccessCause.SUPPORT
        if self.is_sanctioned and not has_ended(self.sanctioned_until, today=today):
            return AccessCause.SANCTIONED
        return None

    def state(self, today: date) -> AccessState:
        match self.cause(today):
            case None:
                return AccessState.IN_FORCE
            case AccessCause.SUPPORT | AccessCause.SANCTIONED:
                return AccessState.SUSPENDED
            case _:
                return AccessState.ENDED


@dataclass(frozen=True, kw_only=True)
class Access:
    """An account and its profiles."""

    account: AccountState
    profiles: tuple[ProfileAccess, ...]

    def applications(self, today: date) -> frozenset[Application]:
        """What the person may enter today: nothing unless the account is open."""
        if self.account is not AccountState.OPEN:
            return frozenset()
        in_force = (item for item in self.profiles if item.state(today) is AccessState.IN_FORCE)
        return frozenset(application_of(item.user_type) for item in in_force)

    def state_of(self, profile: ProfileAccess, today: date) -> AccessState:
        """How one profile stands today, with the account that it belongs to."""
        state = profile.state(today)
        is_held = self.account is not AccountState.OPEN and state is AccessState.IN_FORCE
        return AccessState.SUSPENDED if is_held else state

    def closed(self, today: date) -> tuple[ProfileAccess, ...]:
        """The profiles that open nothing today."""
        return tuple(item for item in self.profiles if item.state(today) is not AccessState.IN_FORCE)


class AccessChange(StrEnum):
    """What can happen to an access, and to be mailed about."""

    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_REINSTATED = "account_reinstated"
    ACCOUNT_REPLACED = "account_replaced"
    ACCOUNT_JOINED = "account_joined"
    PROFILE_SUSPENDED = "profile_suspended"
    PROFILE_REINSTATED = "profile_reinstated"
    PROFILE_ENDED = "profile_ended"
    PLACEMENT_CHANGED = "placement_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of change.
    NEW_BROWSER = "new_browser"
    CODES_ADDED = "codes_added"
    CODES_REMOVED = "codes_removed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    PASSKEY_LOCKED = "passkey_locked"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    RECOVERY_CODE_USED = "recovery_code_used"
    CODES_GUESSED = "codes_guessed"
    SECOND_FACTOR_RESET = "second_factor_reset"


@dataclass(frozen=True, kw_only=True)
class AccessWords:
    """What a person reads: what happened, and what to do about it."""

    title: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class AccessNotice:
    """A change that waits for its mail.

    Attributes:
        mail: The mail that tells it.
        about: The profile that changed, in words; None for the whole account.
    """

    id: uuid.UUID
    contact: AccountContact
    words: AccessWords
    mail: str = "access_changed"
    about: str | None = None
    until: date | None = None


_NOTHING_LOST = "No se borró nada y no tiene que registrarse de nuevo."
_HELP_DESK = "Comuníquese con la mesa de ayuda del Ministerio para conocer el motivo y recuperar el acceso."
ACCOUNT_SUSPENDED_WORDS = AccessWords(
    title="Su cuenta está suspendida por soporte", remedy=f"{_HELP_DESK} {_NOTHING_LOST}"
)


def joined_words(login: str) -> AccessWords:
    """What the owner of a replaced login reads after the right password."""
    return AccessWords(
        title=sentences.JOINED,
        remedy=f"Ingrese con el usuario {login} y la contraseña de esa cuenta. Sus perfiles están allí.",
    )


CLOSED_WORDS: dict[AccessCause, AccessWords] = {
    AccessCause.SUPPORT: AccessWords(
        title="Soporte suspendió este perfil", remedy=f"{_HELP_DESK} {_NOTHING_LOST}"
    ),
    AccessCause.SANCTIONED: AccessWords(
        title="Este perfil está suspendido: ReTHUS reporta una sanción vigente",
        remedy=f"{sentences.ASK_THE_TRIBUNAL}. Cuando la sanción termine, el perfil vuelve a abrir solo. {_NOTHING_LOST}",
    ),
    AccessCause.NOT_IN_RETHUS: AccessWords(
        title="Este perfil terminó: su registro profesional ya no figura en ReTHUS",
        remedy=f"Pida la inscripción o la corrección en ReTHUS al colegio profesional o a la entidad que le otorgó el registro. Cuando figure otra vez, regístrese de nuevo: {sentences.SAME_CREDENTIALS}",
    ),
    AccessCause.PROFESSION_NOT_AUTHORIZED: AccessWords(
        title="Este perfil terminó: la profesión que figura en los registros no corresponde a este tipo de usuario",
        remedy=f"Si la profesión está mal registrada, pida la corrección en ReTHUS o en el aplicativo Servicio Social Obligatorio. Si es la suya, regístrese con el tipo de usuario que le corresponde: {sentences.SAME_CREDENTIALS}",
    ),
    AccessCause.DELEGATION_WITHDRAWN: AccessWords(
        title="Este perfil terminó: www.miseguridadsocial.gov.co ya no lo registra como delegado de la entidad",
        remedy=f"Si aún le corresponde, pida al representante legal de la entidad que lo registre allí otra vez (o regístrese usted, si es proveedor persona natural) y repita el registro: {sentences.SAME_CREDENTIALS}",
    ),
    AccessCause.PLACEMENT_OVER: AccessWords(
        title="Este perfil terminó con su plaza de Servicio Social Obligatorio",
        remedy=f"{sentences.NEW_PLACEMENT} {sentences.SAME_CREDENTIALS.capitalize()}",
    ),
}
CAUSES_FOR_STAFF: dict[AccessCause, str] = {
    AccessCause.SUPPORT: "por soporte",
    AccessCause.SANCTIONED: "sanción en ReTHUS",
    AccessCause.NOT_IN_RETHUS: "ya no figura en ReTHUS",
    AccessCause.PROFESSION_NOT_AUTHORIZED: "su profesión es de otro tipo de usuario",
    AccessCause.DELEGATION_WITHDRAWN: "la entidad retiró la delegación",
    AccessCause.PLACEMENT_OVER: "la plaza terminó",
}
_NOT_YOU = "Si no fue usted, cambie la contraseña, cierre las demás sesiones en su cuenta y avise a la mesa de ayuda del Ministerio."
_SOMEBODY_KNOWS_IT = (
    "Si no fue usted, alguien conoce su contraseña: recupérela de inmediato con «¿Olvidó su contraseña?»"
)
_CHANGE_WORDS = {
    AccessChange.ACCOUNT_SUSPENDED: ACCOUNT_SUSPENDED_WORDS,
    AccessChange.ACCOUNT_REINSTATED: AccessWords(
        title="Soporte volvió a abrir su cuenta",
        remedy=f"{sentences.ENTER_AS_ALWAYS} {sentences.ASK_WHY}",
    ),
    AccessChange.ACCOUNT_REPLACED: AccessWords(
        title=sentences.JOINED,
        remedy=f"Ingrese con el usuario de su documento nuevo; este ya no abre nada. Sus perfiles siguen allí. {sentences.ASK_WHY}",
    ),
    AccessChange.ACCOUNT_JOINED: AccessWords(
        title="Los perfiles de su documento anterior están ahora en esta cuenta",
        remedy=f"Ingrese con este usuario y su contraseña. {sentences.ASK_WHY}",
    ),
    AccessChange.PROFILE_REINSTATED: AccessWords(
        title="Su perfil vuelve a estar vigente",
        remedy=f"{sentences.ENTER_AS_ALWAYS} {sentences.NOTHING_TO_DO} más.",
    ),
    AccessChange.PLACEMENT_CHANGED: AccessWords(
        title="La sede o las fechas de su plaza de Servicio Social Obligatorio cambiaron",
        remedy=f"{sentences.NOTHING_TO_DO}. Si la sede o las fechas están mal, pida la corrección en el aplicativo Servicio Social Obligatorio del Ministerio.",
    ),
    AccessChange.PASSWORD_CHANGED: AccessWords(
        title="Su contraseña cambió",
        remedy=f"{sentences.NOTHING_TO_DO_IF_YOU}. Si no fue usted, recupérela de inmediato y avise a la mesa de ayuda del Ministerio.",
    ),
    AccessChange.NEW_BROWSER: AccessWords(
        title="Ingresaron con su usuario desde un navegador que no habíamos visto",
        remedy=f"{sentences.NOTHING_TO_DO_IF_YOU}: también ocurre cuando borra los datos del navegador. {_SOMEBODY_KNOWS_IT}, que además cierra todas las sesiones, y avise a la mesa de ayuda del Ministerio.",
    ),
    AccessChange.CODES_ADDED: AccessWords(
        title="Su cuenta pide ahora también un código de su aplicación de autenticación",
        remedy=f"Guarde los códigos de recuperación: con ellos ingresa si pierde el teléfono. {_NOT_YOU}",
    ),
    AccessChange.CODES_REMOVED: AccessWords(
        title="Su cuenta ya no pide códigos de una aplicación de autenticación", remedy=_NOT_YOU
    ),
    AccessChange.PASSKEY_ADDED: AccessWords(
        title="Se agregó una llave de acceso a su cuenta", remedy=_NOT_YOU
    ),
    AccessChange.PASSKEY_REMOVED: AccessWords(
        title="Se quitó una llave de acceso de su cuenta", remedy=_NOT_YOU
    ),
    AccessChange.PASSKEY_LOCKED: AccessWords(
        title="Bloqueamos una llave de acceso de su cuenta porque vimos una copia de ella",
        remedy="Cerramos todas sus sesiones. Ingrese con otro medio, quite esa llave en su cuenta y agregue otra. Avise a la mesa de ayuda del Ministerio.",
    ),
    AccessChange.RECOVERY_CODES_RENEWED: AccessWords(
        title="Su cuenta tiene códigos de recuperación nuevos",
        remedy=f"Los anteriores ya no sirven. {_NOT_YOU}",
    ),
    AccessChange.RECOVERY_CODE_USED: AccessWords(
        title="Ingresaron con uno de sus códigos de recuperación",
        remedy=f"Ese código ya no sirve. Si le quedan pocos, haga una lista nueva en su cuenta. {_NOT_YOU}",
    ),
    AccessChange.CODES_GUESSED: AccessWords(
        title="Escribieron su contraseña, y después muchos códigos equivocados",
        remedy=f"{_SOMEBODY_KNOWS_IT} y avise a la mesa de ayuda del Ministerio. Su segundo factor le cerró el paso.",
    ),
    AccessChange.SECOND_FACTOR_RESET: AccessWords(
        title="Soporte quitó el segundo factor de su cuenta",
        remedy="Ingrese con su contraseña y configure otro en «Mi cuenta». Si no pidió este cambio, cambie la contraseña y avise a la mesa de ayuda del Ministerio.",
    ),
}


_OTHER_ACCOUNT = {
    AccessChange.ACCOUNT_REPLACED: "El usuario de su documento nuevo es {}.",
    AccessChange.ACCOUNT_JOINED: "El usuario de su documento anterior era {}.",
}


def words_of_change(
    change: AccessChange, cause: AccessCause | None, *, other_login: str | None = None
) -> AccessWords:
    """What the mail about a change says; a closed profile is explained by its cause.

    Args:
        change: What happened.
        cause: Why a profile was closed.
        other_login: The masked login of the other account of a join.
    """
    if other_login and change in _OTHER_ACCOUNT:
        words = _CHANGE_WORDS[change]
        return replace(words, remedy=f"{_OTHER_ACCOUNT[change].format(other_login)} {words.remedy}")
    if change in _CHANGE_WORDS:
        return _CHANGE_WORDS[change]
    if cause is None:
        raise ValueError("a profile that is closed has a cause")
    return CLOSED_WORDS[cause]
