"""An application from elsewhere: Debian's Apache with mod_auth_openidc."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from dev.citizen import Citizen
from dev.private_stack import PrivateStack, open_directory, private_stack
from dev.probes import free_port
from tests.applications.apache import Apache, apache
from tests.applications.people import log_in_through, with_account

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

    async def enter(self, browser: httpx2.AsyncClient) -> httpx2.Response:
        return await log_in_through(browser, self.apache.protected, self.citizen, issuer=self.issuer)


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    port, issuer_port = free_port(), free_port()
    address, issuer = f"http://localhost:{port}", f"http://localhost:{issuer_port}"
    client = {
        "client_id": "historia-clinica",
        "client_name": "Historia clínica",
        "client_secret_hash": hashlib.sha256(SECRET.encode()).hexdigest(),
        "redirect_uris": [f"{address}/protegido/oidc"],
        "post_logout_redirect_uris": [f"{address}/fuera.html"],
        "backchannel_logout_uri": f"{address}/protegido/oidc?logout=backchannel",
        "audience": "prescribers",
    }
    places = {
        "https://registro.example": issuer,
        "https://app.example": address,
        "EL-SECRETO": SECRET,
        "UNA-FRASE-LARGA-Y-ALEATORIA": "a-phrase-of-the-tests-0123456789",
    }
    settings: dict[str, Any] = {
        "api_port": issuer_port,
        "public_url": issuer,
        "oidc_clients": json.dumps([client]),
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
