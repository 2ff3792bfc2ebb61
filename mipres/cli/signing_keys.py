"""`keys rotate signing`: the keys that sign what applications get, in their own file."""

from collections.abc import Callable
from pathlib import Path

from joserfc.jwk import KeySet

from mipres import composition
from mipres.cli.arguments import read_actor
from mipres.cli.running import Tools, run_with_tools, stop
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.oidc_keys import (
    PUBLISHED_SECONDS,
    keys_of_development,
    only_active,
    read_keys,
    with_another,
    with_newest_active,
    write_keys,
)
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings

SIGNING = "signing"
_CHANGES: dict[str, Callable[[KeySet], KeySet]] = {
    "added": with_another,
    "activated": with_newest_active,
    "retired": only_active,
}
_COMMAND = f"python -m mipres.cli keys rotate {SIGNING}"
_MINUTES = 2 * PUBLISHED_SECONDS // 60
_RESULTS = {
    "added": (
        "Nueva clave de firma: {kid}. Está publicada y todavía no firma.\n"
        f"Pasados {_MINUTES} minutos, cuando las aplicaciones la conozcan: {_COMMAND} --activate"
    ),
    "activated": (
        "La clave de firma activa es ahora {kid}; las anteriores siguen publicadas.\n"
        f"Pasados {_MINUTES} minutos, cuando venza lo que firmaron: {_COMMAND} --retire"
    ),
    "retired": "La única clave de firma es ahora {kid}: lo que firmó cualquier otra ya no vale.",
}


def rotate_signing_keys(step: str, *, as_: str | None) -> None:
    """Do one step of a rotation: the processes that read the file follow by themselves."""
    settings, actor = load_settings(), read_actor(as_)
    path = composition.signing_keys_file(settings)
    keys = _read(settings, path)
    if step != "added" and len(keys.keys) == 1:
        stop(f"Hay una sola clave de firma: ejecute primero `{_COMMAND}`.")
    changed = _CHANGES[step](keys)
    kid = str((changed.keys[-1] if step == "added" else changed.keys[0]).kid)

    async def work(tools: Tools) -> None:
        # The record comes first: without a trail no key is made.
        details = {"kind": SIGNING, "key": kid, "step": step}
        await tools.audit.record(AuditEvent(type=AuditEventType.KEYS_ROTATED, actor=actor, details=details))
        try:
            write_keys(path, changed)
        except OSError as error:
            stop(f"No se pudo cambiar {path} ({type(error).__name__}).")
        print(f"{_RESULTS[step].format(kid=kid)}\nQuedó en {path}; no hay que reiniciar ningún proceso.")

    run_with_tools(work)


def _read(settings: Settings, path: Path) -> KeySet:
    return (read_keys if settings.oidc_keys_file else keys_of_development)(path).all
