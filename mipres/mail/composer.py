"""Mails as templates/email/<name>/{subject.txt,body.txt,body.html} over one base."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from mipres.domain.accounts import AccountContact
from mipres.domain.help import HelpContact
from mipres.domain.mail import Mail
from mipres.mail.dates import long_date, long_date_time


class JinjaMailComposer:
    """Implements ports.MailComposer.

    Args:
        templates: The folder templates/email.
        public_url: Address of the site, from settings and never from a request.
        help_contact: Whom every mail names for help.
    """

    def __init__(self, templates: Path, *, public_url: str, help_contact: HelpContact | None = None) -> None:
        self._public_url = public_url.rstrip("/")
        self._environment = Environment(
            loader=FileSystemLoader(templates),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"long_date": long_date, "long_date_time": long_date_time}
        self._environment.globals["help_contact"] = help_contact or HelpContact()
        self._inliner = CSSInliner(load_remote_stylesheets=False)

    def compose(
        self, name: str, *, contact: AccountContact, message_key: str, context: Mapping[str, object]
    ) -> Mail:
        values = {"contact": contact, "public_url": self._public_url, **context}
        return Mail(
            to_name=contact.full_name,
            to_address=contact.email,
            subject=" ".join(self._render(f"{name}/subject.txt", values).split()),
            text=self._render(f"{name}/body.txt", values),
            html=self._inliner.inline(self._render(f"{name}/body.html", values)),
            message_key=message_key,
        )

    def _render(self, template: str, values: Mapping[str, object | datetime]) -> str:
        return self._environment.get_template(template).render(values)
