"""Mails as templates/email/<name>/{subject.txt,body.html} over one base."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from mipres.domain import sentences
from mipres.domain.accounts import AccountContact
from mipres.domain.help import HelpContact
from mipres.domain.mail import Mail
from mipres.domain.outcomes import DATA_UPDATED, USE_FIRST_CREDENTIALS
from mipres.mail.dates import long_date, long_date_time
from mipres.mail.plain import plain_text


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
            # A release is not edited while it runs: no look at every file at each use.
            auto_reload=False,
        )
        self._environment.filters |= {"long_date": long_date, "long_date_time": long_date_time}
        self._environment.globals |= {
            "help_contact": help_contact or HelpContact(),
            "say": sentences,
            "data_updated": DATA_UPDATED,
            "use_first_credentials": USE_FIRST_CREDENTIALS,
        }
        self._inliner = CSSInliner(load_remote_stylesheets=False)

    def compose(
        self, name: str, *, contact: AccountContact, message_key: str, context: Mapping[str, object]
    ) -> Mail:
        values = {"contact": contact, "public_url": self._public_url, **context}
        subject = " ".join(self._render(f"{name}/subject.txt", values).split())
        html = self._render(f"{name}/body.html", {**values, "subject": subject})
        return Mail(
            to_name=contact.full_name,
            to_address=contact.email,
            subject=subject,
            text=plain_text(html),
            html=self._inliner.inline(html),
            message_key=message_key,
        )

    def _render(self, template: str, values: Mapping[str, object | datetime]) -> str:
        return self._environment.get_template(template).render(values)
