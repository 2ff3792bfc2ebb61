"""Commands about registrations: find, show and list them, and act on them."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from mipres.cli.documents import JsonOption, print_document
from mipres.cli.running import AWAY, NOT_POSSIBLE, Tools, misused, run_with_tools, stop
from mipres.domain import sentences
from mipres.domain.sentences import counted
from mipres.domain.stages import WaitingOn
from mipres.support.desk import Action, ActionRefusedError, ActionUnansweredError, Case
from mipres.support.mails import WaitingMail
from mipres.temporal import names
from mipres.temporal.answers import UnknownWorkflowError


def find(tipo: DocumentType, numero: DocumentNumber, as_: As = None, *, as_json: JsonOption = False) -> None:
    """Busca los registros y recuperaciones de un documento."""
    document = read_document(tipo, numero)

    async def work(tools: Tools) -> None:
        known = await tools.support.find(document, actor=read_actor(as_))
        if as_json:
            print_document(known)
        else:
            print(text.joined((*text.person_lines(known.person), *map(text.case_line, known.cases))))
        if not known.cases:
            stop("Ningún registro de este documento está en Temporal.")

    run_with_tools(work)


def show(
    radicado: Radicado,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help=sentences.SHOWN_WITH_REASON),
    ] = None,
    as_: As = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Muestra un registro: etapa, qué espera, su último error y la cuenta."""
    reference, why = read_reference(radicado), None if reason is None else read_reason(reason)

    async def work(tools: Tools) -> None:
        case, person = await tools.support.show(reference, actor=read_actor(as_), reason=why)
        if as_json:
            print_document({"case": case, "person": person})
        else:
            print(text.joined(text.case_lines(case, person)))

    run_with_tools(work)


def stuck(waiting_on: WaitingOnOption = None, *, as_json: JsonOption = False) -> None:
    """Lista los registros atascados, el más antiguo primero, y los que Temporal interrumpió."""
    wanted = read_waiting_on(waiting_on)

    async def work(tools: Tools) -> None:
        cases = await tools.support.desk.stuck(waiting_on=wanted)
        if as_json:
            cut_off = await tools.support.cut_off() if wanted is None else []
            print_document({"stuck": cases, "cut_off": cut_off})
            return
        count = counted(len(cases), "registro atascado", "registros atascados")
        print(count if cases else "Ningún registro está atascado.")
        for case in cases:
            print(text.case_line(case))
        print(f"En Temporal: {tools.support.desk.url_of_list(names.stuck_on(wanted))}")
        # It asks the database too, which may be what everybody here waits for.
        _list_cut_off(tools, await tools.support.cut_off() if wanted is None else [])

    run_with_tools(work)


def _list_cut_off(tools: Tools, cases: Sequence[Case]) -> None:
    """List the registrations that nothing continues: the person must register again."""
    if not cases:
        return
    count = counted(len(cases), "registro interrumpido", "registros interrumpidos")
    print(f"{count}: la persona aún espera y debe registrarse de nuevo")
    for case in cases:
        print(text.case_line(case))
    print(f"En Temporal: {tools.support.desk.url_of_list(names.CUT_OFF)}")


DryRun = Annotated[bool, typer.Option("--dry-run", help="Solo decir cuáles, sin hacer nada.")]
Jitter = Annotated[str, typer.Option("--jitter", help="En cuánto tiempo repartirlos, por ejemplo 60s o 5m.")]
RadicadoOrAll = Annotated[str | None, typer.Argument(help="Número de radicado; sin él, use --waiting-on.")]


def retry(  # noqa: PLR0913 - one for each option.
    reason: Reason,
    radicado: RadicadoOrAll = None,
    waiting_on: WaitingOnOption = None,
    *,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
    jitter: Jitter = "60s",
    as_: As = None,
) -> None:
    """Reintenta ya lo que un registro espera; o, después de una caída, todos los que esperan lo mismo."""
    bulk = _Bulk(
        action=Action.RETRY,
        reason=read_reason(reason),
        spread=read_duration(jitter),
        as_=as_,
        as_json=as_json,
    )
    _one_or_all(bulk, radicado, read_waiting_on(waiting_on), dry_run=dry_run, done="Reintento pedido")


