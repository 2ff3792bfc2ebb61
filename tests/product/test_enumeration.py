"""What a page tells of people: the manual's answers, or nothing at all.

And who asks too much learns nothing more.
"""

import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from api.main import create_app
from mipres.domain.limits import CLIENT_ANSWERS, DOCUMENT_ANSWERS
from mipres.settings.model import Settings
from tests.product.conftest import Product, csrf_of

RECEIVED = "Recibimos su solicitud"


@asynccontextmanager
async def other_api(product: Product, **told: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Another API process of the same product, with settings of its own."""
    key_id, _, key = product.stack.secret("PAYLOAD_KEYS").partition(":")
    password = product.stack.secret("POSTGRES_PASSWORD")
    settings: Mapping[str, Any] = {
        "secret_key": product.stack.secret("SECRET_KEY"),
        "payload_keys": {key_id: base64.b64decode(key)},
        "database_url": f"postgresql+asyncpg://mipres:{password}@127.0.0.1:{product.stack.ports['POSTGRES_PORT']}/mipres?ssl=disable",
        "temporal_address": f"127.0.0.1:{product.stack.ports['TEMPORAL_PORT']}",
        "public_url": product.url,
        "trusted_proxies": "127.0.0.1",
        "captcha": "off",
        "submit_wait_seconds": 8,
        # As in production; development allows ten times as much.
        "rate_limits": "on",
    }
    app = create_app(Settings(**(dict(settings) | told)))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url=product.url, follow_redirects=True
        ) as client:
            yield client


async def submit(
    client: httpx2.AsyncClient, person: Mapping[str, Any], source: str = "198.51.100.1"
) -> httpx2.Response:
    page = await client.get("/registro/profesional")
    sent = {
        "csrf_token": csrf_of(page),
        "tipo_documento": person["document"]["type"],
        "numero_documento": person["document"]["number"],
        "registro_profesional": "76-1234",
        "acepta_datos": "SI",
    }
    headers = {"X-Forwarded-For": source}
    return await client.post("/registro/profesional", data=sent, headers=headers)


def without_token(page: httpx2.Response) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page.text)


async def test_neutral_pages_are_the_same_for_everybody_and_mails_tell_the_difference(
    product: Product,
) -> None:
    new, known = await product.new_professional(), await product.new_professional()
    refused = await product.new_person()
    unknown = {"document": {"type": "CC", "number": "70999966"}, "email": "nobody@ejemplo.test"}
    await product.complete(known)
    async with other_api(product, enumeration="neutral") as client:
        pages = [await submit(client, person) for person in (new, known, refused, unknown)]
    assert [page.status_code for page in pages] == [202] * 4
    [page] = {without_token(page) for page in pages}
    assert RECEIVED in page
    assert not re.search(r"RM-\w", page)

    async def last_subject(person: Mapping[str, Any]) -> str | None:
        mails = await product.mails_to(person["email"])
        return mails[-1]["Subject"] if mails else None

    async def all_told() -> bool:
        subjects = [await last_subject(person) for person in (new, known, refused)]
        return subjects == [
            "Registro satisfactorio en MIPRES: cree su contraseña",
            "MIPRES: sus datos fueron actualizados",
            "MIPRES: respuesta a su solicitud de registro",
        ]

    await product.eventually(all_told)
    told = (await product.mails_to(refused["email"]))[-1]
    assert "Profesional no encontrado en RETHUS" in told["Text"]
    assert refused["document"]["number"] not in told["Text"] + told["Subject"] + told["HTML"]
    assert await last_subject(unknown) is None


async def test_explicit_pages_turn_neutral_for_whoever_asks_too_much(product: Product) -> None:
    async with other_api(product, enumeration="explicit") as client:
        asked = await product.new_person()
        for number in range(DOCUMENT_ANSWERS.most):
            page = await submit(client, asked, f"203.0.113.{number}")
            assert "Profesional no encontrado en RETHUS" in page.text
        assert RECEIVED in (await submit(client, asked, "203.0.113.99")).text

        for number in range(CLIENT_ANSWERS.most):
            person = {"document": {"type": "CC", "number": str(71_000_000 + number)}}
            assert "no se encuentra registrado" in (await submit(client, person, "192.0.2.77")).text
        person = {"document": {"type": "CC", "number": "71000100"}}
        assert RECEIVED in (await submit(client, person, "192.0.2.77")).text
        assert "no se encuentra registrado" in (await submit(client, person, "192.0.3.78")).text
