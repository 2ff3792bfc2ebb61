"""The demonstration that `make run` starts: Authlib's client before the product."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from dev.citizen import Citizen
from dev.private_stack import PrivateStack, private_stack
from dev.probes import free_port
from dev.stack import demonstration
from tests.applications.people import log_in_through, with_account


@dataclass(kw_only=True)
class Site:
    """The product and its demonstration of MIPRES No UPC."""

    stack: PrivateStack
    citizen: Citizen
    address: str

    async def enter(self, browser: httpx2.AsyncClient) -> httpx2.Response:
        issuer = self.stack.settings.public_url
        return await log_in_through(browser, f"{self.address}/ingresar", self.citizen, issuer=issuer)


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    port, issuer_port = free_port(), free_port()
    issuer = f"http://localhost:{issuer_port}"
    async with private_stack(api_port=issuer_port, public_url=issuer, mipres_app_port=port) as stack:
        client = stack.settings.oidc_clients["mipres"]
        await stack.supervisor.start(demonstration(client, port, issuer, stack.stack.environment))
        yield Site(stack=stack, citizen=await with_account(stack), address=f"http://localhost:{port}")


async def test_the_demonstration_shows_who_is_in_and_lets_them_leave(site: Site) -> None:
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False, timeout=30) as browser:
        page = await site.enter(browser)
        assert str(page.url) == f"{site.address}/"
        assert f"CC {site.citizen.number}" in page.text
        assert "Profesional de la Salud" in page.text
        left = await browser.get(f"{site.address}/salir")
        assert str(left.url).startswith(f"{site.address}/")
        assert site.citizen.number not in left.text
        again = await browser.get(f"{site.address}/ingresar")
        assert again.url.path == "/ingreso/mipres"


async def test_an_answer_of_another_issuer_is_refused(site: Site) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as browser:
        page = await browser.get(
            f"{site.address}/volver", params={"code": "x", "state": "y", "iss": "https://evil.example"}
        )
        assert (page.status_code, "La respuesta no viene del registro" in page.text) == (400, True)


@pytest.mark.parametrize("token", ["", "x.y.z"])
async def test_a_logout_token_that_proves_nothing_ends_nothing(site: Site, token: str) -> None:
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False, timeout=30) as browser:
        await site.enter(browser)
        answer = await browser.post(f"{site.address}/cierre", data={"logout_token": token})
        assert answer.status_code == 400
        assert site.citizen.number in (await browser.get(f"{site.address}/")).text
