"""One whole registration over HTTP, by a clinic's program and its doctor."""

import time
from dataclasses import dataclass
from http import HTTPStatus

from bench.http import Connection, expect
from bench.mailbox import Mailbox
from dev.citizen import Citizen, create_password
from mipres.settings.names import DEVELOPMENT_KEY


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds from the submission to the outcome, and to the confirmation.

    Attributes:
        outcome: A late one is known by the mail at last.
        late: Whether the answer was "in progress", because the product is slower than it lets people wait.
    """

    outcome: float
    whole: float
    late: bool = False


class Driver:
    """Drives one API process.

    Every engine that is compared stands behind the same API and pages.
    """

    def __init__(self, api_port: int, mailbox: Mailbox) -> None:
        self._api = Connection(port=api_port)
        self._mail = Connection(port=mailbox.port)
        self._mailbox = mailbox

    async def submit(self, person: Citizen) -> bool:
        """Submit and wait for the answer: whether it is the outcome."""
        request = person.request()
        answer = await self._api.post("/api/v1/registrations", json=request, key=DEVELOPMENT_KEY)
        return expect(answer, 201, 202).status_code == HTTPStatus.CREATED

    async def register(self, person: Citizen) -> Timed:
        """Submit, read the mail, open the link, create the password, await the end.

        Each person has a browser of their own: it knows no cookie yet.
        """
        self._api.cookies.clear()
        began = time.perf_counter()
        known = await self.submit(person)
        answered = time.perf_counter() - began
        link = await self._mailbox.link(person.email, self._mail)
        mailed = time.perf_counter() - began
        expect(await create_password(self._api, link), HTTPStatus.OK)
        await self._mailbox.confirmation(person.email)
        whole = time.perf_counter() - began
        return Timed(outcome=answered if known else mailed, whole=whole, late=not known)

    def close(self) -> None:
        self._api.close()
        self._mail.close()
