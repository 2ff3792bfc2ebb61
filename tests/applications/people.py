"""People who can log in at a running product."""

import httpx2

from dev.citizen import Citizen, create_password, link_in, next_number
from dev.private_stack import PrivateStack
from mipres.settings import DEVELOPMENT_KEY


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
