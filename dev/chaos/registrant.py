"""A citizen who registers.

When a page does not answer, or support cancels the registration, they try again.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from dev.chaos.product import Product
from dev.chaos.waiting import NO_ANSWER, NotYetError, patiently
from dev.citizen import Citizen, create_password, link_in, next_number

ASKS_AGAIN_SECONDS = 30.0
ACCEPTED = frozenset({200, 201, 202})


@dataclass(kw_only=True)
class Registrant:
    """One registration. `radicado` is known once the product has accepted it."""

    product: Product
    citizen: Citizen
    radicado: str | None = None
    asks_at: float = field(default_factory=lambda: time.monotonic() + ASKS_AGAIN_SECONDS)

    @property
    def moved_to(self) -> str:
        """The address that the registry has after a change."""
        return f"nuevo.{self.citizen.email}"

    async def submit(self) -> None:
        """Submit, and again as long as no answer comes."""
        if self.radicado is None:
            self.radicado = await patiently(self._submitted)

    async def submit_again(self) -> None:
        """Submit although the product has accepted it before."""
        self.radicado = await patiently(self._submitted)

    async def stage(self) -> str:
        """Where the registration is."""
        answer = await self.product.api.get(f"/api/v1/registrations/{self.radicado}")
        return str(answer.raise_for_status().json()["stage"])

    async def wait_for_link(self) -> str:
        """The newest link in the person's mail."""
        return await patiently(self._newest_link)

    async def finish(self) -> None:
        """Do everything that is left to do, from wherever the person is."""
        await self.submit()
        await patiently(self._password_created)
        await self.be_completed()

    async def be_completed(self) -> None:
        """Wait for the registration's good end."""
        await patiently(self._completed)

    async def press_again(self) -> None:
        """Press the button once more: of the password if there is a link, else of the form."""
        link = await self._link_at_hand()
        if link is None:
            await self._post()
        else:
            # The first press may have used the link already: then its page has no form.
            with suppress(LookupError):
                async with self.browser() as browser:
                    await create_password(browser, link)

    async def mails(self) -> list[dict[str, Any]]:
        """What the person got at either address, oldest first."""
        listed = (await self.product.mail.get("/api/v1/messages")).raise_for_status().json()["messages"]
        own = {self.citizen.email, self.moved_to}
        return [item for item in reversed(listed) if item["To"][0]["Address"] in own]

    async def texts(self) -> list[tuple[str, str]]:
        """Subject and text of each mail; two copies of one mail are equal."""
        return [(str(mail["Subject"]), await self._text(mail)) for mail in await self.mails()]

    async def _text(self, mail: dict[str, Any]) -> str:
        message = await self.product.mail.get(f"/api/v1/message/{mail['ID']}")
        return str(message.raise_for_status().json()["Text"])

    def browser(self) -> httpx2.AsyncClient:
        """A browser without cookies. It follows redirects."""
        return httpx2.AsyncClient(
            base_url=self.product.api.base_url, trust_env=False, follow_redirects=True, timeout=30
        )

    async def _post(self) -> httpx2.Response:
        return await self.product.api.post("/api/v1/registrations", json=self.citizen.request())

    async def _submitted(self) -> str:
        answer = await self._post()
        if answer.status_code not in ACCEPTED:
            raise NotYetError(answer.text)
        return str(answer.json()["radicado"])

    async def _newest_link(self) -> str:
        link = await self._link_at_hand()
        if link is None:
            await self._ask_for_another_link()
            raise NotYetError("no link yet")
        return link

    async def _ask_for_another_link(self) -> None:
        """Press the button of the status page now and then, as people do whose mail does not come."""
        if time.monotonic() >= self.asks_at:
            self.asks_at = time.monotonic() + ASKS_AGAIN_SECONDS
            await self.product.api.post(f"/api/v1/registrations/{self.radicado}/resend-link")

    async def _link_at_hand(self) -> str | None:
        for mail in reversed(await self.mails()):
            if link := link_in(await self._text(mail)):
                return link
        return None

    async def _password_created(self) -> None:
        await self._begin_anew_if_cancelled()
        link = await self._newest_link()
        try:
            async with self.browser() as browser:
                is_created = (await create_password(browser, link)).is_success
        except LookupError:
            # The page has no form any more: the answer to an earlier attempt may have been lost.
            is_created = False
        statement = "SELECT count(*) FROM accounts WHERE login = $1 AND password_hash IS NOT NULL"
        if not is_created and not await self.product.count(statement, self.citizen.login):
            raise NotYetError("the password was not taken")

    async def _begin_anew_if_cancelled(self) -> None:
        looked = await self.product.api.get(f"/api/v1/registrations/{self.radicado}")
        if looked.is_success and looked.json()["stage"] == "cancelled":
            await self._submitted()

    async def _completed(self) -> None:
        await self._begin_anew_if_cancelled()
        answer = await self.product.api.get(f"/api/v1/registrations/{self.radicado}")
        if not answer.is_success or answer.json()["stage"] != "completed":
            raise NotYetError(answer.text)


async def newcomers(product: Product, count: int) -> list[Registrant]:
    """People whom the registries know and the product does not."""
    citizens = [Citizen(number=next_number()) for _ in range(count)]
    await product.tell_registries([citizen.record() for citizen in citizens])
    return [Registrant(product=product, citizen=citizen) for citizen in citizens]


async def has_been_asked(
    product: Product, registry: str, people: Sequence[Registrant], *, times: int = 1
) -> bool:
    """Whether a registry has got so many calls about each of them."""
    with suppress(*NO_ANSWER):
        calls = (await product.registries.get("/_control/calls")).raise_for_status().json()[registry]
        return all(calls.get(f"CC {person.citizen.number}", 0) >= times for person in people)
    return False
