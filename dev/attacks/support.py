"""What somebody of support, of operations or with the database's password can try."""

import base64
import secrets
from typing import Any

import asyncpg
from pydantic import ValidationError

from dev.attacks.target import REASON, Target, need
from dev.citizen import csrf_of
from mipres import composition
from mipres.database.credentials import Hasher
from mipres.settings.model import Settings
from mipres.temporal.names import registration_workflow_id

_GUESSED = "aaaaaaaaaaaaaaa"
_DECODED = 25
_UNSAFE: tuple[dict[str, Any], ...] = (
    {"smtp_url": "smtp://correo:25"},
    {"temporal_api_key": None},
    {"secret_key": "a" * 40},
    {"trusted_proxies": "0.0.0.0/0"},
    {"temporal_ui_url": "http://temporal.example"},
    {"password_link_hours": 24 * 365},
    {"captcha": "off"},
    {"rate_limits": "off"},
)


async def reading_without_a_row(target: Target) -> bool:
    """Decode one registration many times within a minute."""
    radicado = await target.registered(await target.newcomer())
    handle = target.stranger.get_workflow_handle(registration_workflow_id(radicado))
    first = await anext(handle.fetch_history_events())
    [payload] = first.workflow_execution_started_event_attributes.input.payloads
    metadata = {key: base64.b64encode(value).decode() for key, value in payload.metadata.items()}
    body = {"payloads": [{"metadata": metadata, "data": base64.b64encode(payload.data).decode()}]}
    headers = {"Origin": target.stack.url("TEMPORAL_UI_PORT"), "X-Namespace": target.stranger.namespace}
    name, password = "ataques.lectura", secrets.token_urlsafe(20)
    staff = composition.build_staff(target.database, Hasher())
    await staff.add(name, password, actor="operator:ataques")
    async with target.browser() as browser:
        page = await browser.get("/soporte/ingreso")
        entering = {"csrf_token": csrf_of(page), "nombre": name, "contrasena": password}
        await browser.post("/soporte/ingreso", data=entering)
        path = f"/soporte/registro/{radicado}"
        asking = {"csrf_token": csrf_of(await browser.get(path)), "accion": "mostrar", "motivo": REASON}
        need((await browser.post(path, data=asking)).is_success, "the reason is not accepted")
        for _ in range(_DECODED):
            answer = await browser.post("/codec/decode", json=body, headers=headers)
            need(answer.is_success, answer.text)
    rows = (
        "SELECT count(*) FROM audit_entries WHERE type = 'payloads_decoded' AND reference = $1"
        " AND person IS NOT NULL"
    )
    return await target.number(rows, radicado) == _DECODED


async def guessed_support_password(target: Target) -> bool:
    """Give an account of support a password that is guessed first."""
    add = ("staff", "add", "--password-stdin")
    good = await target.command(*add, "ataques.buena", typed=secrets.token_urlsafe(20))
    need(good == 0, "no account of support can be made")
    return await target.command(*add, "ataques.adivinada", typed=_GUESSED) != 0


async def another_secret(target: Target) -> bool:
    """Change MIPRES_SECRET_KEY, and verify the trail as before."""
    need(await target.command("audit", "--verify") == 0, "the trail was not intact before")
    return await target.command("audit", "--verify", secret_key=secrets.token_urlsafe(40)) == 0


async def invented_trail_row(target: Target) -> bool:
    """Insert a row of the trail with any number, as the product's own database account."""
    copied = (
        "INSERT INTO audit_entries SELECT number + $1, occurred_at, type, actor, reference, person, reason,"
        " details, seal, seal, key_id FROM audit_entries ORDER BY number DESC LIMIT 1"
    )
    need(await target.number("SELECT count(*) FROM audit_entries") > 0, "the trail is empty")
    for step in (2, 1000):
        async with target.stack.database() as connection:
            attempt = connection.transaction()
            await attempt.start()
            try:
                await connection.execute(copied, step)
            except asyncpg.PostgresError:
                continue
            finally:
                await attempt.rollback()
            return False
    return True


async def unsafe_production(target: Target) -> bool:  # noqa: ARG001 - it is a row like the others.
    """Start production with a setting that is not safe."""
    Settings(**_production())
    for unsafe in _UNSAFE:
        try:
            Settings(**(_production() | unsafe))
        except ValidationError:
            continue
        return False
    return True


def _production() -> dict[str, Any]:
    addresses = {
        name: f"https://{name}.example"
        for name in ("public_url", "miseguridadsocial_url", "rethus_url", "sso_url")
    }
    tokens = ("miseguridadsocial_token", "rethus_token", "sso_token", "temporal_api_key")
    return {
        "environment": "production",
        "secret_key": secrets.token_urlsafe(40),
        "payload_keys": {"k1": secrets.token_bytes(32)},
        "audit_keys": {"a1": secrets.token_bytes(32)},
        "api_keys": secrets.token_urlsafe(40),
        "database_url": "postgresql+asyncpg://mipres:clave@db/mipres",
        "temporal_address": "temporal:7233",
        "smtp_url": "smtps://correo:465",
        **addresses,
        **{token: secrets.token_urlsafe(20) for token in tokens},
    }
