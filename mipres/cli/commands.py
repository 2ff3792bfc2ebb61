"""Operators' commands: `python -m mipres.cli …`. Exit codes: 0 done, 1 not possible, 2 misused, 3 something is away."""

import asyncio
import getpass
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from mipres import composition
from mipres.cli import text as cli_text
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.engine import migrate as migrate_database
from mipres.database.lockouts import LoginLockouts
from mipres.domain.audit import AuditEvent, AuditEventType, ReasonRefusedError, checked_reason, operator
from mipres.domain.documents import Document, parse_document
from mipres.domain.radicado import is_radicado, is_reference
from mipres.domain.stages import WaitingOn
from mipres.settings import SECRETS_FILE, Settings, load_settings, variable
from mipres.support.actions import Support
from mipres.support.desk import (
    Action,
    ActionRefusedError,
    ActionUnansweredError,
)
from mipres.support.person_data import NotGoneError, PersonData, as_json_value
from mipres.support.staff import (
    MINIMUM_PASSWORD,
    PostgresStaff,
    StaffNameError,
    StaffUnknownError,
    new_password,
)
from mipres.temporal import names, payload_keys
from mipres.temporal.answers import TemporalUnavailableError, UnknownWorkflowError
from mipres.temporal.connection import connect

NOT_POSSIBLE, MISUSED, AWAY = 1, 2, 3

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
keys = typer.Typer(no_args_is_help=True, help="Claves que cifran lo que guarda Temporal.")
staff = typer.Typer(no_args_is_help=True, help="Cuentas de soporte para /soporte.")
person = typer.Typer(no_args_is_help=True, help="Derechos de una persona sobre sus datos (Ley 1581 de 2012).")
app.add_typer(keys, name="keys")
app.add_typer(person, name="person")
app.add_typer(staff, name="staff")

Radicado = Annotated[str, typer.Argument(help="Número de radicado: RM- y doce símbolos.")]
StaffName = Annotated[str, typer.Argument(help="Nombre de la cuenta de soporte, por ejemplo `ana.rojas`.")]
Reason = Annotated[
    str,
    typer.Option(
        "--reason", help="Motivo, de al menos 10 caracteres; queda en la auditoría.", show_default=False
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", help="Quién actúa, si no es la cuenta del sistema operativo.", show_default=False),
]
DocumentType = Annotated[str, typer.Argument(help="Tipo de documento, por ejemplo CC.")]
DocumentNumber = Annotated[str, typer.Argument(help="Número de documento.")]
WaitingOnOption = Annotated[
    str | None,
    typer.Option("--waiting-on", help=f"Solo los que esperan a uno: {', '.join(WaitingOn)}."),
]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Leer la contraseña de la entrada en vez de generarla.")
]


@app.callback()
def main() -> None:
    """Registro MIPRES: comandos de operación."""


@app.command()
def migrate() -> None:
    """Lleva el esquema de la base de datos a la última versión."""
    asyncio.run(migrate_database(load_settings().database_url.get_secret_value()))


# ---- Finding


@app.command()
def find(
    tipo: Annotated[str, typer.Argument(help="Tipo de documento, por ejemplo CC.")],
    numero: Annotated[str, typer.Argument(help="Número de documento.")],
    as_: As = None,
) -> None:
    """Busca los registros y recuperaciones de un documento."""
    document = _document(tipo, numero)

    async def work(tools: Tools) -> None:
        found = await tools.support.find(document, actor=_actor(as_))
        for line in cli_text.person_lines(found.person):
            print(line)
        if not found.cases:
            _stop("Ningún registro de este documento está en Temporal.")
        for case in found.cases:
            print(cli_text.case_line(case))

    _run(work)


@app.command()
def show(
    radicado: Radicado,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help="Con un motivo se muestran los datos de la persona sin ocultar."),
    ] = None,
    as_: As = None,
) -> None:
    """Muestra un registro: etapa, qué espera, su último error y la cuenta."""
    reference, why = _reference(radicado), None if reason is None else _reason(reason)

    async def work(tools: Tools) -> None:
        case, person = await tools.support.show(reference, actor=_actor(as_), reason=why)
        print(cli_text.joined(cli_text.case_lines(case, person)))

    _run(work)


