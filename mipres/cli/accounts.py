"""Commands about citizens' accounts."""

import uuid
from typing import Annotated

import typer

from mipres.cli import text
from mipres.cli.arguments import (
    As,
    Login,
    Reason,
    read_actor,
    read_document,
    read_login,
    read_proof,
    read_radicado,
    read_reason,
)
from mipres.cli.documents import JsonOption, print_document
from mipres.cli.running import Tools, run_with_tools, stop
from mipres.cli.spanish import Commands
from mipres.domain import sentences
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.second_factor import guarded_factor
from mipres.support.accounts import Decision, DecisionRefusedError, UnknownAccountError

ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="Radicado del único perfil de que se trata; sin él, toda la cuenta."),
]
account = Commands(help="Acceso de una persona: verlo, suspenderlo y devolverlo.")


@account.command("show")
def show(
    login: Login,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help=sentences.SHOWN_WITH_REASON),
    ] = None,
    as_: As = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Muestra perfiles y sus estados, últimos ingresos, sesiones y enlaces abiertos."""
    why = None if reason is None else read_reason(reason)

    async def work(tools: Tools) -> None:
        account_id = await account_id_of(tools, login)
        view = await tools.accounts.show(account_id, actor=read_actor(as_), reason=why)
        if as_json:
            print_document(view)
        else:
            print(text.joined(text.account_lines(view, url_of=tools.support.desk.url_of)))

    run_with_tools(work)


@account.command("suspend")
def suspend(login: Login, reason: Reason, profile: ProfileOption = None, as_: As = None) -> None:
    """Suspende la cuenta y cierra sus sesiones, o suspende un perfil. No borra nada."""
    _decide(Decision.SUSPEND, login, reason, profile=profile, as_=as_)


@account.command("reinstate")
def reinstate(login: Login, reason: Reason, profile: ProfileOption = None, as_: As = None) -> None:
    """Vuelve a abrir la cuenta o el perfil que soporte suspendió."""
    _decide(Decision.REINSTATE, login, reason, profile=profile, as_=as_)


@account.command("end-sessions")
def end_sessions(login: Login, reason: Reason, as_: As = None) -> None:
    """Cierra todas las sesiones abiertas; la persona puede volver a ingresar."""
    _decide(Decision.END_SESSIONS, login, reason, profile=None, as_=as_)


@account.command("join")
def join(
    old: Annotated[str, typer.Argument(help="Usuario del documento anterior, por ejemplo PT1234567.")],
    new: Annotated[str, typer.Argument(help="Usuario del documento nuevo.")],
    reason: Reason,
    proof: Annotated[
        str,
        typer.Option(
            "--proof", help="Referencia de la prueba del cambio de documento, sin datos de la persona."
        ),
    ],
    as_: As = None,
) -> None:
    """Une la cuenta de un documento reemplazado a la del documento nuevo. No se deshace."""
    why, reference = read_reason(reason), read_proof(proof)

    async def work(tools: Tools) -> None:
        old_id, new_id = await account_id_of(tools, old), await account_id_of(tools, new)
        try:
            done = await tools.joins.join(old_id, new_id, reason=why, proof=reference, actor=read_actor(as_))
        except DecisionRefusedError as error:
            stop(f"{error}.")
        print(text.joined(text.join_lines(done, url_of=tools.support.desk.url_of)))

    run_with_tools(work)


def unlock(login: Login, reason: Reason, as_: As = None) -> None:
    """Desbloquea el ingreso de un usuario después de muchos intentos fallidos."""
    name, why = read_login(login), read_reason(reason)
    document = read_document(name[:2], name[2:])

    async def work(tools: Tools) -> None:
        # The record comes first: without a trail nothing is done.
        await tools.audit.record(
            AuditEvent(type=AuditEventType.UNLOCKED, actor=read_actor(as_), login=document.login, reason=why)
        )
        logins = (document.login, guarded_factor(document.login))
        lifted = any([await tools.lockouts.lift(login) for login in logins])
        print("Ingreso desbloqueado." if lifted else sentences.NEVER_LOCKED)
        known = await tools.support.find(document, actor=read_actor(as_))
        for case in known.cases:
            print(text.case_line(case))

    run_with_tools(work)


def _decide(decision: Decision, login: str, reason: str, *, profile: str | None, as_: str | None) -> None:
    why, radicado = read_reason(reason), read_radicado(profile) if profile else None

    async def work(tools: Tools) -> None:
        account_id = await account_id_of(tools, login)
        try:
            ended = await tools.accounts.decide(
                decision, account_id, reason=why, actor=read_actor(as_), radicado=radicado
            )
        except UnknownAccountError:
            stop(f"La cuenta no tiene ningún perfil con el radicado {radicado}.")
        except DecisionRefusedError as error:
            stop(f"{error}.")
        print(text.decision_line(decision, ended=ended, radicado=radicado))
        await print_registrations(tools, account_id, only=radicado)

    run_with_tools(work)


async def print_registrations(tools: Tools, account_id: uuid.UUID, *, only: str | None = None) -> None:
    """Print where each registration of an account, or only one, is in Temporal's interface."""
    for radicado in [only] if only else await tools.accounts.radicados_of(account_id):
        print(f"  {tools.support.desk.url_of(radicado)}")


async def account_id_of(tools: Tools, login: str) -> uuid.UUID:
    """The account of a login, or the end of the command."""
    try:
        return await tools.accounts.id_of(read_login(login))
    except UnknownAccountError:
        stop("Ninguna cuenta tiene ese usuario.")
