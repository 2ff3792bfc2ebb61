"""Commands about the applications that log people in here."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from mipres import composition
from mipres.cli import text
from mipres.cli.arguments import As, read_actor
from mipres.cli.documents import JsonOption, print_document
from mipres.cli.running import Tools, misused, run_with_tools, stop
from mipres.cli.spanish import Commands
from mipres.domain import sentences
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.clients import Audience, UnusableClientError, secret_hash
from mipres.domain.sentences import counted
from mipres.oidc_clients import ClientsFile, Entries, UnwritableClientsError, usable
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from mipres.settings.names import file_of, variable

_FIELD = "oidc_clients"
_SECRET_BYTES = 32
_LONGEST_OVERLAP = 24 * 30
_NO_RESTART = "La API y los workers que leen el mismo archivo ya lo conocen: no hay que reiniciarlos."
# What proves who an application is, and where the one before the last rotation stands.
_PROOFS = {
    "client_secret_hash": ("previous_secret_hash", "previous_secret_until"),
    "jwks": ("previous_jwks", "previous_jwks_until"),
}

ClientId = Annotated[str, typer.Argument(help="Identificador de la aplicación, como historia-clinica.")]
Hours = Annotated[
    int,
    typer.Option("--hours", min=1, max=_LONGEST_OVERLAP, help="Horas en que lo anterior todavía sirve."),
]
Now = Annotated[bool, typer.Option("--now", help="Lo anterior deja de servir ya, como cuando se filtró.")]
_NAME = typer.Option("--name", help="Nombre que ven las personas.")
_REDIRECT = typer.Option("--redirect-uri", help="Dirección que recibe los códigos; se puede repetir.")
_AFTER_LOGOUT = typer.Option(
    "--post-logout-redirect-uri", help="Dirección después de salir; se puede repetir."
)
_BACKCHANNEL = typer.Option("--backchannel-logout-uri", help="Dirección que recibe los cierres.")
_START = typer.Option("--start-uri", help="Dirección de entrada; ahí lleva el ingreso.")
_AUDIENCE = typer.Option("--audience", help=f"Quién ingresa: {', '.join(Audience)}.")
_JWKS = typer.Option(
    "--jwks",
    exists=True,
    dir_okay=False,
    help="JSON Web Key Set con sus claves públicas; se identifica con ellas y no tiene secreto.",
)

applications = Commands(help="Aplicaciones que ingresan personas por aquí.")


@applications.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Lista las aplicaciones; nunca muestra un secreto."""
    settings = load_settings()
    path = composition.clients_file(settings)
    try:
        known = list(composition.build_clients(settings).values())
    except UnusableClientError as error:
        misused(f"{path}: {error}")
    if as_json:
        print_document({"applications": known, "can_be_changed": path is not None})
        return
    if not known:
        print("No hay aplicaciones.")
    for client in known:
        print(text.client_line(client, now=datetime.now(UTC)))
    if path is None:
        print(_where_they_stand(settings))


@applications.command("add")
def add(  # noqa: PLR0913 - one for each field of a client.
    client_id: ClientId,
    *,
    name: Annotated[str, _NAME],
    redirect_uri: Annotated[list[str], _REDIRECT],
    post_logout_redirect_uri: Annotated[list[str] | None, _AFTER_LOGOUT] = None,
    backchannel_logout_uri: Annotated[str | None, _BACKCHANNEL] = None,
    start_uri: Annotated[str | None, _START] = None,
    audience: Annotated[str, _AUDIENCE] = Audience.EVERYBODY.value,
    require_second_factor: Annotated[
        bool, typer.Option("--require-second-factor", help="Exige segundo factor.")
    ] = False,
    external: Annotated[
        bool, typer.Option("--external", help="No es del Estado: cada persona autoriza primero.")
    ] = False,
    jwks: Annotated[Path | None, _JWKS] = None,
    as_json: JsonOption = False,
    as_: As = None,
) -> None:
    """Agrega una aplicación; muestra su secreto una sola vez, si no se identifica con claves."""
    secret = None if jwks else _new_secret()
    entry = {
        "client_id": client_id,
        "client_name": name,
        **({"client_secret_hash": secret_hash(secret)} if secret else {"jwks": _json_in(jwks)}),
        "redirect_uris": redirect_uri,
        "post_logout_redirect_uris": post_logout_redirect_uri or [],
        "backchannel_logout_uri": backchannel_logout_uri,
        "start_uri": start_uri,
        "audience": audience,
        "require_second_factor": require_second_factor,
        "external": external,
    }

    def change(entries: Entries) -> None:
        if client_id in {found["client_id"] for found in entries}:
            stop(f"Ya hay una aplicación {client_id}: use `applications change` o `disable`.")
        entries.append(entry)

    _run(_Change(client_id=client_id, step="added", make=change), as_=as_)
    if secret:
        _show_secret(client_id, secret, as_json=as_json)
    elif as_json:
        print_document({"client_id": client_id, "client_secret": None})
    else:
        print(f"Aplicación {client_id} agregada: se identifica con sus claves. {_NO_RESTART}")


