"""Commands about registrations: find, show and list them, and act on them."""

from datetime import timedelta
from typing import Annotated

import typer

from mipres.cli import text
from mipres.cli.arguments import (
    As,
    DocumentNumber,
    DocumentType,
    Radicado,
    Reason,
    WaitingOnOption,
    read_actor,
    read_document,
    read_duration,
    read_radicado,
    read_reason,
    read_reference,
    read_waiting_on,
)
from mipres.cli.running import AWAY, NOT_POSSIBLE, Tools, misused, run_with_tools, stop
from mipres.domain.stages import WaitingOn
from mipres.support.desk import Action, ActionRefusedError, ActionUnansweredError
from mipres.temporal import names
from mipres.temporal.answers import UnknownWorkflowError


def find(tipo: DocumentType, numero: DocumentNumber, as_: As = None) -> None:
    """Busca los registros y recuperaciones de un documento."""
    document = read_document(tipo, numero)

    async def work(tools: Tools) -> None:
        known = await tools.support.find(document, actor=read_actor(as_))
        for line in text.person_lines(known.person):
            print(line)
        if not known.cases:
            stop("Ningún registro de este documento está en Temporal.")
        for case in known.cases:
            print(text.case_line(case))

    run_with_tools(work)


def show(
    radicado: Radicado,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help="Con un motivo se muestran los datos de la persona sin ocultar."),
    ] = None,
    as_: As = None,
) -> None:
    """Muestra un registro: etapa, qué espera, su último error y la cuenta."""
    reference, why = read_reference(radicado), None if reason is None else read_reason(reason)

    async def work(tools: Tools) -> None:
        case, person = await tools.support.show(reference, actor=read_actor(as_), reason=why)
        print(text.joined(text.case_lines(case, person)))

    run_with_tools(work)


def stuck(waiting_on: WaitingOnOption = None) -> None:
    """Lista los registros atascados, el más antiguo primero, y los que Temporal interrumpió."""
    wanted = read_waiting_on(waiting_on)

    async def work(tools: Tools) -> None:
        cases = await tools.support.desk.stuck(waiting_on=wanted)
        print(f"{len(cases)} registros atascados" if cases else "Ningún registro está atascado.")
        for case in cases:
            print(text.case_line(case))
        print(f"En Temporal: {tools.support.desk.url_of_list(names.stuck_on(wanted))}")
        if wanted is None and (cut_off := await tools.support.cut_off()):
            print(
                f"{len(cut_off)} registros interrumpidos: la persona aún espera y debe registrarse de nuevo"
            )
            for case in cut_off:
                print(text.case_line(case))
            print(f"En Temporal: {tools.support.desk.url_of_list(names.CUT_OFF)}")

    run_with_tools(work)


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
    why, spread, wanted = read_reason(reason), read_duration(jitter), read_waiting_on(waiting_on)
    if (radicado is None) == (wanted is None):
        misused("Diga un radicado, o --waiting-on para reintentar todos los que esperan lo mismo.")
    if wanted is not None:
        run_with_tools(
            lambda tools: _retry_all(tools, wanted, why, spread, None if dry_run else read_actor(as_))
        )
    elif radicado is not None:
        if dry_run:
            misused("--dry-run es para --waiting-on.")
        _act(Action.RETRY, radicado, why, as_, "Reintento pedido")


async def _retry_all(
    tools: Tools, waiting_on: WaitingOn, reason: str, jitter: timedelta, actor: str | None
) -> None:
    """Without an actor this is the dry run, which does nothing."""
    cases = await tools.support.desk.waiting(waiting_on)
    url = tools.support.desk.url_of_list(names.waiting_for(waiting_on))
    print(f"{len(cases)} registros esperan a {waiting_on}: {url}")
    if actor is None:
        for case in cases:
            print(text.case_line(case))
        print("Simulación: no se reintentó ninguno.")
        return
    failed = 0
    async for result in tools.support.retry_all(cases, reason=reason, actor=actor, jitter=jitter):
        failed += result.failed
        print(f"{result.case.reference} · {result.feedback}\n  {result.case.ui_url}")
    print(f"{len(cases) - failed} reintentados o ya resueltos, {failed} sin respuesta.")
    if failed:
        raise typer.Exit(NOT_POSSIBLE)


def resend(radicado: Radicado, reason: Reason, as_: As = None) -> None:
    """Envía otro enlace para crear la contraseña; el anterior deja de servir."""
    _act(Action.RESEND, radicado, read_reason(reason), as_, "Otro enlace pedido")


def cancel(radicado: Radicado, reason: Reason, as_: As = None) -> None:
    """Cancela un registro y deshace lo que creó; nunca toca una cuenta en uso."""
    _act(Action.CANCEL, radicado, read_reason(reason), as_, "Registro cancelado")


def _act(action: Action, radicado: str, reason: str, as_: str | None, done: str) -> None:
    reference = read_radicado(radicado)

    async def work(tools: Tools) -> None:
        url = tools.support.desk.url_of(reference)
        try:
            await tools.support.act(action, reference, reason=reason, actor=read_actor(as_))
        except UnknownWorkflowError:
            stop(f"Ningún registro en curso tiene ese radicado.\n  {url}")
        except ActionRefusedError as error:
            stop(f"El registro no lo admite: {error.message}.\n  {url}")
        except ActionUnansweredError:
            stop(f"Nadie lo confirmó a tiempo: ¿corre algún worker? Puede que aún se haga.\n  {url}", AWAY)
        print(f"{done}: {reference}\n  {url}")

    run_with_tools(work)
