"""How the operators' commands write what they found.

Nothing here decides anything.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from mipres.database.lockouts import LoginLock
from mipres.domain import sentences
from mipres.domain.access import CAUSES_FOR_STAFF
from mipres.domain.audit import AuditEntry
from mipres.domain.clients import Client
from mipres.domain.eligibility import BOGOTA
from mipres.domain.factor_resets import ResetView
from mipres.domain.review import ReviewStage
from mipres.domain.sentences import counted
from mipres.domain.stages import WAITING_FOR_STAFF
from mipres.domain.submissions import UserType
from mipres.support.accounts import AccountView, Decision, ProfileView
from mipres.support.desk import Case
from mipres.support.joins import Joined
from mipres.support.mails import WaitingMail
from mipres.support.records import PersonView
from mipres.support.reviews import ReviewView
from mipres.support.staff import StaffMember

_WIDTH = 14


def moment(when: datetime) -> str:
    """`2026-11-24 10:05`, in Colombia."""
    return f"{when.astimezone(BOGOTA):%Y-%m-%d %H:%M}"


def case_line(case: Case) -> str:
    """One registration in a list, with its last error and its address in Temporal's interface."""
    waiting = ", ".join(WAITING_FOR_STAFF[name] for name in case.waiting_on)
    since = f" desde {moment(case.stuck_since)}" if case.stuck_since else ""
    espera = f" · espera {waiting}{since}" if waiting else ""
    first = f"{case.reference} · {case.state}{espera} · iniciado {moment(case.started_at)}"
    return joined((first, *(f"  {error}" for error in case.errors), f"  {case.ui_url}"))


def mail_line(mail: WaitingMail) -> str:
    """One mail that waits, with its last error and its address in Temporal's interface."""
    return joined((f"{mail.workflow_id} · {mail.step}", f"  {mail.error}", f"  {mail.ui_url}"))


def case_lines(case: Case, person: PersonView | None) -> Iterator[str]:
    """Everything about one registration."""
    yield f"{case.reference} · {case.state}"
    if case.user_type:
        yield _fact("tipo", UserType(case.user_type).label)
    yield _fact("iniciado", moment(case.started_at))
    if case.closed_at:
        yield _fact("terminado", moment(case.closed_at))
    for name in case.waiting_on:
        since = f", atascado desde {moment(case.stuck_since)}" if case.stuck_since else ""
        yield _fact("espera", WAITING_FOR_STAFF[name] + since)
    for pending in case.pending:
        parts = [pending.activity_id, f"intento {pending.attempt}"]
        if pending.next_attempt_at:
            parts.append(f"próximo {moment(pending.next_attempt_at)}")
        if pending.error_type:
            parts.append(f"{pending.error_type}: {pending.error_message}")
        yield _fact("pendiente", " · ".join(parts))
    yield from person_lines(person)
    yield _fact("Temporal", case.ui_url)


def person_lines(person: PersonView | None) -> Iterator[str]:
    if person is None:
        yield _fact("persona", "sin cuenta todavía")
        return
    yield _fact("persona", f"{person.full_name} · {person.login} · {person.email}")
    password = f"creada {moment(person.password_set_at)}" if person.password_set_at else "sin crear"
    yield _fact("contraseña", password)
    if person.link_expires_at:
        yield _fact("enlace", f"vence {moment(person.link_expires_at)}")


def account_lines(view: AccountView, *, url_of: Callable[[str], str]) -> Iterator[str]:
    """An account, its profiles, logins, sessions and links.

    Args:
        view: The account.
        url_of: Gives the address of a radicado in Temporal's interface.
    """
    since = f" desde {moment(view.suspended_at)}" if view.suspended_at else ""
    yield f"{view.login} · cuenta {view.state.label}{since}"
    if view.joined_login:
        yield _fact("sigue en", view.joined_login)
    yield _fact("persona", f"{view.full_name} · {view.email}")
    yield _fact(
        "contraseña", f"creada {moment(view.password_set_at)}" if view.password_set_at else "sin crear"
    )
    if view.lock:
        yield _fact("bloqueo", lock_line(view.lock))
    if change := view.address_change:
        until = f" · espera hasta {moment(change.takes_effect_at)}" if change.takes_effect_at else ""
        yield _fact("otro correo", f"{change.new_address}{until}")
    yield from _factor_lines(view)
    for profile in view.profiles:
        yield _fact("perfil", profile_line(profile))
        yield f"  {url_of(profile.radicado)}"
    for login in view.logins:
        yield _fact("ingreso", f"{moment(login.at)} · {login.application}")
    for session in view.sessions:
        times = f"desde {moment(session.created_at)}, usada {moment(session.last_seen_at)}"
        yield _fact("sesión", f"{session.application} · {times}")
    for link in view.links:
        yield _fact("enlace", f"{link.reference} · {link.purpose} · vence {moment(link.expires_at)}")


