"""Commands about the applications that log people in here."""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from mipres.cli import text
from mipres.cli.arguments import As, read_actor
from mipres.cli.documents import JsonOption, print_document
from mipres.cli.running import Tools, misused, run_with_tools, stop
from mipres.domain import sentences
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.clients import Audience, UnusableClientError, secret_hash
from mipres.oidc_clients import ClientsFile, Entries, UnwritableClientsError, usable
from mipres.settings import file_of, load_settings, variable

ClientId = Annotated[str, typer.Argument(help="Identificador de la aplicación, como historia-clinica.")]
_FIELD = "oidc_clients"
_SECRET_BYTES = 32
_LONGEST_OVERLAP = 24 * 30
_NO_RESTART = "La API y los workers que leen el mismo archivo ya lo conocen: no hay que reiniciarlos."

applications = typer.Typer(no_args_is_help=True, help="Aplicaciones que ingresan personas por aquí.")


@applications.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Lista las aplicaciones; nunca muestra un secreto."""
    known = list(load_settings().oidc_clients.values())
    if as_json:
        print_document({"applications": known, "can_be_changed": file_of(_FIELD) is not None})
        return
    if not known:
        print("No hay aplicaciones: cree una con `applications add`.")
    for client in known:
        print(text.client_line(client, now=datetime.now(UTC)))
    if known and file_of(_FIELD) is None:
        print(_where_they_stand())


@applications.command("add")
def add(  # noqa: PLR0913 - one for each field of a client.
    client_id: ClientId,
    *,
    name: Annotated[str, typer.Option("--name", help="Nombre que ven las personas.")],
    redirect_uri: Annotated[
        list[str], typer.Option("--redirect-uri", help="Dirección que recibe los códigos; se puede repetir.")
    ],
    post_logout_redirect_uri: Annotated[
        list[str] | None, typer.Option("--post-logout-redirect-uri", help="Dirección después de salir.")
    ] = None,
    backchannel_logout_uri: Annotated[
        str | None, typer.Option("--backchannel-logout-uri", help="Dirección que recibe los cierres.")
    ] = None,
    start_uri: Annotated[
        str | None, typer.Option("--start-uri", help="Dirección de entrada; ahí lleva el ingreso.")
    ] = None,
    audience: Annotated[
        str, typer.Option("--audience", help=f"Quién ingresa: {', '.join(Audience)}.")
    ] = Audience.EVERYBODY.value,
    require_second_factor: Annotated[
        bool, typer.Option("--require-second-factor", help="Exige segundo factor.")
    ] = False,
    external: Annotated[
        bool, typer.Option("--external", help="No es del Estado: cada persona autoriza primero.")
    ] = False,
    jwks: Annotated[
        Path | None,
        typer.Option(
            "--jwks",
            exists=True,
            dir_okay=False,
            help="JSON Web Key Set con sus claves públicas; se identifica con ellas y no tiene secreto.",
        ),
    ] = None,
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
            stop(f"Ya hay una aplicación {client_id}: use `applications rotate-secret` o `disable`.")
        entries.append(entry)

    _run(_Change(client_id=client_id, step="added", make=change), as_=as_)
    if secret:
        _show_secret(client_id, secret, as_json=as_json)
    elif as_json:
        print_document({"client_id": client_id, "client_secret": None})
    else:
        print(f"Aplicación {client_id} agregada: se identifica con sus claves. {_NO_RESTART}")


@applications.command("rotate-secret")
def rotate_secret(
    client_id: ClientId,
    *,
    hours: Annotated[
        int,
        typer.Option(
            "--hours", min=1, max=_LONGEST_OVERLAP, help="Horas en que el secreto anterior todavía sirve."
        ),
    ] = 24,
    now: Annotated[
        bool, typer.Option("--now", help="El secreto anterior deja de servir ya, como cuando se filtró.")
    ] = False,
    as_json: JsonOption = False,
    as_: As = None,
) -> None:
    """Da otro secreto a una aplicación; el anterior sirve todavía un tiempo, salvo con --now."""
    secret, until = _new_secret(), datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)

    def change(entries: Entries) -> None:
        entry = _entry(entries, client_id)
        former = entry.get("client_secret_hash")
        if former is None:
            stop(f"{client_id} se identifica con claves: cambie su `jwks` en el archivo.")
        entry["client_secret_hash"] = secret_hash(secret)
        # A secret from before the last rotation counts no more.
        entry["previous_secret_hash"] = None if now else former
        entry["previous_secret_until"] = None if now else until.isoformat()

    _run(_Change(client_id=client_id, step="secret_rotated", make=change), as_=as_)
    _show_secret(client_id, secret, as_json=as_json, previous_until=None if now else until)


@applications.command("disable")
def disable(client_id: ClientId, *, as_json: JsonOption = False, as_: As = None) -> None:
    """Deshabilita una aplicación: nadie ingresa por ella y todo lo que tiene termina ya."""

    def change(entries: Entries) -> None:
        _entry(entries, client_id)["disabled"] = True

    async def end(tools: Tools) -> None:
        ended = await tools.client_grants.end_all(client_id)
        if as_json:
            print_document({"client_id": client_id, "disabled": True, "ended_logins": ended})
        else:
            print(f"Aplicación {client_id} deshabilitada; terminaron {ended} ingresos.")

    _run(_Change(client_id=client_id, step="disabled", make=change, then=end), as_=as_)


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
    load_settings()
    path = file_of(_FIELD)
    if path is None:
        stop(_where_they_stand())
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


def _entry(entries: Entries, client_id: str) -> dict[str, Any]:
    found = next((entry for entry in entries if entry.get("client_id") == client_id), None)
    if found is None:
        stop(f"No hay ninguna aplicación {client_id}: `applications list` las muestra.")
    return found


def _json_in(file: Path | None) -> object:
    """What a file says; None where it is no JSON, which no field takes."""
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file else None
    except ValueError:
        misused(f"--jwks: {file} no es JSON; exporte las claves públicas como JSON Web Key Set.")


def _new_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


def _where_they_stand() -> str:
    name = variable(_FIELD)
    return (
        f"Las aplicaciones vienen de {name}, que ningún comando cambia: páselas a un archivo, "
        f"nómbrelo en {name}_FILE y quite {name}."
    )


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
        print(f"{sentences.SECRET_BEFORE_UNTIL.capitalize()} {text.moment(previous_until)}.")
    print(_NO_RESTART)
