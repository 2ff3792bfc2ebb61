"""An application from elsewhere: Debian's Apache with mod_auth_openidc."""

import asyncio
import hashlib
import json
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from dev.citizen import PASSWORD, Citizen
from dev.private_stack import PrivateStack, open_directory, private_stack
from dev.probes import LOOPBACK, free_port
from dev.process import ROOT
from mipres.temporal import names
from tests.api.conftest import hidden
from tests.applications.apache import Apache, apache, documented
from tests.applications.people import log_in_through, with_account
from tests.patience import PATIENCE_SECONDS

SECRET = "an-apache-of-the-tests-0123"


@dataclass(kw_only=True)
class Site:
    """The product, Apache before it, and somebody who has an account."""

    stack: PrivateStack
    apache: Apache
    citizen: Citizen
    issuer: str

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(follow_redirects=True, trust_env=False, timeout=30)

    async def announce_logouts(self) -> None:
        """Begin the round that notifies applications, which otherwise begins each minute."""
        client = await Client.connect(f"{LOOPBACK}:{self.stack.ports['TEMPORAL_PORT']}")
        await client.get_schedule_handle(names.BACKCHANNEL_LOGOUTS_ID).trigger()

    async def support(self, *command: str) -> None:
        """Run a command of support for this person's login."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mipres.cli", "account", *command, self.citizen.login),
            *("--reason", "Prueba del cierre"),
            cwd=ROOT,
            env={**self.stack.stack.environment, **self.stack.stack.data.secrets()},
            stdout=PIPE,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed.decode()

    async def shuts_out(self, browser: httpx2.AsyncClient) -> str:
        """Wait until the application lets the browser in no more; where it sends it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                page = await browser.get(self.apache.protected, follow_redirects=False)
                if page.status_code == 302:
                    return page.headers["Location"]
                await asyncio.sleep(0.1)

    async def enter(self, browser: httpx2.AsyncClient) -> httpx2.Response:
        return await log_in_through(browser, self.apache.protected, self.citizen, issuer=self.issuer)


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    port, issuer_port = free_port(), free_port()
    address, issuer = f"http://localhost:{port}", f"http://localhost:{issuer_port}"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    clients = documented(
        "json",
        {
            "https://app.example": address,
            "SHA-256 of the secret, in hexadecimal digits": digest,
        },
    )
    places = {
        "https://registro.example": issuer,
        "https://app.example": address,
        "EL-SECRETO": SECRET,
        "UNA-FRASE-LARGA-Y-ALEATORIA": "a-phrase-of-the-tests-0123456789",
    }
    settings: dict[str, Any] = {
        "api_port": issuer_port,
        "public_url": issuer,
        "oidc_clients": clients,
    }
    with open_directory() as directory:
        async with private_stack(**settings) as stack, apache(directory, port=port, places=places) as running:
            citizen = await with_account(stack)
            yield Site(stack=stack, apache=running, citizen=citizen, issuer=issuer)


async def test_apache_lets_a_person_in_and_hands_on_the_claims(site: Site) -> None:
    async with site.browser() as browser:
        page = await site.enter(browser)
        assert page.url.path == "/protegido/", site.apache.complaints()
        assert f"ingreso={site.citizen.login}" in page.text
        assert "roles=" in page.text
        claims = json.loads(re.findall(r"^todo=(.*)$", page.text, re.MULTILINE)[0])
        assert claims["document"]["number"] == site.citizen.number
        assert [item["user_type"] for item in claims["profiles"]] == ["professional"]


async def test_leaving_apache_ends_the_session_at_the_registry(site: Site) -> None:
    async with site.browser() as browser:
        await site.enter(browser)
        away = f"{site.apache.address}/fuera.html"
        left = await browser.get(f"{site.apache.address}/protegido/oidc", params={"logout": away})
        assert (left.status_code, left.url.path) == (200, "/fuera.html"), left.text
        again = await browser.get(site.apache.protected)
        assert again.url.path == "/ingreso/mipres"


async def test_leaving_the_registry_ends_the_session_at_apache(site: Site) -> None:
    async with site.browser() as browser:
        await site.enter(browser)
        here = await browser.get(f"{site.issuer}/cuenta")
        left = await browser.post(f"{site.issuer}/salir", data=hidden(here))
        assert left.is_success, left.text
        await site.announce_logouts()
        assert (await site.shuts_out(browser)).startswith(f"{site.issuer}/oidc/authorize?")


async def test_apache_lets_out_who_is_suspended_in_mid_session(site: Site) -> None:
    async with site.browser() as browser:
        await site.enter(browser)
        await site.support("suspend")
        try:
            await site.announce_logouts()
            asked = await site.shuts_out(browser)
            login = await browser.get(asked)
            assert login.url.path == "/ingreso/mipres"
            refused = await browser.post(
                str(login.url.copy_with(query=None)),
                data={**hidden(login), "usuario": site.citizen.login, "contrasena": PASSWORD},
            )
            assert "suspend" in refused.text
            assert site.apache.address not in refused.text
        finally:
            await site.support("reinstate")


async def test_a_header_that_a_visitor_invents_is_not_believed(site: Site) -> None:
    async with site.browser() as browser:
        await site.enter(browser)
        page = await browser.get(
            site.apache.protected, headers={"OIDC_CLAIM_preferred_username": "CC1", "OIDC-CLAIM-roles": "x"}
        )
        assert f"ingreso={site.citizen.login}" in page.text


async def test_without_an_account_there_is_only_the_login(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.get(site.apache.protected)
        assert page.url.path == "/ingreso/mipres"
        assert str(page.url).startswith(site.issuer)