def resend(  # noqa: PLR0913 - one for each option.
    reason: Reason,
    radicado: RadicadoOrAll = None,
    waiting_on: WaitingOnOption = None,
    *,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
    jitter: Jitter = "60s",
    as_: As = None,
) -> None:
    """Envía otro enlace, y el anterior deja de servir; o, con --waiting-on mail_address, a todos los rechazados."""
    wanted = read_waiting_on(waiting_on)
    if wanted not in {None, WaitingOn.MAIL_ADDRESS}:
        misused("resend --waiting-on: solo mail_address; lo demás sigue solo, o con retry.")
    bulk = _Bulk(
        action=Action.RESEND,
        reason=read_reason(reason),
        spread=read_duration(jitter),
        as_=as_,
        as_json=as_json,
    )
    _one_or_all(bulk, radicado, wanted, dry_run=dry_run, done="Otro enlace pedido")


@dataclass(frozen=True, kw_only=True)
class _Bulk:
    """What to do with one registration or with many."""

    action: Action
    reason: str
    spread: timedelta
    as_: str | None
    as_json: bool


def _one_or_all(
    bulk: _Bulk, radicado: str | None, waiting_on: WaitingOn | None, *, dry_run: bool, done: str
) -> None:
    if bulk.as_json and not dry_run:
        misused("--json es para --dry-run: lo demás se pide, no se lee.")
    if (radicado is None) == (waiting_on is None):
        misused("Diga un radicado, o --waiting-on para todos los que esperan lo mismo.")
    if waiting_on is not None:
        actor = None if dry_run else read_actor(bulk.as_)
        run_with_tools(lambda tools: _act_on_all(tools, bulk, waiting_on, actor))
    elif radicado is not None:
        if dry_run:
            misused("--dry-run es para --waiting-on.")
        _act(bulk.action, radicado, bulk.reason, bulk.as_, done)


async def _act_on_all(tools: Tools, bulk: _Bulk, waiting_on: WaitingOn, actor: str | None) -> None:
    """Without an actor this is the dry run, which does nothing."""
    desk = tools.support.desk
    cases = await desk.waiting(waiting_on)
    # Notices and recoveries wait for the mail server too, and no registration says so.
    mails = await desk.mails.waiting() if _reaches_mails(bulk.action, waiting_on) else []
    if bulk.as_json:
        print_document({"registrations": cases, "mails": mails})
        return
    count = counted(len(cases), "registro espera", "registros esperan")
    print(f"{count} a {waiting_on}: {desk.url_of_list(names.waiting_for(waiting_on))}")
    if mails:
        count = counted(len(mails), "aviso o enlace más espera", "avisos y enlaces más esperan")
        print(f"{count} al servidor de correo.")
    if actor is None:
        for line in (*map(text.case_line, cases), *map(text.mail_line, mails)):
            print(line)
        print("Simulación: no se hizo nada.")
        return
    failed = await _act_on_each(tools, bulk, cases, actor)
    if mails:
        failed += await _retry_mails(tools, bulk, mails, actor)
    count = counted(len(cases) + len(mails) - failed, "pedido o ya resuelto", "pedidos o ya resueltos")
    print(f"{count}, {failed} sin hacer.")
    if failed:
        raise typer.Exit(NOT_POSSIBLE)


def _reaches_mails(action: Action, waiting_on: WaitingOn) -> bool:
    return action is Action.RETRY and waiting_on is WaitingOn.MAIL


async def _act_on_each(tools: Tools, bulk: _Bulk, cases: Sequence[Case], actor: str) -> int:
    failed = 0
    async for result in tools.support.act_on_all(
        bulk.action, cases, reason=bulk.reason, actor=actor, jitter=bulk.spread
    ):
        failed += result.failed
        print(f"{result.case.reference} · {result.feedback}\n  {result.case.ui_url}")
    return failed


async def _retry_mails(tools: Tools, bulk: _Bulk, mails: Sequence[WaitingMail], actor: str) -> int:
    failed = 0
    async for result in tools.support.retry_mails(mails, reason=bulk.reason, actor=actor, jitter=bulk.spread):
        failed += result.failed
        print(f"{result.mail.workflow_id} · {result.mail.step} · {result.feedback}\n  {result.mail.ui_url}")
    return failed


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
            stop(f"{sentences.NOT_ADMITTED}: {error.message}.\n  {url}")
        except ActionUnansweredError:
            stop(f"{sentences.UNCONFIRMED}.\n  {url}", AWAY)
        print(f"{done}: {reference}\n  {url}")

    run_with_tools(work)