@app.command()
def stuck(waiting_on: WaitingOnOption = None) -> None:
    """Lista los registros atascados, el más antiguo primero."""
    wanted = _waiting_on(waiting_on)

    async def work(tools: Tools) -> None:
        cases = await tools.support.desk.stuck(waiting_on=wanted)
        print(f"{len(cases)} registros atascados" if cases else "Ningún registro está atascado.")
        for case in cases:
            print(cli_text.case_line(case))
        print(f"En Temporal: {tools.support.desk.url_of_list(names.stuck_on(wanted))}")

    _run(work)


@app.command()
def audit(
    target: Annotated[
        str | None, typer.Argument(metavar="[RADICADO|LOGIN]", help="De quién; sin él, lo último de todos.")
    ] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Comprobar que ninguna fila cambió ni falta.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option("--head", help="Con --verify: una cabeza anotada antes, que debe seguir en la cadena."),
    ] = None,
) -> None:
    """Muestra la auditoría de un radicado o de un usuario, o la comprueba."""

    async def work(tools: Tools) -> None:
        if verify:
            await _verify(tools.audit, head)
            return
        reference = target.upper() if target and is_reference(target.upper()) else None
        login = _login(target) if target and not reference else None
        entries = await tools.audit.entries(reference=reference, login=login)
        if not entries:
            _stop("La auditoría no tiene nada de ese radicado o usuario.")
        for entry in entries:
            print(cli_text.entry_line(entry))
        for named in dict.fromkeys(entry.reference for entry in entries if entry.reference):
            print(f"En Temporal: {tools.support.desk.url_of(named)}")

    _run(work)


async def _verify(trail: PostgresAuditTrail, head: str | None) -> None:
    verdict = await trail.verify()
    if not verdict.is_intact:
        _stop(f"La auditoría fue alterada en la fila {verdict.broken_at}: {verdict.problem}.")
    if head is not None and not await trail.holds(head):
        _stop(f"La cabeza {head} ya no está en la cadena: se perdieron sus últimas filas, o se rehízo.")
    print(f"{verdict.checked} filas, todas como se escribieron.")
    if verdict.head:
        print(f"Cabeza: {verdict.head} (anótela fuera de este sistema y compruébela con --head)")


# ---- Acting


@app.command()
def retry(
    reason: Reason,
    radicado: Annotated[
        str | None, typer.Argument(help="Número de radicado; sin él, use --waiting-on.")
    ] = None,
    waiting_on: WaitingOnOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Solo decir cuáles, sin reintentar.")] = False,
    jitter: Annotated[
        str, typer.Option("--jitter", help="En cuánto tiempo repartir los reintentos, por ejemplo 60s o 5m.")
    ] = "60s",
    as_: As = None,
) -> None:
    """Reintenta ya lo que un registro espera; o, después de una caída, todos los que esperan lo mismo."""
    why, spread, wanted = _reason(reason), _duration(jitter), _waiting_on(waiting_on)
    if (radicado is None) == (wanted is None):
        _misused("Diga un radicado, o --waiting-on para reintentar todos los que esperan lo mismo.")
    if wanted is not None:
        _run(lambda tools: _retry_all(tools, wanted, why, spread, None if dry_run else _actor(as_)))
    elif radicado is not None:
        if dry_run:
            _misused("--dry-run es para --waiting-on.")
        _act(Action.RETRY, radicado, why, as_, "Reintento pedido")


async def _retry_all(
    tools: "Tools", waiting_on: WaitingOn, reason: str, jitter: timedelta, actor: str | None
) -> None:
    """Without an actor nothing is done: that is the dry run."""
    cases = await tools.support.desk.waiting(waiting_on)
    print(
        f"{len(cases)} registros esperan a {waiting_on}: {tools.support.desk.url_of_list(names.waiting_for(waiting_on))}"
    )
    if actor is None:
        for case in cases:
            print(cli_text.case_line(case))
        print("Simulación: no se reintentó ninguno.")
        return
    failed = 0
    async for result in tools.support.retry_all(cases, reason=reason, actor=actor, jitter=jitter):
        failed += result.failed
        print(f"{result.case.reference} · {result.told}\n  {result.case.ui_url}")
    print(f"{len(cases) - failed} reintentados o ya resueltos, {failed} sin respuesta.")
    if failed:
        raise typer.Exit(NOT_POSSIBLE)


