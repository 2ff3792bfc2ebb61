"""Answers to forms, each at an address of its own that can be loaded again."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final, Literal

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse

from api.security import Cookies
from mipres.domain.applications import Application
from mipres.domain.documents import Document
from mipres.domain.outcomes import Outcome
from mipres.domain.submissions import Submission
from mipres.ports import Clock

LIFETIME: Final = timedelta(minutes=30)
_COOKIE: Final = "respuestas"
# A browser keeps 4096 bytes of a cookie; the longest answer takes 900 of them.
_MOST: Final = 3
_ID_BYTES: Final = 12


@dataclass(frozen=True, kw_only=True)
class RegistrationAnswer:
    """What came of a registration form."""

    kind: Literal["registration"] = "registration"
    radicado: str
    submission: Submission
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class ReceivedAnswer:
    """A registration form whose outcome is mailed, and shown on no page."""

    kind: Literal["received"] = "received"


@dataclass(frozen=True, kw_only=True)
class RecoveryAnswer:
    """A recovery that was asked for."""

    kind: Literal["recovery"] = "recovery"


@dataclass(frozen=True, kw_only=True)
class PasswordAnswer:
    """A password that was set, and what it opens."""

    kind: Literal["password"] = "password"
    login: str
    is_password_changed: bool
    applications: tuple[Application, ...]


class StatusResult(StrEnum):
    """What came of a button on the status page."""

    RESENT = "resent"
    TOO_SOON = "too_soon"
    NOT_WAITING = "not_waiting"
    NO_WAIT = "no_wait"
    NOT_YOURS = "not_yours"


@dataclass(frozen=True, kw_only=True)
class StatusAnswer:
    """What came of a button on the status page.

    For a limit that was met: its words, and how long to wait.
    """

    kind: Literal["status"] = "status"
    radicado: str
    result: StatusResult
    limit: str = ""
    wait_seconds: int = 0


@dataclass(frozen=True, kw_only=True)
class SearchAnswer:
    """The document that support looked for, which no address holds."""

    kind: Literal["search"] = "search"
    document: Document


@dataclass(frozen=True, kw_only=True)
class StaffAnswer:
    """What support did, and the page that shows it."""

    kind: Literal["staff"] = "staff"
    page: str
    done: str


Answer = (
    RegistrationAnswer
    | ReceivedAnswer
    | RecoveryAnswer
    | PasswordAnswer
    | StatusAnswer
    | SearchAnswer
    | StaffAnswer
)


@dataclass(frozen=True, kw_only=True)
class _Kept:
    id: str
    until: float
    answer: Answer


_KEPT: Final = TypeAdapter(list[_Kept])


class FormAnswers:
    """Keeps answers in an encrypted cookie.

    So only the browser that sent the form sees them.

    Args:
        key: Encrypts, 32 bytes.
        older_keys: Keys of before a rotation, which only decrypt.
        cookies: Names and flags of the cookies.
        clock: Judges how old an answer is.
    """

    def __init__(
        self, key: bytes, *, older_keys: Sequence[bytes] = (), cookies: Cookies, clock: Clock
    ) -> None:
        keys = [Fernet(base64.urlsafe_b64encode(each)) for each in (key, *older_keys)]
        self._encryption = MultiFernet(keys)
        self._cookies = cookies
        self._clock = clock

    def redirect(
        self, request: Request, answer: Answer, to: str = "/registro/resultado/{id}"
    ) -> RedirectResponse:
        """Lead the browser to the address of this answer."""
        answer_id = secrets.token_urlsafe(_ID_BYTES)
        until = (self._clock.now() + LIFETIME).timestamp()
        newest = [*self._known(request), _Kept(id=answer_id, until=until, answer=answer)][-_MOST:]
        response = RedirectResponse(to.format(id=answer_id), status_code=HTTPStatus.SEE_OTHER)
        value = self._encryption.encrypt(_KEPT.dump_json(newest)).decode()
        self._cookies.set(response, _COOKIE, value, max_age=int(LIFETIME.total_seconds()))
        return response

    def find(self, request: Request, answer_id: str) -> Answer | None:
        """Find an answer; None for another browser, or after its time."""
        return next((kept.answer for kept in self._known(request) if kept.id == answer_id), None)

    def _known(self, request: Request) -> list[_Kept]:
        cookie = self._cookies.get(request, _COOKIE) or ""
        try:
            known = _KEPT.validate_json(self._encryption.decrypt(cookie.encode()))
        except (InvalidToken, ValidationError, UnicodeEncodeError):
            return []
        now = self._clock.now().timestamp()
        return [kept for kept in known if kept.until > now]
