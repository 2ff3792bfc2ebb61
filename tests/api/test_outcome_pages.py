"""The pages that tell an outcome, made without anything behind them."""

import re
from dataclasses import replace

import pytest
from starlette.requests import Request

from api.forms import raw_submission
from api.pages.outcomes import OutcomePages
from api.registrations.start import Submitted
from api.security import Cookies, FormTokens
from api.templating import Pages
from mipres import composition
from mipres.domain.documents import parse_document
from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
from mipres.domain.submissions import (
    Entity,
    EntityKind,
    Regime,
    Submission,
    UserType,
    check_submission,
)
from tests.database.registrations import CONSENT

DOCUMENT = parse_document("CE", "654321")
OTHER = Submission(user_type=UserType.OTHER, document=DOCUMENT)
DELEGATE = replace(OTHER, user_type=UserType.DELEGATE)
SUBMISSIONS = {
    "other": OTHER,
    "social-service": replace(OTHER, user_type=UserType.SOCIAL_SERVICE),
    "professional": replace(OTHER, user_type=UserType.PROFESSIONAL, professional_registration="76-1234"),
    "ips": replace(DELEGATE, entity=Entity(kind=EntityKind.IPS, nit="900123456")),
    "eps": replace(DELEGATE, entity=Entity(kind=EntityKind.EPS, regime=Regime.SUBSIDIADO, nit="900123456")),
    "provider": replace(DELEGATE, entity=Entity(kind=EntityKind.PROVIDER, nit="900123456")),
    "natural-provider": replace(
        DELEGATE, entity=Entity(kind=EntityKind.PROVIDER, department="05", municipality="05001")
    ),
}


def page_of(submission: Submission, outcome: Outcome) -> str:
    cookies = Cookies(https=False)
    tokens = FormTokens(b"k" * 32, cookies=cookies)
    outcomes = OutcomePages(
        pages=Pages(composition.TEMPLATES, composition.STATIC, cookies=cookies, form_tokens=tokens),
        public_url="https://registro.ejemplo.test",
        mail_from="otra-cuenta@ejemplo.test",
        link_hours=36,
    )
    submitted = Submitted(radicado="RM-0123456789AB", submission=submission, consent=CONSENT, outcome=outcome)
    request = Request({"type": "http", "headers": [], "path": "/"})
    return bytes(outcomes.page(request, submitted).body).decode()


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_a_refused_form_comes_back_as_it_was_filled_in(name: str) -> None:
    submission = SUBMISSIONS[name]
    page = page_of(submission, Outcome(status=OutcomeStatus.REFUSED, refusal=Refusal.SANCTIONED))
    form = page.partition(f'action="/registro/{submission.user_type.slug}"')[2].partition("</form>")[0]
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
    assert kept.pop("csrf_token")
    assert (kept.pop("actualizar_imagen"), kept.pop("acepta_datos")) == ("SI", "SI")
    assert check_submission(raw_submission(submission.user_type, kept | {"acepta_datos": "SI"})) == submission


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_says_what_to_do_and_where(refusal: Refusal) -> None:
    page = page_of(OTHER, Outcome(status=OutcomeStatus.REFUSED, refusal=refusal))
    outside = re.findall(r'<a href="(https://[^"]+)" target="_blank" rel="noopener noreferrer">', page)
    # The application of social service has no public page, and an erasure is the product's own.
    assert len(outside) == (0 if refusal in {Refusal.NOT_IN_SSO, Refusal.DATA_ERASED} else 1)
    assert all(address.split("/")[2].endswith(".gov.co") for address in outside)


def test_the_receipt_names_the_sender_and_the_lifetime_that_are_set() -> None:
    page = page_of(OTHER, Outcome(status=OutcomeStatus.REGISTERED, email_hint="j•••@h•••.co"))
    for text in (
        "Busque el mensaje de otra-cuenta@ejemplo.test",
        "El enlace vence a las 36 horas de enviado",
        "https://registro.ejemplo.test/registro/estado/RM-0123456789AB",
        "j•••@h•••.co",
    ):
        assert text in page