@app.command()
def resend(radicado: Radicado, reason: Reason, as_: As = None) -> None:
    """Envía otro enlace para crear la contraseña; el anterior deja de servir."""
    _act(Action.RESEND, radicado, _reason(reason), as_, "Otro enlace pedido")


@app.command()
def cancel(radicado: Radicado, reason: Reason, as_: As = None) -> None:
    """Cancela un registro y deshace lo que creó; nunca toca una cuenta en uso."""
    _act(Action.CANCEL, radicado, _reason(reason), as_, "Registro cancelado")


@app.command()
def unlock(
    login: Annotated[str, typer.Argument(help="Usuario, por ejemplo CC1020304050.")],
    reason: Reason,
    as_: As = None,
) -> None:
    """Desbloquea el ingreso de un usuario después de muchos intentos fallidos."""
    name, why = _login(login), _reason(reason)
    document = _document(name[:2], name[2:])

    async def work(tools: Tools) -> None:
        # Written down first: without a trail nothing is done.
        await tools.audit.record(
            AuditEvent(type=AuditEventType.UNLOCKED, actor=_actor(as_), login=document.login, reason=why)
        )
        lifted = await tools.lockouts.lift(document.login)
        print("Ingreso desbloqueado." if lifted else "El ingreso no tenía intentos fallidos ni bloqueo.")
        found = await tools.support.find(document, actor=_actor(as_))
        for case in found.cases:
            print(cli_text.case_line(case))

    _run(work)


def _act(action: Action, radicado: str, reason: str, as_: str | None, done: str) -> None:
    reference = _radicado(radicado)

    async def work(tools: Tools) -> None:
        url = tools.support.desk.url_of(reference)
        try:
            await tools.support.act(action, reference, reason=reason, actor=_actor(as_))
        except UnknownWorkflowError:
            _stop(f"Ningún registro en curso tiene ese radicado.\n  {url}")
        except ActionRefusedError as error:
            _stop(f"El registro no lo admite: {error.message}.\n  {url}")
        except ActionUnansweredError:
            _stop(f"Nadie lo confirmó a tiempo: ¿corre algún worker? Puede que aún se haga.\n  {url}", AWAY)
        print(f"{done}: {reference}\n  {url}")

    _run(work)


# ---- A person's rights


@person.command("export")
def person_export(tipo: DocumentType, numero: DocumentNumber, reason: Reason, as_: As = None) -> None:
    """Escribe en JSON todo lo que se guarda de una persona, para entregárselo."""
    document, why = _document(tipo, numero), _reason(reason)

    async def work(tools: Tools) -> None:
        held = await tools.person_data.export(document, actor=_actor(as_), reason=why)
        print(json.dumps(held, ensure_ascii=False, indent=2, default=as_json_value))

    _run(work)


@person.command("erase")
def person_erase(tipo: DocumentType, numero: DocumentNumber, reason: Reason, as_: As = None) -> None:
    """Suprime todo lo que se guarda de una persona: la cuenta y sus historias en Temporal. No se puede deshacer."""
    document, why = _document(tipo, numero), _reason(reason)

    async def work(tools: Tools) -> None:
        try:
            erased = await tools.person_data.erase(document, actor=_actor(as_), reason=why)
        except NotGoneError:
            _stop("Temporal aún no termina de retirar las historias: repita la orden.", AWAY)
        print(f"Suprimido: {erased.accounts} cuentas y {erased.workflows} historias en Temporal.")

    _run(work)


# ---- Keys


