"""Pages from templates/pages."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.security import FORM_NOT_TAKEN, Cookies, FormTokens, new_visit
from api.static_files import static_url
from mipres.domain import sentences
from mipres.domain.eligibility import BOGOTA
from mipres.domain.help import HelpContact
from mipres.domain.stages import STAGES_FOR_STAFF, WAITING_FOR_STAFF
from mipres.domain.submissions import UserType
from mipres.mail.dates import long_date, long_date_time
from mipres.version import BUILD, VERSION


class Pages:
    """Renders pages; every page carries a form token, bound to the visit's cookie.

    Args:
        templates: The folder templates/.
        static: The folder static/.
        cookies: Names the visit.
        form_tokens: Signs the forms.
        help_contact: Whom every page names for help.
    """

    def __init__(
        self,
        templates: Path,
        static: Path,
        *,
        cookies: Cookies,
        form_tokens: FormTokens,
        help_contact: HelpContact | None = None,
    ) -> None:
        self._cookies = cookies
        self._form_tokens = form_tokens
        self._environment = Environment(
            loader=FileSystemLoader(templates),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # A release is not edited while it runs: no look at every file at each use.
            auto_reload=False,
        )
        self.static_url = partial(static_url, static)
        self._environment.globals |= {
            "static_url": self.static_url,
            "help_contact": help_contact or HelpContact(),
            "say": sentences,
            "version": VERSION,
            "build": BUILD,
        }
        self._environment.filters |= _FILTERS

    def render(
        self,
        request: Request,
        name: str,
        *,
        status: int = HTTPStatus.OK,
        new_cookie: bool = False,
        **context: object,
    ) -> HTMLResponse:
        """Render templates/pages/<name>.html.

        Args:
            request: What the page answers; its cookie names the visit.
            name: The page.
            status: HTTP status.
            new_cookie: Begin another visit, as after a login.
            context: What the template shows.
        """
        visit = new_visit() if new_cookie else self._cookies.visit(request)
        template = self._environment.get_template(f"pages/{name}.html")
        body = template.render(
            csrf_token=self._form_tokens.issue(visit),
            signed_in=getattr(request.state, "signed_in", ()),
            is_form_not_taken=request.url.query == FORM_NOT_TAKEN,
            is_answer_gone=getattr(request.state, "is_answer_gone", False),
            **context,
        )
        response = HTMLResponse(body, status_code=status)
        if visit != self._cookies.get(request, "visita"):
            self._cookies.set(response, "visita", visit)
        return response


def whole(text: str) -> Markup:
    """Keep on one line what has hyphens or spaces of its own, such as a radicado."""
    return Markup('<span class="whole">{}</span>').format(text)


def sentence(text: str) -> str:
    """Begin with a capital, and leave names such as ReTHUS as they are written."""
    return text[:1].upper() + text[1:]


def short_moment(moment: datetime) -> Markup:
    """`2026-11-24 10:05` in Colombia: in a table, where the long form does not fit."""
    return whole(f"{moment.astimezone(BOGOTA):%Y-%m-%d %H:%M}")


_FILTERS: dict[str, Callable[..., object]] = {
    "long_date": long_date,
    "long_date_time": long_date_time,
    "stage_label": lambda stage: STAGES_FOR_STAFF[stage].label,
    "waiting_label": WAITING_FOR_STAFF.__getitem__,
    "user_type_label": lambda code: UserType(code).label,
    "sentence": sentence,
    "short_moment": short_moment,
    "whole": whole,
}
