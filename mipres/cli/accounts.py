"""Commands about citizens' accounts."""

from mipres.cli import text
from mipres.cli.arguments import As, Login, Reason, read_actor, read_document, read_login, read_reason
from mipres.cli.running import Tools, run_with_tools
from mipres.domain.audit import AuditEvent, AuditEventType


def unlock(login: Login, reason: Reason, as_: As = None) -> None:
    """Desbloquea el ingreso de un usuario después de muchos intentos fallidos."""
    name, why = read_login(login), read_reason(reason)
    document = read_document(name[:2], name[2:])

    async def work(tools: Tools) -> None:
        # The record comes first: without a trail nothing is done.
        await tools.audit.record(
            AuditEvent(type=AuditEventType.UNLOCKED, actor=read_actor(as_), login=document.login, reason=why)
        )
        lifted = await tools.lockouts.lift(document.login)
        print("Ingreso desbloqueado." if lifted else "El ingreso no tenía intentos fallidos ni bloqueo.")
        known = await tools.support.find(document, actor=read_actor(as_))
        for case in known.cases:
            print(text.case_line(case))

    run_with_tools(work)
