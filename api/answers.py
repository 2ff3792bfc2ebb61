"""Answers to forms, each at an address of its own that can be loaded again."""

import base64
import secrets
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.security import Cookies
from mipres.domain.access import AccessWords
from mipres.domain.applications import Application
from mipres.domain.documents import Document
from mipres.domain.outcomes import Outcome
from mipres.domain.submissions import Submission
from mipres.ports import Clock

LIFETIME: Final = timedelta(minutes=30)
RESULTS: Final = "/registro/resultado/{}"
_COOKIE: Final = "respuesta_"
_FIELD: Final = "respuesta"
# A browser keeps 4096 bytes of a cookie, with its name and its attributes; servers take 8192 of all together.
_MOST_BYTES: Final = 3800
_MOST: Final = 5
_ID_BYTES: Final = 12
# What a form proves with, and nothing keeps: passwords, codes, texts of a captcha.
_PROOFS: Final = frozenset(
    {"actual", "altcha", "captcha", "codigo", "confirmacion", "contrasena", "credencial"}
)


def without_proofs(typed: Mapping[str, str]) -> dict[str, str]:
    """Keep what a form shows again: nothing that proves who the person is."""
    return {name: text for name, text in typed.items() if name not in _PROOFS}


@dataclass(frozen=True, kw_only=True)
class FormAnswer:
    """A form that its own page shows again, with what was typed and what is wrong.

    Attributes:
        page: The path of that page.
        captcha: The challenge that the page shows: empty for another one, None for none.
        status: Of the page; without it, whether there are errors decides.
        is_incomplete: Whether a mandatory field was left empty.
        is_of_before: Whether the form is older than the last login in this browser.
    """

    kind: Literal["form"] = "form"
    page: str
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    captcha: str | None = None
    status: int = 0
    is_incomplete: bool = False
    is_of_before: bool = False

    @property
    def shown_status(self) -> int:
        """Status of the page that shows it: what a program and a password manager look at."""
        return self.status or (HTTPStatus.UNPROCESSABLE_ENTITY if self.errors else HTTPStatus.OK)


@dataclass(frozen=True, kw_only=True)
class HeldAnswer:
    """A form that was not received: what was typed, and when to send it again.

    Attributes:
        page: The path of the page that shows the form, with what was typed.
        title: Why it was held back; empty where it was only open too long.
        until: When a limit lets it pass, in seconds since 1970.
    """

    kind: Literal["held"] = "held"
    page: str
    typed: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    text: str = ""
    until: float = 0


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

    For a limit that was met: its words, and when it lets the next one pass, in seconds since 1970.
    """

    kind: Literal["status"] = "status"
    page: str
    result: StatusResult
    limit: str = ""
    until: float = 0


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


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A placement of social service that ended."""

    site_name: str | None
    last_day: date | None


@dataclass(frozen=True, kw_only=True)
class DoorAnswer:
    """A right password at a door that is closed.

    Attributes:
        right: The doors that are open.
        closed: Why, in words; empty where the login belongs to another door.
        placement: What ended, where that is why.
    """

    kind: Literal["door"] = "door"
    wanted: Application
    right: tuple[Application, ...] = ()
    closed: tuple[AccessWords, ...] = ()
    placement: Placement | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeAnswer:
    """A change of address that was stopped, and whether support knows."""

    kind: Literal["change"] = "change"
    page: str
    support_knows: bool


@dataclass(frozen=True, kw_only=True)
class CodesAnswer:
    """New recovery codes, for the session that asked for them."""

    kind: Literal["codes"] = "codes"
    page: str
    session_id: uuid.UUID
    codes: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class KeyAnswer:
    """A key of support, for the member who minted it."""

    kind: Literal["key"] = "key"
    page: str
    actor: str
    key: str = field(repr=False)


PageAnswer = FormAnswer | HeldAnswer | StatusAnswer | ChangeAnswer | CodesAnswer | StaffAnswer | KeyAnswer
"""Answers that the form's own page shows."""
Answer = (
    FormAnswer
    | HeldAnswer
    | DoorAnswer
    | ChangeAnswer
    | CodesAnswer
    | KeyAnswer
    | RegistrationAnswer
    | ReceivedAnswer
    | RecoveryAnswer
    | PasswordAnswer
    | StatusAnswer
    | SearchAnswer
    | StaffAnswer
)


_Shown = TypeVar("_Shown", bound=PageAnswer)


@dataclass(frozen=True, kw_only=True)
class _Kept:
    id: str
    until: float
    # By its kind; otherwise pydantic would try every one.
    answer: Annotated[Answer, Field(discriminator="kind")]


_KEPT: Final = TypeAdapter(_Kept)


