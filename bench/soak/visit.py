"""One person's day over HTTP, who tries again when a page does not answer."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from api.pages.timeline import REFRESH_SECONDS
from bench.http import Connection, UnexpectedAnswerError, expect
from bench.mailbox import Mailbox
from bench.soak.people import Plan
from dev.citizen import PASSWORD, create_password, hidden_of, log_in
from mipres.domain.stages import Stage
from mipres.settings.names import DEVELOPMENT_KEY

T = TypeVar("T")

_PAUSE_SECONDS = 0.5
_ANOTHER_PASSWORD = f"{PASSWORD}-otra"
_FAILURES = (OSError, asyncio.IncompleteReadError, TimeoutError, UnexpectedAnswerError, LookupError)
_RESEND_ANSWERS = (HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)


class NotFinishedError(Exception):
    """A person did not come to the end of their day."""


@dataclass(kw_only=True)
class Tally:
    """What people got.

    Attributes:
        asked: Attempts at a step, also those that got no answer.
        failures: Attempts without the answer that the step is for, by step and error.
        done: Steps by name, and people under `people`.
        outcomes: Seconds from the submission to its answer, since they were last taken.
        here: Connections to the API of people whose day is not over.
    """

    asked: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    outcomes: list[float] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    here: set[Connection] = field(default_factory=set)

    def take_outcomes(self) -> list[float]:
        taken, self.outcomes = self.outcomes, []
        return taken


@dataclass(kw_only=True)
class Visit:
    """Drives one person.

    Attributes:
        patience: Seconds for which a step is tried.
        until: When, by `time.monotonic`, the day ends: no one waits beyond it for another link.
    """

    plan: Plan
    api: Connection
    mail: Connection
    mailbox: Mailbox
    tally: Tally
    patience: float
    until: float
    radicado: str = ""
    used_link: str = ""

    async def live(self) -> None:
        """Go through the whole day.

        Raises:
            NotFinishedError: a step was tried for too long.
        """
        self.tally.here.add(self.api)
        try:
            await self._patiently("submissions", self._submit)
            if self.plan.submits_twice:
                await self._patiently("submissions", self._submit)
            if not self.plan.is_refused:
                await self._become_a_user()
        finally:
            self.tally.here.remove(self.api)
            self.api.close()
            self.mail.close()
            self.mailbox.forget(self._address)
        self.tally.done["people"] += 1

    async def _become_a_user(self) -> None:
        if self.plan.asks_for_another_link:
            await self._patiently("links asked for", self._ask_for_another_link)
        await self._patiently("passwords", self._create_first_password)
        await self._patiently("registrations", self._await_completion)
        if self.plan.recovers:
            await self._patiently("recoveries", self._recover)
        if self.plan.logs_in:
            await self._patiently("logins", self._log_in)

    @property
    def _address(self) -> str:
        return self.plan.citizen.email

    async def _patiently(self, step: str, attempt: Callable[[], Awaitable[T]]) -> T:
        limit = time.monotonic() + self.patience
        while True:
            self.tally.asked += 1
            try:
                found = await attempt()
            except _FAILURES as error:
                self.tally.failures[f"{step}: {_kind_of(error)}"] += 1
                self.api.close()
                if time.monotonic() > limit:
                    raise NotFinishedError(f"{step}: {error!r}") from error
            else:
                self.tally.done[step] += 1
                return found
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _submit(self) -> None:
        began = time.perf_counter()
        request = self.plan.citizen.request()
        answer = await self.api.post("/api/v1/registrations", json=request, key=DEVELOPMENT_KEY)
        if self.plan.is_refused:
            # An outage answers "in progress" first; the refusal comes by mail.
            expect(answer, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.ACCEPTED)
        else:
            accepted = expect(answer, HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED)
            self.radicado = str(accepted.json()["radicado"])
        self.tally.outcomes.append(time.perf_counter() - began)

    async def _ask_for_another_link(self) -> None:
        first = await self._newest_link()
        while True:
            path = f"/api/v1/registrations/{self.radicado}/resend-link"
            answer = expect(await self.api.post(path, key=DEVELOPMENT_KEY), *_RESEND_ANSWERS)
            if answer.status_code == HTTPStatus.ACCEPTED:
                # It works no more as soon as another one is on its way.
                self.used_link = first
            wait = float(answer.headers.get("retry-after", "0"))
            if not wait or time.monotonic() + wait > self.until:
                return
            await asyncio.sleep(wait)

    async def _create_first_password(self) -> None:
        """Create the password with the newest link, unless an attempt without answer did."""
        if await self._stage() != Stage.COMPLETED:
            await self._create_password(PASSWORD)

    async def _await_completion(self) -> None:
        """Look until the workflow knows of the password.

        An attempt of its own: the link has been used, and no other one comes.
        """
        pause = _PAUSE_SECONDS
        while await self._stage() != Stage.COMPLETED:
            await asyncio.sleep(pause)
            # Hundreds who look twice a second would be most of what there is to do after an outage.
            pause = min(2 * pause, REFRESH_SECONDS)

    async def _stage(self) -> str:
        path = f"/api/v1/registrations/{self.radicado}"
        answer = expect(await self.api.get(path, key=DEVELOPMENT_KEY), HTTPStatus.OK)
        return str(answer.json()["stage"])

    async def _newest_link(self) -> str:
        async with asyncio.timeout(self.patience):
            return await self.mailbox.newest_link(self._address, self.mail, besides=self.used_link)

    async def _create_password(self, password: str) -> None:
        link = await self._newest_link()
        expect(await create_password(self.api, link, password), HTTPStatus.OK)
        self.used_link = link

    async def _recover(self) -> None:
        page = expect(await self.api.get("/contrasena/recuperar"), HTTPStatus.OK)
        document = {"tipo_documento": "CC", "numero_documento": self.plan.citizen.number}
        answer = await self.api.post("/contrasena/recuperar", data={**hidden_of(page), **document})
        expect(answer, HTTPStatus.ACCEPTED)
        await self._create_password(_ANOTHER_PASSWORD)

    async def _log_in(self) -> None:
        password = _ANOTHER_PASSWORD if self.plan.recovers else PASSWORD
        expect(await log_in(self.api, self.plan.citizen.login, password), HTTPStatus.OK)


def _kind_of(error: Exception) -> str:
    if isinstance(error, UnexpectedAnswerError):
        status, _, _body = str(error).partition(" ")
        return status
    return type(error).__name__
