"""People who can log in at a running product."""

import html
import re

import httpx2

from dev.citizen import PASSWORD, Citizen, create_password, link_in, next_number
from dev.private_stack import PrivateStack
from mipres.settings.names import DEVELOPMENT_KEY
from tests.api.conftest import hidden


async def with_account(stack: PrivateStack) -> Citizen:
    """Register somebody who creates the password too."""
    citizen = Citizen(number=next_number())
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=True, timeout=30) as client:
        people = f"{stack.url('REGISTRY_PORT')}/_control/people"
        (await client.post(people, json=[citizen.record()])).raise_for_status()
        key = {"Authorization": f"Bearer {DEVELOPMENT_KEY}"}
        address = f"{stack.settings.public_url}/api/v1/registrations"
        answer = await client.post(address, json=citizen.request(), headers=key)
        assert answer.status_code == 201, answer.text
        link = None
        while link is None:
            listed = (await client.get(f"{stack.url('MAIL_UI_PORT')}/api/v1/messages")).json()["messages"]
            for mail in listed:
                text = (await client.get(f"{stack.url('MAIL_UI_PORT')}/api/v1/message/{mail['ID']}")).json()
                link = link or link_in(text["Text"])
    async with httpx2.AsyncClient(
        base_url=stack.settings.public_url, trust_env=False, follow_redirects=True, timeout=30
    ) as browser:
        assert (await create_password(browser, link)).is_success
    return citizen


async def log_in_through(
    browser: httpx2.AsyncClient, address: str, citizen: Citizen, *, issuer: str
) -> httpx2.Response:
    """Open a page of an application and log in on the way; the page that follows."""
    login = await browser.get(address)
    assert login.url.path == "/ingreso/mipres", login.text
    typed = {"usuario": citizen.login, "contrasena": PASSWORD}
    page = await browser.post(str(login.url.copy_with(query=None)), data={**hidden(login), **typed})
    onward = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert onward, page.text
    return await browser.get(f"{issuer}{html.unescape(onward.group(1))}")