class FormAnswers:
    """Keeps each answer in an encrypted cookie of its own.

    So only the browser that sent the form sees it, and two forms that are sent at once lose neither answer.

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
        self, request: Request, answer: Answer, address: Callable[[str], str] = RESULTS.format
    ) -> RedirectResponse:
        """Lead the browser to the address of this answer."""
        answer_id = secrets.token_urlsafe(_ID_BYTES)
        response = RedirectResponse(address(answer_id), status_code=HTTPStatus.SEE_OTHER)
        self._keep(request, response, answer_id, answer)
        return response

    def way_back(self, held: HeldAnswer, answer_id: str) -> str:
        """The address of the form's page, with what was typed into it."""
        return _address(held.page, answer_id, volver=held.typed.get("volver", ""))

    def keep_beside(self, request: Request, held: HeldAnswer, draw: Callable[[str], Response]) -> Response:
        """Draw a page that answers the form itself, with the way back to what was typed."""
        answer_id = secrets.token_urlsafe(_ID_BYTES)
        response = draw(self.way_back(held, answer_id))
        self._keep(request, response, answer_id, held)
        return response

    def lead_back(self, request: Request, answer: PageAnswer, **query: str) -> RedirectResponse:
        """Lead the browser to the page that shows this answer, and keep its query."""
        return self.redirect(request, answer, lambda answer_id: _address(answer.page, answer_id, **query))

    def find(self, request: Request, answer_id: str) -> Answer | None:
        """Find an answer; None for another browser, or after its time."""
        kept = self._open(self._cookies.get(request, _COOKIE + answer_id))
        return kept.answer if kept and kept.id == answer_id else None

    def shown_here(self, request: Request, kind: type[_Shown]) -> _Shown | None:
        """Find the answer of this kind that the address of the page names."""
        answer_id = request.query_params.get(_FIELD)
        if answer_id is None:
            return None
        answer = self.find(request, answer_id)
        is_own = getattr(answer, "page", None) == request.url.path
        # The page says so: without a word an empty form looks as if nothing had been sent.
        request.state.is_answer_gone = not is_own
        return answer if is_own and isinstance(answer, kind) else None

    def form_here(self, request: Request) -> FormAnswer:
        """What the form on this page shows: empty where nothing was sent."""
        held = self.shown_here(request, HeldAnswer)
        empty = FormAnswer(page=request.url.path, typed=held.typed if held else {})
        return self.shown_here(request, FormAnswer) or empty

    def forget(self, request: Request, response: Response) -> None:
        """Leave nothing for the next person at this browser."""
        for name in self._cookies.names(request, _COOKIE):
            self._cookies.drop(response, name)

    def now(self) -> datetime:
        """The time that answers are judged by."""
        return self._clock.now()

    def _keep(self, request: Request, response: Response, answer_id: str, answer: Answer) -> None:
        until = (self.now() + LIFETIME).timestamp()
        kept = _Kept(id=answer_id, until=until, answer=_without_proofs(answer))
        value = self._seal(kept)
        if len(value) > _MOST_BYTES:
            # Nobody types so much into these fields: the page shows its errors alone.
            value = self._seal(replace(kept, answer=_bare(kept.answer)))
        self._cookies.set(response, _COOKIE + answer_id, value, max_age=int(LIFETIME.total_seconds()))
        self._drop_older(request, response, room=_MOST_BYTES - len(value))

    def _drop_older(self, request: Request, response: Response, *, room: int) -> None:
        """Drop the oldest answers for which there is no room beside a new one."""
        sizes, dates = {}, {}
        for name in self._cookies.names(request, _COOKIE):
            sealed = self._cookies.get(request, name) or ""
            kept = self._open(sealed)
            sizes[name], dates[name] = len(sealed), kept.until if kept else 0
        oldest_first = sorted(dates, key=dates.__getitem__)
        for place, name in enumerate(reversed(oldest_first), start=2):
            room -= sizes[name]
            if place > _MOST or room < 0 or not dates[name]:
                self._cookies.drop(response, name)

    def _seal(self, kept: _Kept) -> str:
        return self._encryption.encrypt(zlib.compress(_KEPT.dump_json(kept))).decode()

    def _open(self, sealed: str | None) -> _Kept | None:
        """Read a cookie; None if it is not one of these, or after its time."""
        try:
            kept = _KEPT.validate_json(zlib.decompress(self._encryption.decrypt((sealed or "").encode())))
        except (InvalidToken, ValidationError, UnicodeEncodeError, zlib.error):
            return None
        return kept if kept.until > self.now().timestamp() else None


def _address(page: str, answer_id: str, **query: str) -> str:
    fields = {name: value for name, value in query.items() if value}
    return f"{page}?{urlencode({**fields, _FIELD: answer_id})}"


def _without_proofs(answer: Answer) -> Answer:
    if isinstance(answer, FormAnswer | HeldAnswer):
        return replace(answer, typed=without_proofs(answer.typed))
    return answer


def _bare(answer: Answer) -> Answer:
    return replace(answer, typed={}) if isinstance(answer, FormAnswer | HeldAnswer) else answer