def _factor_lines(view: AccountView) -> Iterator[str]:
    """The second factor, and what keeps it shut."""
    if view.has_second_factor:
        yield _fact("segundo factor", "configurado")
    if view.factor_lock:
        yield _fact("sus códigos", lock_line(view.factor_lock))
    if view.factor_reset:
        yield _fact("restablecimiento", reset_line(view.factor_reset))


def reset_line(reset: ResetView) -> str:
    """Until when a reset of the second factor waits."""
    if reset.takes_effect_at is None:
        return f"pedido {moment(reset.asked_at)}; todavía sin avisar a la persona"
    return f"pendiente hasta {moment(reset.takes_effect_at)}, si la persona no lo detiene"


def lock_line(lock: LoginLock) -> str:
    until = f" · hasta {moment(lock.until)}" if lock.until else ""
    failures = counted(lock.failures, "intento fallido", "intentos fallidos")
    return f"{failures}{until}{' · cerrado' if lock.is_closed else ''}"


def profile_line(profile: ProfileView) -> str:
    cause = f" ({CAUSES_FOR_STAFF[profile.cause]})" if profile.cause else ""
    until = f" hasta {profile.until.isoformat()}" if profile.until else ""
    place = f" · {profile.place}" if profile.place else ""
    reviewed = f" · revisado {moment(profile.reviewed_at)}" if profile.reviewed_at else ""
    return f"{profile.radicado} · {profile.user_type.label}{place} · {profile.state.label}{cause}{until}{reviewed}"


def review_line(view: ReviewView) -> str:
    """One review, with its address in Temporal's interface."""
    hint = "; decida con go-on o abandon" if view.stage is ReviewStage.STOPPED else ""
    return (
        f"{view.workflow_id} · {view.stage.label}{hint} · {counted(view.looked, 'perfil', 'perfiles')} · iniciada {moment(view.started_at)}\n"
        f"  {view.ui_url}"
    )


def decision_line(decision: Decision, *, ended: int, radicado: str | None) -> str:
    """What was done, in one line."""
    if decision is Decision.END_SESSIONS:
        return f"{_closed(ended)}."
    if decision is Decision.REINSTATE:
        what = f"Perfil {radicado} abierto otra vez" if radicado else "Cuenta abierta otra vez"
        return f"{what}. {sentences.MAIL_IN_MINUTES}"
    what = f"Perfil {radicado} suspendido" if radicado else f"Cuenta suspendida y {_closed(ended)}"
    return f"{what}. {sentences.MAIL_IN_MINUTES}"


def join_lines(done: Joined, *, url_of: Callable[[str], str]) -> Iterator[str]:
    """What a join did, profile by profile, each with its address in Temporal's interface."""
    yield f"Cuentas unidas y {_closed(done.sessions)} de la anterior."
    for radicado in done.moved:
        yield f"Perfil {radicado} pasó a la cuenta nueva."
        yield f"  {url_of(radicado)}"
    for radicado in done.dropped:
        yield f"Perfil {radicado} no se conservó: las dos cuentas lo tenían."
        yield f"  {url_of(radicado)}"
    yield sentences.MAILS_IN_MINUTES


def entry_line(entry: AuditEntry) -> str:
    about = f" · {entry.reference}" if entry.reference else ""
    details = "".join(f" · {name}={value}" for name, value in entry.details.items())
    reason = f" · «{entry.reason}»" if entry.reason else ""
    return (
        f"{entry.number:>6} {moment(entry.occurred_at)} {entry.label} · {entry.actor}{about}{details}{reason}"
    )


def staff_line(member: StaffMember) -> str:
    state = f"deshabilitada {moment(member.disabled_at)}" if member.disabled_at else "activa"
    return f"{member.name} · {state} · creada {moment(member.created_at)}"


def client_line(client: Client, *, now: datetime) -> str:
    """One application; only hashes of its secrets are stored."""
    former = (
        (sentences.SECRET_BEFORE_UNTIL, client.previous_secret_until),
        (sentences.KEYS_BEFORE_UNTIL, client.previous_jwks_until),
    )
    states = [
        "deshabilitada" if client.disabled else "activa",
        f"ingresan: {client.audience}",
        *(["fuera del Estado"] if client.external else []),
        *(["con claves"] if client.jwks else []),
        *(["con segundo factor"] if client.require_second_factor else []),
        *(f"{words} {moment(until)}" for words, until in former if until and until > now),
    ]
    addresses = (f"  {address}" for address in client.redirect_uris)
    return joined((f"{client.client_id} · {client.client_name} · {' · '.join(states)}", *addresses))


def _closed(sessions: int) -> str:
    return counted(sessions, "sesión cerrada", "sesiones cerradas")


def joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _fact(name: str, value: str) -> str:
    return f"  {name:<{_WIDTH}}{value}"
