"""What the made-up citizen types and where it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from dev.citizen import PASSWORD, Citizen, Delegate, create_password, csrf_of, link_in, log_in, next_number

LINK = "/contrasena/" + "a" * 64


@dataclass(frozen=True, kw_only=True)
class Form:
    text: str


@dataclass(kw_only=True)
class FakeBrowser:
    """Every page is one form; `sent` is what was posted where."""

    text: str = (
        '<input type="hidden" name="csrf_token" value="t0k"><input type="hidden" name="enlace" value="l1nk">'
    )
    opened: list[str] = field(default_factory=list)
    sent: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    async def get(self, url: str, /) -> Form:
        self.opened.append(url)
        return Form(text=self.text)

    async def post(self, url: str, /, *, data: Mapping[str, str]) -> Form:
        self.sent.append((url, data))
        return Form(text="listo")


async def test_a_password_is_created_with_the_form_of_the_link() -> None:
    browser = FakeBrowser()
    assert (await create_password(browser, LINK)).text == "listo"
    assert browser.opened == [LINK]
    fields = {"csrf_token": "t0k", "enlace": "l1nk", "contrasena": PASSWORD, "confirmacion": PASSWORD}
    assert browser.sent == [("/contrasena", fields)]


async def test_a_login_goes_to_its_own_door() -> None:
    browser = FakeBrowser()
    await log_in(browser, "CC1", door="administracion")
    assert browser.opened == ["/ingreso/administracion"]
    fields = {"csrf_token": "t0k", "usuario": "CC1", "contrasena": PASSWORD}
    assert browser.sent == [("/ingreso/administracion", fields)]


async def test_a_page_without_a_form_sends_nothing() -> None:
    browser = FakeBrowser(text="El enlace ya fue usado")
    with pytest.raises(LookupError, match="ya fue usado"):
        await create_password(browser, LINK)
    assert browser.sent == []
    with pytest.raises(LookupError):
        csrf_of(Form(text=""))


def test_the_link_is_found_in_a_mail() -> None:
    assert link_in(f"Ábralo: http://127.0.0.1:8000{LINK} y cree su contraseña") == LINK
    assert link_in("Su contraseña fue creada") is None


def test_what_is_submitted_is_what_the_registries_know() -> None:
    doctor, delegate = Citizen(number=next_number()), Delegate(number=next_number())
    assert doctor.number != delegate.number
    [profession] = doctor.record()["rethus"]["professions"]
    assert profession["registration"] == doctor.request()["professional_registration"]
    [clinic] = delegate.record()["delegate_of"]
    assert delegate.request()["entity"] == {"kind": clinic["kind"], "nit": clinic["nit"]}
    assert doctor.record()["document"] == doctor.request()["document"]