@keys.command("rotate")
def rotate(
    *,
    activate: Annotated[
        bool, typer.Option("--activate", help="Segundo paso: poner a cifrar la clave nueva.")
    ] = False,
    as_: As = None,
) -> None:
    """Rota las claves en dos pasos: primero una clave nueva que todos leen; después, con --activate, cifra."""
    settings = load_settings()
    old = payload_keys.written(settings.payload_keys)
    if activate:
        second = payload_keys.with_second_active(settings.payload_keys)
        if second is None:
            _stop("Hay una sola clave: ejecute primero `keys rotate` y dé su valor a todos los procesos.")
        key_id, changed = second
    else:
        key_id, changed = payload_keys.with_another_key(settings.payload_keys)
    new = payload_keys.written(changed)

    async def work(tools: Tools) -> None:
        # Written down first: without a trail no key is made.
        details = {"key": key_id, "step": "activated" if activate else "added"}
        await tools.audit.record(
            AuditEvent(type=AuditEventType.KEYS_ROTATED, actor=_actor(as_), details=details)
        )
        print(_rotation_text(settings, key_id, old=old, new=new, activate=activate))

    _run(work)


def _rotation_text(settings: Settings, key_id: str, *, old: str, new: str, activate: bool) -> str:
    name = variable("payload_keys")
    step = (
        f"Ahora cifra la clave {key_id}" if activate else f"Clave nueva {key_id}, que por ahora solo descifra"
    )
    file = settings.data_dir / SECRETS_FILE
    if settings.environment == "development" and payload_keys.replace_in(file, name, old=old, new=new):
        where = f"Quedó en {file}; reinicie `make run`."
    else:
        where = f"Dé este valor a todos los procesos (API y workers) y reinícielos:\n{name}={new}"
    then = (
        "Conserve las claves anteriores mientras alguna historia las necesite (la retención de Temporal)."
        if activate
        else "Cuando todos lo tengan, y no antes: python -m mipres.cli keys rotate --activate"
    )
    return f"{step}.\n{where}\n{then}\nTemporal: {settings.temporal_ui_url}"


# ---- Staff


@staff.command("add")
def staff_add(name: StaffName, *, password_stdin: FromStdin = False, as_: As = None) -> None:
    """Crea una cuenta de soporte."""
    password = _new_password(from_stdin=password_stdin)

    async def work(tools: Tools) -> None:
        try:
            await tools.staff.add(name, password, actor=_actor(as_))
        except StaffNameError as error:
            _stop(str(error))
        print(f"Cuenta de soporte creada: {name}")
        _tell_password(password, from_stdin=password_stdin)

    _run(work)


@staff.command("reset")
def staff_reset(name: StaffName, *, password_stdin: FromStdin = False, as_: As = None) -> None:
    """Da otra contraseña a una cuenta, la habilita y cierra sus sesiones."""
    password = _new_password(from_stdin=password_stdin)

    async def work(tools: Tools) -> None:
        await _of_staff(name, tools.staff.reset(name, password, actor=_actor(as_)))
        print(f"Contraseña nueva para {name}; sus sesiones se cerraron.")
        _tell_password(password, from_stdin=password_stdin)

    _run(work)


@staff.command("disable")
def staff_disable(name: StaffName, as_: As = None) -> None:
    """Deshabilita una cuenta y cierra sus sesiones; su rastro queda."""

    async def work(tools: Tools) -> None:
        await _of_staff(name, tools.staff.disable(name, actor=_actor(as_)))
        print(f"Cuenta deshabilitada: {name}")

    _run(work)


@staff.command("list")
def staff_list() -> None:
    """Lista las cuentas de soporte."""

    async def work(tools: Tools) -> None:
        everybody = await tools.staff.everybody()
        if not everybody:
            print("No hay cuentas de soporte: cree una con `staff add`.")
        for member in everybody:
            print(cli_text.staff_line(member))

    _run(work)


async def _of_staff(name: str, change: Awaitable[None]) -> None:
    try:
        await change
    except StaffUnknownError:
        _stop(f"No hay ninguna cuenta de soporte con el nombre {name}.")


