"""The steps of a registration.

What runs, where it runs durably, and the words that support reads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from activities.accounts import AccountActivities
from activities.addresses import AddressActivities
from activities.emails import EmailActivities
from activities.factor_resets import FactorResetActivities
from activities.registries import HealthTalentChecks, SocialSecurityChecks, SocialServiceChecks
from mipres.domain.stages import WaitingOn
from mipres.temporal.names import REGISTRATIONS_QUEUE, MailStep, registry_queue
from workflows.policies import DATABASE_ATTEMPT, MAIL_ATTEMPT, MAIL_HEARTBEAT, REGISTRY_ATTEMPT


@dataclass(frozen=True, kw_only=True)
class Step:
    """One activity of the path.

    Attributes:
        activity: The activity's method, unbound.
        id: Stable activity id, which support types into Temporal's commands.
        summary: What the UI shows beside it. Never anything personal.
        waits_on: What is down when this step waits; a registry's name names its queue too.
        attempt: How long one durable attempt may take.
        heartbeat: How long the attempt may stay silent, where it shows that it lives.
        starts_local: Whether the first, fast attempt runs inside the workflow task. Mails do not:
            the citizen's answer must not wait for them.
    """

    activity: Callable[[Any, Any], Any]
    id: str
    summary: str
    waits_on: WaitingOn
    attempt: timedelta
    heartbeat: timedelta | None = None
    starts_local: bool = True

    @property
    def queue(self) -> str:
        return registry_queue(self.waits_on) if self.is_check else REGISTRATIONS_QUEUE

    @property
    def is_check(self) -> bool:
        """Whether it only asks a registry, so that it can be left and asked again."""
        return self.waits_on.is_registry


def _check(
    activity: Callable[[Any, Any], Any], registry: WaitingOn, summary: str, *, id_: str | None = None
) -> Step:
    return Step(
        activity=activity,
        id=id_ or f"consultar-{registry}",
        summary=summary,
        waits_on=registry,
        attempt=REGISTRY_ATTEMPT,
    )


def _database(
    activity: Callable[[Any, Any], Any], id_: str, summary: str, *, starts_local: bool = True
) -> Step:
    return Step(
        activity=activity,
        id=id_,
        summary=summary,
        waits_on=WaitingOn.DATABASE,
        attempt=DATABASE_ATTEMPT,
        starts_local=starts_local,
    )


def _mail(
    activity: Callable[[Any, Any], Any], id_: MailStep, summary: str, *, starts_local: bool = False
) -> Step:
    return Step(
        activity=activity,
        id=id_,
        summary=summary,
        waits_on=WaitingOn.MAIL,
        attempt=MAIL_ATTEMPT,
        heartbeat=MAIL_HEARTBEAT,
        starts_local=starts_local,
    )


CHECK_PERSON = _check(
    SocialSecurityChecks.check_person, WaitingOn.MISEGURIDADSOCIAL, "Buscar a la persona en miseguridadsocial"
)
CHECK_DELEGATION = _check(
    SocialSecurityChecks.check_delegation,
    WaitingOn.MISEGURIDADSOCIAL,
    "Comprobar en miseguridadsocial que la entidad lo nombró delegado",
    id_="consultar-miseguridadsocial-entidad",
)
CHECK_PROFESSION = _check(
    HealthTalentChecks.check_profession, WaitingOn.RETHUS, "Comprobar profesión y sanciones en ReTHUS"
)
CHECK_OTHER_USER = _check(
    HealthTalentChecks.check_other_user,
    WaitingOn.RETHUS,
    "Comprobar en ReTHUS que no sea profesional prescriptor",
)
CHECK_PLACEMENT = _check(SocialServiceChecks.check_placement, WaitingOn.SSO, "Comprobar la plaza en SSO")
REGISTER_ACCOUNT = _database(
    AccountActivities.register_account, "crear-cuenta", "Crear o actualizar la cuenta y el perfil"
)
FIND_ACCOUNT = _database(AccountActivities.find_account, "buscar-cuenta", "Buscar la cuenta del documento")
# Irreversible, in the task that closes the workflow: the server can throw that task away, and what a local
# activity did in it would be done without a trace.
DISCARD_ACCOUNT = _database(
    AccountActivities.discard_account,
    "deshacer-cuenta",
    "Retirar lo que creó este registro, salvo una cuenta en uso",
    starts_local=False,
)
RECORD_REFUSAL = _database(
    AccountActivities.record_refusal, "anotar-rechazo", "Anotar en la auditoría que el registro no procede"
)
EXPIRE_LINK = _database(
    AccountActivities.expire_link,
    "vencer-enlace",
    "Preguntar a la base de datos si hay contraseña y, si no, vencer el enlace",
)
SEND_LINK = _mail(EmailActivities.send_password_link, MailStep.LINK, "Enviar el enlace de contraseña")
SEND_REMINDER = _mail(
    EmailActivities.send_reminder, MailStep.REMINDER, "Recordar que el enlace está por vencer"
)
# The workflow has nothing else to do once the password is set, so a fast attempt saves a task.
CONFIRM_PASSWORD = _mail(
    EmailActivities.confirm_password_set,
    MailStep.CONFIRMATION,
    "Comprobar que hay contraseña y enviar la confirmación",
    starts_local=True,
)
SEND_DELAY_NOTICE = _mail(
    EmailActivities.send_delay_notice, MailStep.DELAY, "Avisar a la persona que su registro se demora"
)
SEND_GIVEN_UP_NOTICE = _mail(
    EmailActivities.send_given_up_notice, MailStep.GIVEN_UP, "Avisar a la persona que no se pudo terminar"
)
SEND_CANCELLED_NOTICE = _mail(
    EmailActivities.send_cancelled_notice,
    MailStep.CANCELLED,
    "Avisar a la persona que soporte canceló su registro",
)
NOTIFY_SUPPORT = _mail(
    EmailActivities.notify_support, MailStep.SUPPORT, "Avisar a soporte que el registro no se pudo terminar"
)
SEND_UPDATE_NOTICE = _mail(
    EmailActivities.send_update_notice, MailStep.UPDATE, "Avisar que los datos se actualizaron"
)
SEND_LOCK_NOTICE = _mail(
    EmailActivities.send_lock_notice, MailStep.LOCK, "Avisar que el ingreso se bloqueó por unos minutos"
)
SEND_REFUSAL_NOTICE = _mail(
    EmailActivities.send_refusal_notice, MailStep.REFUSAL, "Avisar a la persona que el registro no procede"
)
SEND_WAIT_ENDED_NOTICE = _mail(
    EmailActivities.send_wait_ended_notice,
    MailStep.WAIT_ENDED,
    "Avisar a la persona que el registro no la incluyó en el plazo",
)
SETTLE_ADDRESS = _database(
    AddressActivities.settle_address,
    "consultar-correo",
    "Preguntar una vez a miseguridadsocial por el correo y anotar si cambió",
)
WARN_OLD_ADDRESS = _mail(
    EmailActivities.warn_old_address,
    MailStep.OLD_ADDRESS,
    "Avisar al correo anterior que va a cambiar, con el enlace que lo detiene",
)
NOTIFY_NEW_ADDRESS = _mail(
    EmailActivities.notify_new_address, MailStep.NEW_ADDRESS, "Avisar al correo nuevo desde cuándo se usa"
)
NOTIFY_CHANGE_STOPPED = _mail(
    EmailActivities.notify_change_stopped,
    MailStep.CHANGE_STOPPED,
    "Avisar a soporte que la persona detuvo un cambio de correo",
)
NOTIFY_FACTOR_RESET = _mail(
    FactorResetActivities.notify_factor_reset,
    MailStep.FACTOR_RESET,
    "Avisar a la persona que su segundo factor se va a quitar, con el enlace que lo detiene",
)
CARRY_OUT_FACTOR_RESET = _database(
    FactorResetActivities.carry_out_factor_reset,
    "quitar-segundo-factor",
    "Quitar el segundo factor si ya es tiempo y nadie lo detuvo",
    starts_local=False,
)
GIVE_UP_FACTOR_RESET = _database(
    FactorResetActivities.give_up_factor_reset,
    "retirar-restablecimiento",
    "Retirar el restablecimiento: no se pudo avisar a la persona",
    starts_local=False,
)
NOTIFY_RESET_STOPPED = _mail(
    FactorResetActivities.notify_reset_stopped,
    MailStep.RESET_STOPPED,
    "Avisar a soporte que la persona detuvo el restablecimiento",
)
