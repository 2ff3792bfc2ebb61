"""A person, an application, and a browser between them, in this process."""

import base64
import hashlib
import html
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.accounts import PostgresAccounts
from mipres.database.credentials import Hasher
from mipres.database.password_links import PostgresPasswordLinks
from mipres.domain.submissions import Submission
from mipres.oidc_keys import keys_of_development
from tests.api.conftest import hidden, make_app, open_client
from tests.database.registrations import DOCTOR, registration
from tests.database.stored_accounts import give_password

__all__ = ["make_app", "open_client"]
PASSWORD = "Clave-Segura-2026"
LOGIN = "CC1020304050"
SECRET = "an-application-of-the-tests-1"
BACK = "https://app.example/volver"
ISSUER = "http://mipres.test"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def entry(**changed: Any) -> dict[str, Any]:
    """One application of the setting."""
    return {
        "client_id": "app",
        "client_name": "Historia clínica",
        "client_secret_hash": hashlib.sha256(SECRET.encode()).hexdigest(),
        "redirect_uris": [BACK, "https://app.example/otra?x=1"],
        "post_logout_redirect_uris": ["https://app.example/fuera"],
        "audience": "prescribers",
        **changed,
    }


@dataclass(kw_only=True)
class Stage:
    """The browser, and what the application does."""

    browser: httpx2.AsyncClient

    def request(self, **changed: str | None) -> str:
        """The address to which an application sends a browser.

        None leaves a parameter out.
        """
        values: dict[str, str | None] = {
            "client_id": "app",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid email mipres",
            "state": "s1",
            "nonce": "n1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        given = {name: value for name, value in {**values, **changed}.items() if value is not None}
        return f"/oidc/authorize?{urlencode(given)}"

    async def log_in(self, address: str, password: str = PASSWORD) -> httpx2.Response:
        """Follow an application's request to the login, log in, and return the next page."""
        page = await self.browser.get(address)
        assert page.url.path.startswith("/ingreso/"), page.text
        typed = {"usuario": LOGIN, "contrasena": password}
        return await self.browser.post(page.url.path, data={**hidden(page), **typed})

    async def answer(self, address: str) -> dict[str, str]:
        """What the application gets at its address, without following it."""
        reply = await self.browser.get(address, follow_redirects=False)
        assert reply.status_code == 303, reply.text
        return answer_in(reply.headers["Location"])

    async def code(self, **changed: str | None) -> str:
        """Log in for an application, and take its code."""
        page = await self.log_in(self.request(**changed))
        return (await self.answer(refresh_of(page)))["code"]

    async def exchange(self, **changed: str | None) -> httpx2.Response:
        """Call the token endpoint; None leaves a parameter out."""
        values: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
            "client_id": "app",
            "client_secret": SECRET,
        }
        given = {name: value for name, value in {**values, **changed}.items() if value is not None}
        return await self.browser.post("/oidc/token", data=given)

    async def claims(self, id_token: str) -> dict[str, Any]:
        """What an id_token says, once its signature holds."""
        keys = KeySet.import_key_set((await self.browser.get("/oidc/jwks")).json())
        return dict(jwt.decode(id_token, keys, algorithms=["ES256", "RS256"]).claims)

    async def userinfo(self, access_token: str) -> httpx2.Response:
        return await self.browser.get("/oidc/userinfo", headers={"Authorization": f"Bearer {access_token}"})


async def log_in_at(stage: Stage, door: str) -> None:
    """Log in without an application's request."""
    page = await stage.browser.get(f"/ingreso/{door}")
    typed = {"usuario": LOGIN, "contrasena": PASSWORD}
    entered = await stage.browser.post(f"/ingreso/{door}", data={**hidden(page), **typed})
    assert entered.url.path == f"/inicio/{door}", entered.text


async def replays(engine: AsyncEngine) -> list[tuple[object, ...]]:
    """What the trail has of credentials that were used before."""
    trail = text("SELECT actor, person IS NOT NULL, details FROM audit_entries WHERE type LIKE '%replayed'")
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(trail)]


def refresh_of(page: httpx2.Response) -> str:
    """Where a page leads on by itself."""
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert found, page.text
    return html.unescape(found.group(1))


def answer_in(location: str) -> dict[str, str]:
    assert location.startswith("https://app.example/"), location
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


@pytest.fixture(scope="session")
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of one key for all tests: to make one takes longer than most of them."""
    file = tmp_path_factory.mktemp("keys") / "oidc-keys.json"
    keys_of_development(file)
    return file


SetStage = Callable[..., Awaitable[Stage]]
OpenClient = Callable[..., Awaitable[httpx2.AsyncClient]]


@pytest.fixture
async def set_stage(  # noqa: PLR0913, PLR0917 - fixtures.
    open_client: OpenClient,
    database_url: str,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    hasher: Hasher,
    tmp_path: Path,
    signing_keys: Path,
) -> SetStage:
    """Start a product with one application and one person."""
    shutil.copy(signing_keys, tmp_path)

    async def start(
        submission: Submission = DOCTOR,
        *,
        others: tuple[dict[str, Any], ...] = (),
        settings: Mapping[str, Any] | None = None,
        **changed: Any,
    ) -> Stage:
        account = (await accounts.register(registration(submission))).account_id
        await give_password(accounts, links, account, await hasher.hash(PASSWORD))
        clients = json.dumps([entry(**changed), *others])
        browser = await open_client(database_url=database_url, oidc_clients=clients, **(settings or {}))
        return Stage(browser=browser)

    return start
