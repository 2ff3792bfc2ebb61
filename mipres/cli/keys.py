"""Commands about the keys of the payloads."""

from typing import Annotated

import typer

from mipres.cli.arguments import As, read_actor
from mipres.cli.running import Tools, run_with_tools, stop
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.settings import SECRETS_FILE, Settings, load_settings, variable
from mipres.temporal import payload_keys

keys = typer.Typer(no_args_is_help=True, help="Claves que cifran lo que guarda Temporal.")


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
            stop("Hay una sola clave: ejecute primero `keys rotate` y dé su valor a todos los procesos.")
        key_id, changed = second
    else:
        key_id, changed = payload_keys.with_another_key(settings.payload_keys)
    new = payload_keys.written(changed)

    async def work(tools: Tools) -> None:
        # The record comes first: without a trail no key is made.
        details = {"key": key_id, "step": "activated" if activate else "added"}
        await tools.audit.record(
            AuditEvent(type=AuditEventType.KEYS_ROTATED, actor=read_actor(as_), details=details)
        )
        print(_next_steps(settings, key_id, old=old, new=new, activate=activate))

    run_with_tools(work)


def _next_steps(settings: Settings, key_id: str, *, old: str, new: str, activate: bool) -> str:
    """What was done and what the operator does now.

    In development the launcher's file changes by itself.
    """
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