@applications.command("change")
def change_(  # noqa: PLR0913 - one for each field of a client.
    client_id: ClientId,
    *,
    name: Annotated[str | None, _NAME] = None,
    redirect_uri: Annotated[list[str] | None, _REDIRECT] = None,
    post_logout_redirect_uri: Annotated[list[str] | None, _AFTER_LOGOUT] = None,
    backchannel_logout_uri: Annotated[str | None, _BACKCHANNEL] = None,
    start_uri: Annotated[str | None, _START] = None,
    audience: Annotated[str | None, _AUDIENCE] = None,
    require_second_factor: Annotated[
        bool | None,
        typer.Option("--require-second-factor/--no-second-factor", help="Exige segundo factor, o no."),
    ] = None,
    external: Annotated[
        bool | None,
        typer.Option("--external/--of-the-state", help="Si cada persona autoriza primero, o no."),
    ] = None,
    as_json: JsonOption = False,
    as_: As = None,
) -> None:
    """Cambia lo que nombre y deja lo demás; una lista reemplaza la anterior, un texto vacío la quita.

    Si desde ahora pueden entrar menos personas, o cada una autoriza o muestra más, los ingresos de antes terminan.
    """
    given = {
        "client_name": name,
        "redirect_uris": _listed(redirect_uri),
        "post_logout_redirect_uris": _listed(post_logout_redirect_uri),
        "backchannel_logout_uri": backchannel_logout_uri,
        "start_uri": start_uri,
        "audience": audience,
        "require_second_factor": require_second_factor,
        "external": external,
    }
    changed = {field: value for field, value in given.items() if value is not None}
    if not changed:
        misused("Nombre lo que cambia, como `--redirect-uri`; `applications change --help` lo lista.")

    is_stricter = False

    def change(entries: Entries) -> None:
        nonlocal is_stricter
        entry = _entry(entries, client_id)
        is_stricter = _is_stricter(entry, changed)
        entry.update(changed)

    async def end(tools: Tools) -> None:
        ended = await tools.client_grants.end_all(client_id) if is_stricter else 0
        line = f"Aplicación {client_id} cambiada. {f'Terminaron {ended} ingresos. ' if ended else ''}{_NO_RESTART}"
        _say_done(line, client_id, as_json, changed=sorted(changed), ended_logins=ended)

    _run(_Change(client_id=client_id, step="changed", make=change, then=end), as_=as_)


@applications.command("rotate-secret")
def rotate_secret(
    client_id: ClientId, *, hours: Hours = 24, now: Now = False, as_json: JsonOption = False, as_: As = None
) -> None:
    """Da otro secreto a una aplicación; lo anterior sirve todavía un tiempo, salvo con --now."""
    secret, until = _new_secret(), None if now else _end_of_overlap(hours)

    def change(entries: Entries) -> None:
        _proves_by(_entry(entries, client_id), "client_secret_hash", secret_hash(secret), until=until)

    _run(_Change(client_id=client_id, step="secret_rotated", make=change), as_=as_)
    _show_secret(client_id, secret, as_json=as_json, previous_until=until)


@applications.command("rotate-keys")
def rotate_keys(
    client_id: ClientId,
    *,
    jwks: Annotated[Path, _JWKS],
    hours: Hours = 24,
    now: Now = False,
    as_json: JsonOption = False,
    as_: As = None,
) -> None:
    """Da otras claves públicas a una aplicación; lo anterior sirve todavía un tiempo, salvo con --now."""
    keys, until = _json_in(jwks), None if now else _end_of_overlap(hours)

    def change(entries: Entries) -> None:
        _proves_by(_entry(entries, client_id), "jwks", keys, until=until)

    _run(_Change(client_id=client_id, step="keys_rotated", make=change), as_=as_)
    line = f"Claves de {client_id} cambiadas; {_until_when(until)} {_NO_RESTART}"
    _say_done(line, client_id, as_json, previous_until=until)


@applications.command("disable")
def disable(client_id: ClientId, *, as_json: JsonOption = False, as_: As = None) -> None:
    """Deshabilita una aplicación: nadie ingresa por ella y todo lo que tiene termina ya."""

    def change(entries: Entries) -> None:
        _entry(entries, client_id)["disabled"] = True

    async def end(tools: Tools) -> None:
        ended = await tools.client_grants.end_all(client_id)
        logins = counted(ended, "ingreso terminó", "ingresos terminaron")
        line = f"Aplicación {client_id} deshabilitada; {logins}."
        _say_done(line, client_id, as_json, disabled=True, ended_logins=ended)

    _run(_Change(client_id=client_id, step="disabled", make=change, then=end), as_=as_)


