"""Commands about the second factor of a person."""

import uuid
from collections.abc import Awaitable, Callable

from mipres.cli.accounts import account_id_of, print_registrations
from mipres.cli.arguments import As, Login, Reason, read_actor, read_reason
from mipres.cli.running import Tools, run_with_tools, stop
from mipres.cli.spanish import Commands
from mipres.domain import sentences
from mipres.support.accounts import DecisionRefusedError

second_factor = Commands(help="Segundo factor de una persona que lo perdió.")


@second_factor.command("reset")
def reset(login: Login, reason: Reason, as_: As = None) -> None:
    """Avisa a la persona y, 24 horas después de ese aviso, quita su segundo factor si no lo detiene."""

    async def ask(tools: Tools, account_id: uuid.UUID, why: str) -> None:
        await tools.factor_resets.ask(account_id, reason=why, actor=read_actor(as_))
        print("Restablecimiento pedido. Las 24 horas corren desde que la persona recibe el aviso.")

    _decide(login, reason, ask)


@second_factor.command("cancel")
def cancel(login: Login, reason: Reason, as_: As = None) -> None:
    """Cancela el restablecimiento pendiente; el segundo factor queda como está."""

    async def withdraw(tools: Tools, account_id: uuid.UUID, why: str) -> None:
        await tools.factor_resets.cancel(account_id, reason=why, actor=read_actor(as_))
        print(sentences.RESET_CANCELLED)

    _decide(login, reason, withdraw)


def _decide(login: str, reason: str, decide: Callable[[Tools, uuid.UUID, str], Awaitable[None]]) -> None:
    why = read_reason(reason)

    async def work(tools: Tools) -> None:
        account_id = await account_id_of(tools, login)
        try:
            await decide(tools, account_id, why)
        except DecisionRefusedError as error:
            stop(f"{error}.")
        await print_registrations(tools, account_id)

    run_with_tools(work)
