"""Somebody who registers, and who does what people do when a page does not answer: try again."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from dev.chaos.town import NO_ANSWER, NotYetError, Town, patiently

PASSWORD = "Clave-Segura-2026"  # noqa: S105 - of people who do not exist.
ACCEPTED = frozenset({200, 201, 202})
_LINK = re.compile(r"(/contrasena/[\w-]{64})")
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
_GONE = 410


@dataclass(kw_only=True)
class Citizen:
    """One professional. `radicado` stands once the product has accepted the registration."""

    town: Town
    number: str
    radicado: str | None = None
    answers: list[int] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"p{self.number}@ejemplo.test"

    @property
    def login(self) -> str:
        return f"CC{self.number}"

    async def submit(self) -> None:
        """Fill in the form, and again as long as no answer comes."""
        if self.radicado is None:
            self.radicado = await patiently(self._submitted)

    async def wait_for_link(self) -> str:
        """The newest link in the person's mail."""
        return await patiently(self._newest_link)

    async def create_password(self) -> None:
        await patiently(self._password_created)

    async def wait_for_end(self) -> None:
        await patiently(self._completed)

    async def go_on(self) -> None:
        """Everything that is left to do, from wherever the person is."""
        await self.submit()
        await self.create_password()
        await self.wait_for_end()

    async def mails(self) -> list[dict[str, Any]]:
        """What the person got, oldest first."""
        listed = (await self.town.mail.get("/api/v1/messages")).raise_for_status().json()["messages"]
        return [item for item in reversed(listed) if item["To"][0]["Address"] == self.email]

    async def _submitted(self) -> str:
        body = {
            "user_type": "professional",
            "document": {"type": "CC", "number": self.number},
            "professional_registration": "76-1234",
            "data_terms_accepted": True,
        }
        answer = await self.town.api.post("/api/v1/registrations", json=body)
        self.answers.append(answer.status_code)
        if answer.status_code not in ACCEPTED:
            raise NotYetError(answer.text)
        radicado: str = answer.json()["radicado"]
        return radicado

    async def _newest_link(self) -> str:
        for mail in reversed(await self.mails()):
            message = (await self.town.mail.get(f"/api/v1/message/{mail['ID']}")).raise_for_status().json()
            if found := _LINK.search(message["Text"]):
                return found[1]
        raise NotYetError("no link yet")

    async def _password_created(self) -> None:
        link = await self._newest_link()
        async with self._browser() as browser:
            page = await browser.get(link)
            if page.status_code == _GONE:
                # The answer to an earlier attempt was lost; whether it counted is the database's to say.
                await self._require_password()
                return
            found = _CSRF.search(page.text)
            if not page.is_success or found is None:
                raise NotYetError(page.text)
            sent = {"csrf_token": found[1], "contrasena": PASSWORD, "confirmacion": PASSWORD}
            if not (await browser.post("/contrasena", data=sent)).is_success:
                raise NotYetError("the password was not taken")

    async def _require_password(self) -> None:
        statement = "SELECT count(*) FROM accounts WHERE login = $1 AND password_hash IS NOT NULL"
        if not await self.town.count(statement, self.login):
            raise NotYetError("the link is of no use")

    async def _completed(self) -> None:
        answer = await self.town.api.get(f"/api/v1/registrations/{self.radicado}")
        if not answer.is_success or answer.json()["stage"] != "completed":
            raise NotYetError(answer.text)

    def _browser(self) -> httpx2.AsyncClient:
        """A browser with cookies of its own."""
        return httpx2.AsyncClient(
            base_url=self.town.api.base_url, trust_env=False, follow_redirects=True, timeout=30
        )


async def newcomers(town: Town, count: int) -> list[Citizen]:
    """People whom the registries know and the product does not."""
    people = [Citizen(town=town, number=town.next_number()) for _ in range(count)]
    profession = {"code": "01", "name": "MEDICINA", "registration": "76-1234"}
    body: list[dict[str, Any]] = [
        {
            "document": {"type": "CC", "number": person.number},
            "given_names": "Caos",
            "surnames": "De Prueba",
            "email": person.email,
            "rethus": {"professions": [profession], "sanctions": []},
            "sso": None,
            "delegate_of": [],
            "provider_in": None,
        }
        for person in people
    ]

    async def add() -> None:
        (await town.registries.post("/_control/people", json=body)).raise_for_status()

    await patiently(add)
    return people


async def has_been_asked(town: Town, registry: str, people: list[Citizen]) -> bool:
    """Whether a registry has got a call about each of them."""
    with suppress(*NO_ANSWER):
        calls = (await town.registries.get("/_control/calls")).raise_for_status().json()[registry]
        return all(f"CC {person.number}" in calls for person in people)
    return False