def _new_password(*, from_stdin: bool) -> str:
    if not from_stdin:
        return new_password()
    password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < MINIMUM_PASSWORD:
        _misused(f"La contraseña debe tener al menos {MINIMUM_PASSWORD} caracteres.")
    return password


def _tell_password(password: str, *, from_stdin: bool) -> None:
    if not from_stdin:
        print(f"Contraseña: {password}\nEntréguela en persona: no se vuelve a mostrar.")


# ---- What the commands stand on


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a command works with."""

    support: Support
    staff: PostgresStaff
    audit: PostgresAuditTrail
    lockouts: LoginLockouts
    person_data: PersonData


@asynccontextmanager
async def _open_tools(settings: Settings) -> AsyncIterator[Tools]:
    # Lazy, so that commands that need only the database work while Temporal is away.
    client = await connect(
        composition.temporal_connection(settings), identity=f"cli:{_operating_system_user()}", lazy=True
    )
    async with composition.open_engine(settings) as engine:
        support = composition.build_support(settings, engine, client)
        yield Tools(
            support=support,
            staff=composition.build_staff(settings, engine, Hasher()),
            audit=support.audit,
            lockouts=composition.build_lockouts(settings, engine),
            person_data=composition.build_person_data(settings, engine, client),
        )


def _run(work: Callable[[Tools], Awaitable[None]]) -> None:
    """Do it, and tell what is away in one line."""
    settings = load_settings()

    async def everything() -> None:
        async with _open_tools(settings) as tools:
            await work(tools)

    try:
        asyncio.run(everything())
    except UnknownWorkflowError:
        _stop("Temporal no tiene ningún registro con ese radicado.")
    except TemporalUnavailableError:
        _stop(f"Temporal no responde en {settings.temporal_address}.", AWAY)
    except (OSError, SQLAlchemyError) as error:
        # The message may repeat values; its kind says enough.
        _stop(f"La base de datos no responde ({type(error).__name__}).", AWAY)


def _stop(line: str, code: int = NOT_POSSIBLE) -> NoReturn:
    sys.stdout.flush()
    print(line, file=sys.stderr)
    raise typer.Exit(code)


def _misused(line: str) -> NoReturn:
    _stop(line, MISUSED)


def _actor(as_: str | None) -> str:
    name = as_ if as_ is not None else _operating_system_user()
    if not re.fullmatch(r"[\w.-]{2,40}", name):
        _misused("--as: use de 2 a 40 letras, dígitos, punto o guion.")
    return operator(name)


def _operating_system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"uid-{os.getuid()}"


def _reason(text: str) -> str:
    try:
        return checked_reason(text)
    except ReasonRefusedError as error:
        _misused(f"--reason: {error}.")


def _login(text: str) -> str:
    """`cc 1.020.304.050` is the same user as `CC1020304050`."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def _document(type_code: str, number: str) -> Document:
    try:
        return parse_document(type_code.upper(), number)
    except KeyError:
        _misused(f"{type_code}: no es un tipo de documento; use CC, CE, CD, PA, PE, PT o SC.")
    except ValueError as error:
        _misused(f"{error}.")


def _radicado(text: str) -> str:
    if not is_radicado(text.upper()):
        _misused(f"{text}: no es un radicado; son RM- y doce letras o dígitos, como RM-9TK0WVFK6AQB.")
    return text.upper()


def _reference(text: str) -> str:
    """A radicado, or the reference of a recovery."""
    return text.upper() if is_reference(text.upper()) else _radicado(text)


def _waiting_on(name: str | None) -> WaitingOn | None:
    if name is None:
        return None
    if name not in set(WaitingOn):
        _misused(f"--waiting-on: use uno de {', '.join(WaitingOn)}.")
    return WaitingOn(name)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([sm]?)", text)
    if not found:
        _misused("--jitter: use segundos o minutos, como 60s o 5m.")
    return timedelta(**{"minutes" if found[2] == "m" else "seconds": int(found[1])})


def run() -> NoReturn:
    """Run a command and leave at once: the Temporal client's threads may crash a process that ends slowly."""
    code = 0
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
