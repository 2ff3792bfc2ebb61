"""Commands about the keys that operators make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from mipres import key_rings
from mipres.cli.arguments import As, read_actor
from mipres.cli.running import Tools, misused, run_with_tools, stop
from mipres.cli.signing_keys import SIGNING, rotate_signing_keys
from mipres.cli.spanish import Commands
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from mipres.settings.names import SECRETS_FILE, variable

keys = Commands(help="Claves propias del producto.")

_Ring = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _KeyKind:
    """One kind of key, and how its ring stands in the settings.

    Attributes:
        title: What operators call it.
        read: The ring, the active key first.
        values: The variables that hold a ring, by name.
        fresh: Makes a new key.
        before_activation: What must be true before the new key becomes the active one.
        before_removal: When the older keys may go; None where they never may.
    """

    title: str
    read: Callable[[Settings], _Ring]
    values: Callable[[_Ring], dict[str, str]]
    fresh: Callable[[], str]
    before_activation: str = "Cuando todos los procesos lo tengan, y no antes"
    before_removal: str | None


def _numbered(secrets: list[str]) -> dict[str, str]:
    """A list of secrets as a ring; its ids count from the oldest."""
    return {f"{len(secrets) - index}": secret for index, secret in enumerate(secrets)}


def _secret_ring(settings: Settings) -> _Ring:
    secrets = [settings.secret_key, *settings.secret_key_previous]
    return _numbered([secret.get_secret_value() for secret in secrets])


def _secret_values(ring: _Ring) -> dict[str, str]:
    active, *others = ring.values()
    return {variable("secret_key"): active, variable("secret_key_previous"): ",".join(others)}


_KINDS = {
    "payload": _KeyKind(
        title="clave de cifrado de Temporal",
        read=lambda settings: key_rings.in_base64(settings.payload_keys),
        values=lambda ring: {variable("payload_keys"): key_rings.written(ring)},
        fresh=key_rings.fresh_key,
        before_removal="Cuando ninguna historia las necesite (la retención de Temporal)",
    ),
    "audit": _KeyKind(
        title="clave de la auditoría",
        read=lambda settings: key_rings.in_base64(settings.audit_keys),
        values=lambda ring: {variable("audit_keys"): key_rings.written(ring)},
        fresh=key_rings.fresh_key,
        before_removal=None,
    ),
    "secret": _KeyKind(
        title="clave secreta",
        read=_secret_ring,
        values=_secret_values,
        fresh=key_rings.fresh_secret,
        before_removal="Cuando hayan terminado los registros y enlaces de antes (35 días)",
    ),
    "api": _KeyKind(
        title="clave de la API",
        read=lambda settings: _numbered([key.get_secret_value() for key in settings.api_keys]),
        values=lambda ring: {variable("api_keys"): ",".join(ring.values())},
        fresh=key_rings.fresh_secret,
        before_activation="Entregue la clave nueva a los programas clientes; cuando todos la usen",
        before_removal="Cuando ningún programa cliente use las anteriores",
    ),
}


@keys.command("rotate")
def rotate(
    kind: Annotated[
        str, typer.Argument(metavar="payload|audit|secret|api|signing", help="Qué clave.")
    ] = "payload",
    *,
    activate: Annotated[
        bool, typer.Option("--activate", help="Segundo paso: la clave nueva pasa a ser la activa.")
    ] = False,
    retire: Annotated[
        bool, typer.Option("--retire", help="Último paso: quitar las claves anteriores a la activa.")
    ] = False,
    as_: As = None,
) -> None:
    """Rota una clave por pasos: una nueva que todos leen; --activate la hace activa; --retire quita las otras."""
    if activate and retire:
        misused("Use --activate o --retire, no ambas.")
    step = "activated" if activate else "retired" if retire else "added"
    if kind == SIGNING:
        rotate_signing_keys(step, as_=as_)
        return
    known = _KINDS.get(kind)
    if known is None:
        misused(f"No hay claves de tipo {kind}: use {', '.join((*_KINDS, SIGNING))}.")
    settings = load_settings()
    ring = known.read(settings)
    if not ring:
        stop(f"{', '.join(known.values({'': ''}))}: falta; defínala primero.")
    key_id, changed = _changed(known, ring, step)

    async def work(tools: Tools) -> None:
        # The record comes first: without a trail no key is made.
        details = {"kind": kind, "key": key_id, "step": step}
        await tools.audit.record(
            AuditEvent(type=AuditEventType.KEYS_ROTATED, actor=read_actor(as_), details=details)
        )
        if kind == "payload" and step != "added":
            await tools.reseal(settings.payload_keys, key_id)
        print(_next_steps(settings, kind, key_id, step=step, changed=changed))

    run_with_tools(work)


def _changed(kind: _KeyKind, ring: _Ring, step: str) -> tuple[str, _Ring]:
    if step == "added":
        return key_rings.with_another_key(ring, kind.fresh)
    if step == "retired" and kind.before_removal is None:
        stop(
            "Las claves anteriores de la auditoría no se quitan: sin ellas sus filas no se pueden comprobar."
        )
    changed = (key_rings.with_second_active if step == "activated" else key_rings.only_active)(ring)
    if changed is None:
        stop("Hay una sola clave: ejecute primero `keys rotate` y dé su valor a todos los procesos.")
    return changed


def _next_steps(settings: Settings, kind: str, key_id: str, *, step: str, changed: _Ring) -> str:
    """What was done and what the operator does now.

    In development the launcher's file changes by itself.
    """
    known = _KINDS[kind]
    old, new = known.values(known.read(settings)), known.values(changed)
    told = {
        "added": f"Nueva {known.title}: {key_id}. Por ahora solo se lee con ella",
        "activated": f"La {known.title} activa es ahora {key_id}",
        "retired": f"La única {known.title} es ahora {key_id}",
    }
    file = settings.data_dir / SECRETS_FILE
    if settings.environment == "development" and key_rings.replace_in(file, old=old, new=new):
        where = f"Quedó en {file}; reinicie `make run`."
    else:
        lines = "\n".join(f"{name}={value}" for name, value in new.items())
        where = f"Dé esto a todos los procesos (API y workers) y reinícielos:\n{lines}"
    command = f"python -m mipres.cli keys rotate {kind}"
    then = {
        "added": f"{known.before_activation}: {command} --activate",
        "activated": f"{known.before_removal}: {command} --retire"
        if known.before_removal
        else "Conserve las claves anteriores: comprueban las filas que sellaron.",
        "retired": "Borre las claves anteriores de donde las guarde.",
    }
    return f"{told[step]}.\n{where}\n{then[step]}\nTemporal: {settings.temporal_ui_url}"
