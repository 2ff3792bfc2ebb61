"""Support must have a second factor in production, before anything else."""

import re

import httpx2
import pyotp
import pytest

from tests.api.conftest import OpenClient, hidden, log_in_as_staff

PAGE = "/soporte/segundo-factor"


async def decode(client: httpx2.AsyncClient) -> httpx2.Response:
    """Ask the codec server as Temporal's interface does."""
    origin = {"Origin": "http://127.0.0.1:8233"}
    return await client.post("/codec/decode", json={"payloads": []}, headers=origin)


@pytest.mark.usefixtures("staff")
async def test_in_production_support_sets_a_factor_up_before_anything_else(
    open_client: OpenClient, database_url: str
) -> None:
    client = await open_client(database_url=database_url, unchecked={"environment": "production"})
    page = await log_in_as_staff(client)
    assert (page.url.path, "necesitan un segundo factor" in page.text) == (PAGE, True)
    account = "/soporte/cuenta/00000000-0000-0000-0000-000000000000"
    for path in ("/soporte/lista/stuck", "/soporte/contrasena", "/soporte/clave", account):
        assert (await client.get(path)).url.path == PAGE
    for path in ("/soporte/buscar", "/soporte/clave", "/soporte/contrasena", f"{account}/suspender"):
        assert (await client.post(path, data=hidden(page))).url.path == PAGE
    assert (await decode(client)).status_code == 401
    secret = re.findall(r"Clave: <code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    shown = await client.post(f"{PAGE}/codigos", data={**hidden(page), "codigo": pyotp.TOTP(secret).now()})
    assert shown.text.count("<li><code>") == 10
    assert (await client.get("/soporte/contrasena")).url.path == "/soporte/contrasena"


@pytest.mark.usefixtures("staff")
async def test_back_shows_no_recovery_codes_that_are_no_longer_good(
    open_client: OpenClient, database_url: str
) -> None:
    client = await open_client(database_url=database_url)
    await log_in_as_staff(client)
    page = await client.get(PAGE)
    secret = re.findall(r"Clave: <code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    first = await client.post(f"{PAGE}/codigos", data={**hidden(page), "codigo": pyotp.TOTP(secret).now()})
    second = await client.post(f"{PAGE}/recuperacion", data=hidden(await client.get(PAGE)))
    shown = [(await client.get(str(each.url))).text.count("<li><code>") for each in (first, second)]
    assert shown == [0, 10]


@pytest.mark.usefixtures("staff")
async def test_in_production_support_may_leave_without_a_factor(
    open_client: OpenClient, database_url: str
) -> None:
    client = await open_client(database_url=database_url, unchecked={"environment": "production"})
    page = await log_in_as_staff(client)
    assert (await client.post("/soporte/salir", data=hidden(page))).url.path == "/soporte/ingreso"


@pytest.mark.usefixtures("staff")
async def test_in_development_it_is_offered(open_client: OpenClient, database_url: str) -> None:
    client = await open_client(database_url=database_url)
    page = await log_in_as_staff(client)
    assert page.url.path == "/soporte"
    own = await client.get("/soporte/contrasena")
    assert (own.url.path, 'href="/soporte/segundo-factor"' in own.text) == ("/soporte/contrasena", True)
    assert (await decode(client)).status_code != 401
