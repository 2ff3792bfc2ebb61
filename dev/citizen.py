"""One made-up citizen: what the registries know, and what happens over HTTP."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mipres.domain.documents import Document, DocumentType
from mipres.domain.submissions import Submission, UserType

PASSWORD = "Clave-Segura-2026"  # noqa: S105 - of people who do not exist.
REGISTRATION_NUMBER = "76-1234"
NIT = "900123456"
MEDICINE = {"code": "01", "name": "MEDICINA", "registration": REGISTRATION_NUMBER}
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_LINK = re.compile(r"/contrasena/[\w-]{64}")
_numbers = itertools.count(20_000_001)


class Page(Protocol):
    """An answer to a citizen's browser."""

    @property
    def text(self) -> str: ...


P_co = TypeVar("P_co", bound=Page, covariant=True)
P = TypeVar("P", bound=Page)


class Browser(Protocol[P_co]):
    """A client that keeps cookies and follows redirects, such as `httpx2.AsyncClient`."""

    async def get(self, url: str, /) -> P_co: ...

    async def post(self, url: str, /, *, data: Mapping[str, str]) -> P_co: ...


@dataclass(frozen=True, kw_only=True)
class Citizen:
    """A doctor, by identity card."""

    number: str

    @property
    def document(self) -> dict[str, str]:
        return {"type": "CC", "number": self.number}

    @property
    def email(self) -> str:
        return f"p{self.number}@ejemplo.test"

    @property
    def login(self) -> str:
        return f"CC{self.number}"

    @property
    def submission(self) -> Submission:
        """The same as the product reads it."""
        return Submission(
            user_type=UserType.PROFESSIONAL,
            document=Document(type=DocumentType.CC, number=self.number),
            professional_registration=REGISTRATION_NUMBER,
        )

    def record(self) -> dict[str, Any]:
        """What the simulated registries know."""
        return {
            "document": self.document,
            "given_names": "Ana María",
            "surnames": "Rodríguez Peña",
            "email": self.email,
            "rethus": {"professions": [MEDICINE], "sanctions": []},
            "sso": None,
            "delegate_of": [],
            "provider_in": None,
        }

    def request(self) -> dict[str, Any]:
        """Body of the API's POST."""
        return {
            "user_type": "professional",
            "document": self.document,
            "professional_registration": REGISTRATION_NUMBER,
            "data_terms_accepted": True,
        }


@dataclass(frozen=True, kw_only=True)
class Delegate(Citizen):
    """Somebody whom a clinic has named, so that ReTHUS is not asked."""

    def record(self) -> dict[str, Any]:
        clinic = {"nit": NIT, "name": "CLÍNICA DE EJEMPLO", "kind": "IPS", "regime": None}
        return super().record() | {"rethus": None, "delegate_of": [clinic]}

    def request(self) -> dict[str, Any]:
        return {
            "user_type": "delegate",
            "entity": {"kind": "IPS", "nit": NIT},
            "document": self.document,
            "data_terms_accepted": True,
        }


@dataclass(frozen=True, kw_only=True)
class SocialServant(Citizen):
    """A doctor in the compulsory social service."""

    def record(self) -> dict[str, Any]:
        site = {"site_code": "940010001", "site_name": "HOSPITAL DE EJEMPLO", "municipality": "94001"}
        term = {"start": "2020-01-01", "end": "2099-12-31"}
        return super().record() | {"rethus": None, "sso": {"profession": "MEDICINA", **site, **term}}

    def request(self) -> dict[str, Any]:
        return {"user_type": "social_service", "document": self.document, "data_terms_accepted": True}


@dataclass(frozen=True, kw_only=True)
class OtherUser(Citizen):
    """Somebody of whom only the identity is asked."""

    def record(self) -> dict[str, Any]:
        return super().record() | {"rethus": None}

    def request(self) -> dict[str, Any]:
        return {"user_type": "other", "document": self.document, "data_terms_accepted": True}


@dataclass(frozen=True, kw_only=True)
class Unlisted(Citizen):
    """A doctor whom ReTHUS does not know, and who is refused."""

    def record(self) -> dict[str, Any]:
        return super().record() | {"rethus": None}


def next_number() -> str:
    """A document number that this process has not given out yet."""
    return str(next(_numbers))


def link_in(mail: str) -> str | None:
    """Path of the password link in the text of a mail."""
    found = _LINK.search(mail)
    return found.group() if found else None


def csrf_of(page: Page) -> str:
    """The token of the page's form.

    Raises:
        LookupError: the page has no form.
    """
    found = _CSRF.search(page.text)
    if found is None:
        raise LookupError(page.text)
    return found[1]


def hidden_of(page: Page) -> dict[str, str]:
    """What the page's form sends beside what a person types.

    Raises:
        LookupError: the page has no form.
    """
    return {**dict(_HIDDEN.findall(page.text)), "csrf_token": csrf_of(page)}


async def create_password(browser: Browser[P], link: str, password: str = PASSWORD) -> P:
    """Open the link of a mail and send the form of its page."""
    page = await browser.get(link)
    fields = {**hidden_of(page), "contrasena": password, "confirmacion": password}
    return await browser.post("/contrasena", data=fields)


async def log_in(browser: Browser[P], login: str, password: str = PASSWORD, *, door: str = "mipres") -> P:
    """Open an application's login page and send its form."""
    page = await browser.get(f"/ingreso/{door}")
    fields = {"csrf_token": csrf_of(page), "usuario": login, "contrasena": password}
    return await browser.post(f"/ingreso/{door}", data=fields)
