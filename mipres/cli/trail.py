"""The command that reads and checks the audit trail."""

import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from mipres.cli import text
from mipres.cli.arguments import read_login
from mipres.cli.documents import JsonOption, print_document
from mipres.cli.running import Tools, misused, run_with_tools, stop
from mipres.database.milestones import Milestone
from mipres.domain.audit import AuditEntry, AuditVerdict
from mipres.domain.radicado import read_reference
from mipres.domain.sentences import counted

_HEAD = re.compile(r"\d+:[0-9a-f]{16}", re.ASCII)
_LAST, _MOST = 200, 10_000


def audit(
    target: Annotated[
        str | None, typer.Argument(metavar="RADICADO|LOGIN", help="De quién; sin él, lo último de todos.")
    ] = None,
    *,
    actor: Annotated[
        str | None,
        typer.Option("--actor", help="Solo lo que hizo uno, como `staff:ana.rojas` u `operator:root`."),
    ] = None,
    last: Annotated[
        int, typer.Option("--last", min=1, max=_MOST, help="Cuántas filas, las últimas.")
    ] = _LAST,
    verify: Annotated[
        bool, typer.Option("--verify", help="Comprobar que ninguna fila cambió ni falta.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option("--head", help="Con --verify: una cabeza anotada antes, que debe seguir en la cadena."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Muestra la auditoría de un radicado o de un usuario, o la comprueba."""
    if verify and (target or actor):
        misused("--verify comprueba toda la auditoría: úselo sin radicado, usuario ni --actor.")
    if head is not None and not verify:
        misused("--head es para --verify: sin él no se comprueba nada.")
    if head is not None and not _HEAD.fullmatch(head):
        misused("--head: es un número, dos puntos y dieciséis símbolos, como lo muestra --verify.")

    async def work(tools: Tools) -> None:
        if verify:
            await _verify(tools, head, as_json=as_json)
            return
        reference = read_reference(target) if target else None
        login = read_login(target) if target and not reference else None
        entries = await tools.audit.entries(reference=reference, login=login, actor=actor, limit=last)
        if as_json:
            print_document({"entries": entries})
        if not entries:
            stop(_nothing(target, actor))
        if not as_json:
            _print_entries(tools, entries)
        if len(entries) == last:
            print(f"Se muestran solo las últimas filas ({last}): con --last se ven más.", file=sys.stderr)

    run_with_tools(work)


def _nothing(target: str | None, actor: str | None) -> str:
    if target is None and actor is None:
        return "La auditoría aún no tiene filas."
    return "La auditoría no tiene nada de eso: revise el radicado, el usuario o el nombre de quien actuó."


def _print_entries(tools: Tools, entries: Sequence[AuditEntry]) -> None:
    for entry in entries:
        print(text.entry_line(entry))
    for named in dict.fromkeys(entry.reference for entry in entries if entry.reference):
        print(f"En Temporal: {tools.support.desk.url_of(named)}")


async def _verify(tools: Tools, head: str | None, *, as_json: bool) -> None:
    verdict = await tools.audit.verify()
    if as_json:
        print_document(verdict)
    if verdict.missing_key is not None:
        stop(f"La fila {verdict.broken_at} no se puede comprobar: {verdict.problem}.")
    if not verdict.is_intact:
        stop(f"La auditoría fue alterada en la fila {verdict.broken_at}: {verdict.problem}.")
    if head is not None and not await tools.audit.holds(head):
        stop(f"La cabeza {head} ya no está en la cadena: se perdieron sus últimas filas, o se rehízo.")
    if not as_json:
        _print_verdict(verdict)
    await tools.milestones.reach(Milestone.AUDIT_VERIFICATION)


def _print_verdict(verdict: AuditVerdict) -> None:
    rows = counted(verdict.checked, "fila, como se escribió", "filas, todas como se escribieron")
    print(f"{rows}.")
    if verdict.head:
        print(f"Cabeza: {verdict.head} (anótela fuera de este sistema y compruébela con --head)")