@applications.command("enable")
def enable(client_id: ClientId, *, as_json: JsonOption = False, as_: As = None) -> None:
    """Habilita otra vez una aplicación: lo que terminó no vuelve, cada persona ingresa de nuevo."""

    def change(entries: Entries) -> None:
        _entry(entries, client_id)["disabled"] = False

    _run(_Change(client_id=client_id, step="enabled", make=change), as_=as_)
    _say_done(f"Aplicación {client_id} habilitada. {_NO_RESTART}", client_id, as_json, disabled=False)


@dataclass(frozen=True, kw_only=True)
class _Change:
    """What one command does to one application.

    Attributes:
        make: Changes the entries of the file.
        then: What follows once the file is written.
    """

    client_id: str
    step: str
    make: Callable[[Entries], None]
    then: Callable[[Tools], Awaitable[None]] | None = None


def _run(change: _Change, *, as_: str | None) -> None:
    settings = load_settings()
    path = composition.clients_file(settings)
    if path is None:
        stop(_where_they_stand(settings))
    if file_of(_FIELD) is None and change.client_id in settings.oidc_clients:
        stop(f"{change.client_id} es de demostración y la trae `make run`: ningún comando la cambia.")
    actor = read_actor(as_)

    async def work(tools: Tools) -> None:
        try:
            with ClientsFile(path).changed() as entries:
                change.make(entries)
                usable(entries)
                # The record comes first: without a trail nothing is changed.
                details = {"application": change.client_id, "step": change.step}
                await tools.audit.record(
                    AuditEvent(type=AuditEventType.APPLICATION_CHANGED, actor=actor, details=details)
                )
        except UnusableClientError as error:
            misused(str(error))
        except UnwritableClientsError as error:
            stop(f"{variable(_FIELD)}_FILE: {error}")
        if change.then:
            await change.then(tools)

    run_with_tools(work)


def _is_stricter(before: Mapping[str, Any], changed: Mapping[str, Any]) -> bool:
    """Whether a person who is in the application might not be, had the change come first."""
    audience = changed.get("audience", Audience.EVERYBODY)
    others_only = audience not in {Audience.EVERYBODY, before.get("audience", Audience.EVERYBODY)}
    demands_more = any(
        changed.get(name) and not before.get(name) for name in ("require_second_factor", "external")
    )
    return others_only or demands_more


def _entry(entries: Entries, client_id: str) -> dict[str, Any]:
    found = next((entry for entry in entries if entry.get("client_id") == client_id), None)
    if found is None:
        stop(f"No hay ninguna aplicación {client_id}: `applications list` las muestra.")
    return found


def _proves_by(entry: dict[str, Any], proof: str, value: object, *, until: datetime | None) -> None:
    """Replace what proves who an application is; what did before counts until then, or no longer."""
    former = {name: entry.pop(name, None) for name in _PROOFS}
    for name, (previous, moment) in _PROOFS.items():
        # What was before the last rotation counts no more.
        overlaps = until is not None and former[name] is not None
        entry[previous] = former[name] if overlaps else None
        entry[moment] = until.isoformat() if until and overlaps else None
    entry[proof] = value


def _end_of_overlap(hours: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)


def _listed(addresses: list[str] | None) -> list[str] | None:
    """The list that was typed, where an empty address stands for none; None where nothing was."""
    return [address for address in addresses if address] if addresses else None


def _json_in(file: Path | None) -> object:
    """What a file says; None where it is no JSON, which no field takes."""
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file else None
    except (ValueError, RecursionError):
        misused(f"--jwks: {file} no es JSON; exporte las claves públicas como JSON Web Key Set.")


def _new_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


def _where_they_stand(settings: Settings) -> str:
    name = variable(_FIELD)
    if _FIELD not in settings.model_fields_set:
        return (
            f"{name}_FILE: falta; cree un archivo con `[]` y nómbrelo ahí, el mismo para la API, los workers y "
            "este comando."
        )
    return (
        f"Las aplicaciones vienen de {name}, que ningún comando cambia: páselas a un archivo, "
        f"nómbrelo en {name}_FILE y quite {name}."
    )


def _until_when(until: datetime | None) -> str:
    return f"lo anterior sirve hasta {text.moment(until)}." if until else "lo anterior ya no sirve."


def _say_done(line: str, client_id: str, as_json: bool, **facts: object) -> None:  # noqa: FBT001 - as typed.
    if as_json:
        print_document({"client_id": client_id, **facts})
    else:
        print(line)


def _show_secret(
    client_id: str, secret: str, *, as_json: bool, previous_until: datetime | None = None
) -> None:
    if as_json:
        print_document(
            {"client_id": client_id, "client_secret": secret, "previous_secret_until": previous_until}
        )
        return
    print(f"Secreto de {client_id}: {secret}\nEntréguelo en persona: {sentences.NEVER_SHOWN_AGAIN}")
    if previous_until:
        print(_until_when(previous_until).capitalize())
    print(_NO_RESTART)
