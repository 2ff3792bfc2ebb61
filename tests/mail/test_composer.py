import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import mipres
from activities.reviews import ReviewStoppedNotice
from mipres.domain.access import CLOSED_WORDS, AccessCause, AccessChange, words_of_change
from mipres.domain.accounts import AccountContact
from mipres.domain.help import HelpContact
from mipres.domain.mail import Mail
from mipres.domain.outcomes import Refusal
from mipres.domain.remedies import explain_by_mail
from mipres.domain.submissions import UserType
from mipres.mail.composer import JinjaMailComposer

TEMPLATES = Path(mipres.__file__).parents[1] / "templates" / "email"
NAMES = sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir())
PUBLIC_URL = "https://mipres.ejemplo.test"
TOKEN = "t0k3n_" + "x" * 58
EXPIRES_AT = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
EXPIRES_IN_WORDS = "23 de noviembre de 2026 a las 11:30 p. m. (hora de Colombia)"
LINK_CONTEXT = {"token": TOKEN, "expires_at": EXPIRES_AT}
CONTEXTS: Mapping[str, Mapping[str, object]] = {
    "password_link": LINK_CONTEXT | {"reference": "RM-000000000001"},
    "password_recovery": LINK_CONTEXT | {"reference": "RC-000000000001"},
    "password_reminder": LINK_CONTEXT,
    "password_set": {},
    "password_changed": {},
    "data_updated": {},
    "address_changing": {"token": TOKEN, "takes_effect_at": EXPIRES_AT},
    "address_new": {"takes_effect_at": EXPIRES_AT},
    "support_change_stopped": {"reference": "RC-000000000001"},
    "factor_resetting": {"token": TOKEN, "takes_effect_at": EXPIRES_AT},
    "support_reset_stopped": {},
    "login_locked": {},
    "registration_refused": {
        "reference": "RM-000000000001",
        "message": explain_by_mail(Refusal.PROFESSION_NOT_AUTHORIZED, UserType.OTHER),
    },
    "access_changed": {
        "words": CLOSED_WORDS[AccessCause.SANCTIONED],
        "about": "Profesional de la Salud",
        "until": date(2026, 12, 31),
    },
    "new_browser": {"words": words_of_change(AccessChange.NEW_BROWSER, None), "about": None, "until": None},
    "registration_wait_ended": {
        "reference": "RM-000000000001",
        "message": explain_by_mail(Refusal.NOT_IN_RETHUS, UserType.PROFESSIONAL, may_wait=True),
    },
    "registration_delayed": {"reference": "RM-000000000001"},
    "registration_given_up": {"reference": "RM-000000000001"},
    "registration_cancelled": {"reference": "RM-000000000001"},
    "support_review_stopped": {
        "notice": ReviewStoppedNotice(
            review="access-review-2026-11-26T05:05:00Z", registry="rethus", looked=200, closing=90
        )
    },
    "support_given_up": {"reference": "RM-000000000001", "waiting_on": "rethus"},
}
WITH_LINK = [name for name in CONTEXTS if "expires_at" in CONTEXTS[name]]
ANA = AccountContact(
    login="CC1020304050",
    full_name="Ana María Ruiz Ñáñez",
    email="ana.ruiz@ejemplo.test",
    password_set_at=EXPIRES_AT,
)


def compose(name: str, contact: AccountContact = ANA) -> Mail:
    composer = JinjaMailComposer(TEMPLATES, public_url=f"{PUBLIC_URL}/")
    return composer.compose(name, contact=contact, message_key="key", context=CONTEXTS[name])


