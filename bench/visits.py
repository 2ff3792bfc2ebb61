"""One whole registration over HTTP, as a program of a clinic submits it and its doctor finishes it."""

import re
import time
from dataclasses import dataclass
from http import HTTPStatus

from bench.http import Connection, expect
from bench.mailbox import Mailbox
from bench.people import Professional
from mipres.settings import DEVELOPMENT_KEY

PASSWORD = "Clave-Segura-2026"  # noqa: S105 - of people who do not exist.
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds from the submission to the outcome, and to the confirmation that all is done.

    Attributes:
        outcome: A late one is known by the mail at last.
        late: Whether the answer was "in progress", because the product is slower than it lets people wait.
    """

    outcome: float
    whole: float
    late: bool = False


class Visitor:
    """Drives one API process. Every engine that is compared stands behind the same API and pages."""

    def __init__(self, api_port: int, mailbox: Mailbox) -> None:
        self._api = Connection(port=api_port)
        self._mail = Connection(port=mailbox.port)
        self._mailbox = mailbox

    async def submit(self, person: Professional) -> bool:
        """Submit and wait for the answer: whether it is the outcome."""
        request = person.request()
        answer = await self._api.post_json("/api/v1/registrations", request, key=DEVELOPMENT_KEY)
        return expect(answer, 201, 202).status == HTTPStatus.CREATED

    async def register(self, person: Professional) -> Timed:
        """Submit, read the mail, open the link, create the password, and wait for the confirmation."""
        began = time.perf_counter()
        known = await self.submit(person)
        answered = time.perf_counter() - began
        link = await self._mailbox.link(person.email, self._mail)
        mailed = time.perf_counter() - began
        await self.create_password(link)
        await self._mailbox.confirmation(person.email)
        whole = time.perf_counter() - began
        return Timed(outcome=answered if known else mailed, whole=whole, late=not known)

    async def create_password(self, link: str) -> None:
        """Open the link that was mailed and send the form of its page."""
        expect(await self._api.get(link), 303)
        page = expect(await self._api.get("/contrasena"), 200)
        found = _CSRF.search(page.text)
        token = found[1] if found else ""
        fields = {"csrf_token": token, "contrasena": PASSWORD, "confirmacion": PASSWORD}
        expect(await self._api.post_form("/contrasena", fields), 200)

    def close(self) -> None:
        self._api.close()
        self._mail.close()
