"""Who must have a second factor, before anything else."""

import re

import httpx2
import pyotp
import pytest

from mipres.database.accounts import PostgresAccounts
from mipres.database.credentials import Hasher
from mipres.database.password_links import PostgresPasswordLinks
from mipres.domain.submissions import Submission
from tests.api.conftest import OpenClient, hidden
from tests.database.registrations import DELEGATE, DOCTOR, registration
from tests.database.stored_accounts import give_password

PASSWORD = "Clave-Segura-2026"
PAGE = "/cuenta/segundo-factor"


async def log_in(client: httpx2.AsyncClient, door: str) -> httpx2.Response:
    page = await client.get(f"/ingreso/{door}")
    typed = {"usuario": "CC1020304050", "contrasena": PASSWORD}
    return await client.post(f"/ingreso/{door}", data={**hidden(page), **typed})


@pytest.mark.parametrize(
    ("rule", "submission", "is_asked"),
    [
        ("optional", DELEGATE, False),
        ("delegates", DOCTOR, False),
        ("delegates", DELEGATE, True),
        ("required", DOCTOR, True),
    ],
)
async def test_who_must_have_a_factor_sets_it_up_first(  # noqa: PLR0913, PLR0917 - fixtures.
    open_client: OpenClient,
    database_url: str,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    rule: str,
    submission: Submission,
    *,
    is_asked: bool,
) -> None:
    account = (await accounts.register(registration(submission))).account_id
    await give_password(accounts, links, account, await hasher.hash(PASSWORD))
    client = await open_client(database_url=database_url, second_factor=rule)
    door = "administracion" if submission is DELEGATE else "mipres"
    page = await log_in(client, door)
    assert page.url.path == (PAGE if is_asked else f"/inicio/{door}")
    if not is_asked:
        return
    assert "necesita un segundo factor" in page.text
    for path in (f"/inicio/{door}", "/cuenta", "/cuenta/contrasena"):
        assert (await client.get(path)).url.path == PAGE
    secret = re.findall(r"Clave: <code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    shown = await client.post(f"{PAGE}/codigos", data={**hidden(page), "codigo": pyotp.TOTP(secret).now()})
    assert shown.text.count("<li><code>") == 10
    assert (await client.get(f"/inicio/{door}")).url.path == f"/inicio/{door}"
