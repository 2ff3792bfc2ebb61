"""Commands for a person's rights over the data that the product holds."""

import json

from mipres.cli.arguments import (
    As,
    DocumentNumber,
    DocumentType,
    Reason,
    read_actor,
    read_document,
    read_reason,
)
from mipres.cli.running import AWAY, Tools, run_with_tools, stop
from mipres.cli.spanish import Commands
from mipres.domain.sentences import counted
from mipres.support.person_data import NotGoneError, as_json_value

person = Commands(help="Derechos de una persona sobre sus datos (Ley 1581 de 2012).")


@person.command("export")
def export(tipo: DocumentType, numero: DocumentNumber, reason: Reason, as_: As = None) -> None:
    """Escribe en JSON todo lo que se guarda de una persona, para entregárselo."""
    document, why = read_document(tipo, numero), read_reason(reason)

    async def work(tools: Tools) -> None:
        held = await tools.person_data.export(document, actor=read_actor(as_), reason=why)
        print(json.dumps(held, ensure_ascii=False, indent=2, default=as_json_value))

    run_with_tools(work)


@person.command("erase")
def erase(tipo: DocumentType, numero: DocumentNumber, reason: Reason, as_: As = None) -> None:
    """Suprime todo lo que se guarda de una persona: la cuenta y sus historias en Temporal. No se puede deshacer."""
    document, why = read_document(tipo, numero), read_reason(reason)

    async def work(tools: Tools) -> None:
        try:
            erased = await tools.person_data.erase(document, actor=read_actor(as_), reason=why)
        except NotGoneError:
            stop("Temporal aún no termina de retirar las historias: repita la orden.", AWAY)
        accounts = counted(erased.accounts, "cuenta", "cuentas")
        histories = counted(erased.workflows, "historia", "historias")
        print(f"Suprimido: {accounts} y {histories} en Temporal.")

    run_with_tools(work)