def test_every_mail_is_tried_here() -> None:
    assert set(NAMES) == set(CONTEXTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_goes_to_the_person_and_greets_them(name: str) -> None:
    mail = compose(name)
    assert (mail.to_name, mail.to_address, mail.message_key) == (ANA.full_name, ANA.email, "key")
    assert mail.text.startswith("Ana María Ruiz Ñáñez:\n")
    assert "Ana María Ruiz Ñáñez:" in mail.html


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_leads_to_help(name: str) -> None:
    contact = HelpContact(
        email="ayuda@entidad.gov.co", phone="601 330 5043", url="https://entidad.gov.co/ayuda"
    )
    composer = JinjaMailComposer(TEMPLATES, public_url=PUBLIC_URL, help_contact=contact)
    mail = composer.compose(name, contact=ANA, message_key="key", context=CONTEXTS[name])
    for part in (mail.text, mail.html):
        for way in (f"{PUBLIC_URL}/ayuda", contact.email, contact.phone, contact.url):
            assert str(way) in part
    assert "\n\n\n\n" not in mail.text


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_is_one_short_line_that_names_the_product(name: str) -> None:
    subject = compose(name).subject
    assert "MIPRES" in subject
    assert len(subject) < 78
    assert subject == " ".join(subject.split())


@pytest.mark.parametrize("name", NAMES)
def test_no_mail_repeats_the_number_of_the_document(name: str) -> None:
    mail = compose(name)
    for part in (mail.subject, mail.text, mail.html):
        assert "1020304050" not in part
        assert "0304" not in part


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_a_template(name: str) -> None:
    mail = compose(name)
    for part in (mail.subject, mail.text, mail.html):
        assert not re.search(r"\{[{%#]|[%#}]\}|None|Undefined|<built-in", part)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_in_html_and_stays_what_it_is_in_text(name: str) -> None:
    mail = compose(name, replace(ANA, full_name="<script>alert(1)</script> & O'Byrne"))
    assert "<script" not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; O" in mail.html
    assert "<script>alert(1)</script> & O'Byrne" in mail.text


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_loads_nothing_and_leads_nowhere_else(name: str) -> None:
    mail = compose(name)
    assert not re.search(r"\bsrc=|<link|<img|@import|url\(", mail.html)
    addresses = re.findall(r'href="([^"]*)"', mail.html) + re.findall(r"https?://\S+", mail.text)
    assert all(re.fullmatch(rf"{PUBLIC_URL}(/[\w-]+)*/?", address) for address in addresses)
    assert addresses


@pytest.mark.parametrize("name", NAMES)
def test_the_style_stands_at_the_elements_because_some_programs_drop_style_sheets(name: str) -> None:
    html = compose(name).html
    assert "<style" not in html
    assert 'style="' in html


@pytest.mark.parametrize("name", NAMES)
def test_both_parts_say_who_they_are_and_that_nobody_asks_for_the_password(name: str) -> None:
    mail = compose(name)
    for part in (mail.text, mail.html):
        assert "El Ministerio nunca le pedirá su contraseña" in " ".join(part.split())


@pytest.mark.parametrize("name", WITH_LINK)
def test_a_link_and_the_end_of_its_life_stand_in_both_parts(name: str) -> None:
    mail = compose(name)
    address = f"{PUBLIC_URL}/contrasena/{TOKEN}"
    assert re.search(rf'<a href="{re.escape(address)}"[^>]*>AQUÍ</a>', mail.html)
    assert address in mail.text.split()
    for part in (mail.text, mail.html):
        assert EXPIRES_IN_WORDS in " ".join(part.split())


@pytest.mark.parametrize("name", NAMES)
def test_only_an_address_breaks_within_a_word(name: str) -> None:
    html = compose(name).html
    breaking = re.findall(
        r'<(\w+)[^>]*style="[^"]*(?:word-break|overflow-wrap)[^"]*"[^>]*>(.*?)</\1>', html, re.DOTALL
    )
    assert [text for _, text in breaking if not re.fullmatch(rf"{PUBLIC_URL}/\S+", text)] == []
    assert bool(breaking) == (">AQUÍ</a>" in html or "no abre" in html)


@pytest.mark.parametrize("name", WITH_LINK)
def test_the_secret_of_a_link_is_in_no_subject(name: str) -> None:
    assert TOKEN not in compose(name).subject


def test_the_first_mail_says_what_the_manual_promises() -> None:
    mail = compose("password_link")
    assert "Registro satisfactorio en MIPRES" in mail.subject
    assert "Su registro en MIPRES fue satisfactorio" in mail.text
    assert "RM-000000000001" in mail.text
    assert "RM-000000000001" in mail.html


@pytest.mark.parametrize("name", ["registration_delayed", "registration_given_up"])
def test_who_has_to_wait_learns_the_radicado_and_that_it_is_no_refusal(name: str) -> None:
    mail = compose(name)
    for part in (mail.text, mail.html):
        assert "RM-000000000001" in part
    assert "No tiene que hacer nada" in mail.text or "No es un rechazo" in mail.text


@pytest.mark.parametrize("name", [name for name in CONTEXTS if CONTEXTS[name]])
def test_what_a_template_needs_and_does_not_get_is_an_error(name: str) -> None:
    composer = JinjaMailComposer(TEMPLATES, public_url=PUBLIC_URL)
    with pytest.raises(UndefinedError):
        composer.compose(name, contact=ANA, message_key="key", context={})


@pytest.mark.parametrize("login", ["CC1020304050", "CC10203", "CC1020", "CC100", "PAAB1"])
def test_a_hint_never_tells_the_whole_number(login: str) -> None:
    hint = replace(ANA, login=login).login_hint
    assert hint.startswith(login[:2])
    hidden = len(login) - 2 - len(hint.removeprefix(login[:2]).strip("•"))
    assert hidden >= 2


def test_a_refusal_by_mail_says_what_was_compared_and_links_the_right_form() -> None:
    mail = compose("registration_refused")
    for body in (" ".join(mail.text.split()), mail.html):
        assert "Comparamos las profesiones que ReTHUS reporta" in body
        assert f"{PUBLIC_URL}/registro/{UserType.PROFESSIONAL.slug}" in body
