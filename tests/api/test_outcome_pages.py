"""The pages that tell an outcome, made without anything behind them."""

import html
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from starlette.requests import Request

from api.answers import FormAnswers, RegistrationAnswer
from api.forms import raw_submission
from api.pages.outcomes import OutcomePages
from api.registrations.start import Submitted
from api.security import Cookies, FormTokens
from api.sent_forms import SentForms
from api.templating import Pages
from mipres import composition
from mipres.clock import SystemClock
from mipres.domain.documents import parse_document
from mipres.domain.outcomes import DATA_UPDATED, USE_FIRST_CREDENTIALS, Outcome, OutcomeStatus, Refusal
from mipres.domain.receipt import Receipt
from mipres.domain.remedies import explain
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


RADICADO = "RM-0123456789AB"
NIT = ("Nit de la entidad", "900123456")
REGISTERED = Outcome(status=OutcomeStatus.REGISTERED, email_hint="j•••@h•••.co")


@dataclass
class Receipts:
    """What the database holds, or the error that it gives instead."""

    stored: Receipt | Exception | None = None

    async def of(self, radicado: str) -> Receipt | None:
        assert radicado == RADICADO
        if isinstance(self.stored, Exception):
            raise self.stored
        return self.stored


async def page_of(
    submission: Submission, outcome: Outcome, *, stored: Receipt | Exception | None = None
) -> str:
    cookies = Cookies(https=False)
    tokens = FormTokens(b"k" * 32, cookies=cookies)
    answers = FormAnswers(b"k" * 32, cookies=cookies, clock=SystemClock())
    outcomes = OutcomePages(
        pages=Pages(composition.TEMPLATES, composition.STATIC, cookies=cookies, form_tokens=tokens),
        receipts=Receipts(stored),  # type: ignore[arg-type]
        sent_forms=SentForms(b"k" * 32, cookies=cookies, clock=SystemClock()),
        answers=answers,
        public_url="https://registro.ejemplo.test",
        mail_from="otra-cuenta@ejemplo.test",
        link_hours=36,
    )
    submitted = Submitted(radicado=RADICADO, submission=submission, consent=CONSENT, outcome=outcome)
    way = outcomes.answer(Request({"type": "http", "headers": [], "path": "/"}), submitted)
    kept = dict(cookie.partition(";")[0].split("=", 1) for cookie in way.headers.getlist("set-cookie"))
    assert {"_".join(name.split("_")[:2]) for name in kept} == {"mipres_enviado", "mipres_respuesta"}
    cookie = "; ".join(f"{name}={value}" for name, value in kept.items()).encode()
    browser = Request({"type": "http", "headers": [(b"cookie", cookie)], "path": "/"})
    answer = answers.find(browser, way.headers["location"].removeprefix("/registro/resultado/"))
    assert isinstance(answer, RegistrationAnswer)
    page = await outcomes.page(browser, answer)
    return bytes(page.body).decode()


@pytest.mark.parametrize("name", SUBMISSIONS)
async def test_a_refused_form_comes_back_as_it_was_filled_in(name: str) -> None:
    submission = SUBMISSIONS[name]
    page = await page_of(submission, Outcome(status=OutcomeStatus.REFUSED, refusal=Refusal.SANCTIONED))
    form = page.partition(f'action="/registro/{submission.user_type.slug}"')[2].partition("</form>")[0]
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
    assert kept.pop("csrf_token")
    assert (kept.pop("actualizar_imagen"), kept.pop("acepta_datos")) == ("SI", "SI")
    assert check_submission(raw_submission(submission.user_type, kept | {"acepta_datos": "SI"})) == submission


@pytest.mark.parametrize("refusal", Refusal)
async def test_a_refusal_says_what_to_do_and_where(refusal: Refusal) -> None:
    page = await page_of(OTHER, Outcome(status=OutcomeStatus.REFUSED, refusal=refusal))
    outside = re.findall(r'<a href="(https://[^"]+)" target="_blank" rel="noopener noreferrer">', page)
    # The application of social service has no public page, and an erasure is the product's own.
    assert len(outside) == (
        0 if refusal in {Refusal.NOT_IN_SSO, Refusal.DATA_ERASED, Refusal.DOCUMENT_REPLACED} else 1
    )
    assert all(address.split("/")[2].endswith(".gov.co") for address in outside)


VALUES = {
    "ips": [("Tipo de entidad", "Institución Prestadora de Servicios de salud – IPS"), NIT],
    "eps": [
        ("Tipo de entidad", "Entidad Promotora de Salud – EPS"),
        ("Régimen de la EPS", "Subsidiado"),
        NIT,
    ],
    "provider": [("Tipo de entidad", "Proveedor"), ("¿Cuenta con NIT?", "Sí"), NIT],
    "natural-provider": [
        ("Tipo de entidad", "Proveedor"),
        ("¿Cuenta con NIT?", "No"),
        ("Departamento", "Antioquia"),
        ("Municipio", "Medellín"),
    ],
    "professional": [("Registro profesional", "76-1234")],
    "other": [],
    "social-service": [],
}
# Which refusals the checks of each type can end with (mipres/domain/eligibility.py), beside those of everybody.
EVERYBODY = (
    Refusal.NOT_IN_MISEGURIDADSOCIAL,
    Refusal.NO_VALID_EMAIL,
    Refusal.DATA_ERASED,
    Refusal.DOCUMENT_REPLACED,
)
OWN = {
    UserType.DELEGATE: (Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL,),
    UserType.PROFESSIONAL: (
        Refusal.NOT_IN_RETHUS,
        Refusal.SANCTIONED,
        Refusal.PROFESSION_NOT_AUTHORIZED,
    ),
    UserType.SOCIAL_SERVICE: (Refusal.NOT_IN_SSO, Refusal.PROFESSION_NOT_AUTHORIZED),
    UserType.OTHER: (Refusal.PROFESSION_NOT_AUTHORIZED,),
}
RIGHT_FORMS = {
    UserType.PROFESSIONAL: "otro",
    UserType.OTHER: "profesional",
    UserType.SOCIAL_SERVICE: "otro",
}
REFUSED = [
    (name, refusal)
    for name, submission in SUBMISSIONS.items()
    for refusal in (*EVERYBODY, *OWN[submission.user_type])
]


def rows_of(page: str) -> list[tuple[str, str]]:
    return [
        (html.unescape(label), html.unescape(value))
        for label, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    ]


def typed_rows(name: str) -> set[tuple[str, str]]:
    return {
        ("Tipo de Registro", SUBMISSIONS[name].user_type.label),
        ("Tipo Documento Identificación", "CE"),
        ("Número documento de Identificación", "654321"),
        ("Número de radicado", RADICADO),
        *VALUES[name],
    }


@pytest.mark.parametrize(("name", "refusal"), REFUSED, ids=str)
async def test_each_person_reads_of_each_refusal_what_to_do_and_sees_every_value(
    name: str, refusal: Refusal
) -> None:
    """The sentences of this person, the link to the right form, and what was typed."""
    submission = SUBMISSIONS[name]
    page = await page_of(submission, Outcome(status=OutcomeStatus.REFUSED, refusal=refusal))
    explained = explain(refusal, submission.user_type, entity=submission.entity)
    panel = html.unescape(
        page.partition('<section class="panel panel-refusal"')[2].partition("</section>")[0]
    )
    for sentence in (explained.title, explained.compared, explained.remedy):
        assert sentence in panel
    forms = re.findall(r'<a href="/registro/(\w+)">Registrarse como ', panel)
    is_other_form = refusal is Refusal.PROFESSION_NOT_AUTHORIZED
    assert forms == ([RIGHT_FORMS[submission.user_type]] if is_other_form else [])
    assert re.findall(r'href="(https://[^"]+)"', panel) == (
        [explained.site.address] if explained.site else []
    )
    assert 'href="/ayuda"' in panel
    assert set(rows_of(page)) == typed_rows(name)


@pytest.mark.parametrize("name", SUBMISSIONS)
async def test_the_receipt_repeats_every_value(name: str) -> None:
    stored = Receipt(
        submission=SUBMISSIONS[name], registered_at=datetime(2026, 3, 2, tzinfo=UTC), terms_version="1"
    )
    assert typed_rows(name) <= set(rows_of(await page_of(SUBMISSIONS[name], REGISTERED, stored=stored)))


async def test_the_receipt_names_the_sender_and_the_lifetime_that_are_set() -> None:
    page = await page_of(OTHER, REGISTERED)
    for text in (
        "Busque el mensaje de otra-cuenta@ejemplo.test",
        "El enlace vence 36 horas después de enviado",
        "https://registro.ejemplo.test/registro/estado/RM-0123456789AB",
        "j•••@h•••.co",
    ):
        assert text in page


async def test_the_receipt_tells_what_is_stored_and_never_what_is_typed_now() -> None:
    stored = Receipt(
        submission=replace(SUBMISSIONS["professional"], professional_registration="76-1234"),
        registered_at=datetime(2026, 3, 2, 15, 4, tzinfo=UTC),
        terms_version="2020-01",
    )
    typed = replace(SUBMISSIONS["professional"], professional_registration="761234")
    page = await page_of(typed, REGISTERED, stored=stored)
    assert "76-1234" in page
    assert "761234" not in page
    assert "2 de marzo de 2026 a las 10:04 a. m." in page
    assert "Aceptado, versión 2020-01" in page


@pytest.mark.parametrize("name", ["ips", "professional"])
async def test_updated_data_stand_in_the_order_of_the_manual(name: str) -> None:
    submission = SUBMISSIONS[name]
    stored = Receipt(
        submission=submission, registered_at=datetime(2026, 3, 2, 15, 4, tzinfo=UTC), terms_version="1"
    )
    page = await page_of(submission, Outcome(status=OutcomeStatus.UPDATED), stored=stored)
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))
    order = [
        "REGISTRO SATISFACTORIO",
        "LOGIN DE USUARIO: CE654321",
        f"Tipo de Registro {submission.user_type.label}",
        DATA_UPDATED,
        "Tipo Documento Identificación CE",
        "Número documento de Identificación 654321",
        *(["Registro profesional 76-1234"] if submission.professional_registration else []),
        USE_FIRST_CREDENTIALS,
        "Qué sigue",
        *(["Nit de la entidad 900123456"] if submission.entity else []),
        RADICADO,
        "Fecha del registro 2 de marzo de 2026 a las 10:04 a. m.",
    ]
    places = [shown.find(text) for text in order]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("nothing", [None, OSError("connection refused")])
async def test_a_receipt_that_cannot_be_read_repeats_nothing(nothing: OSError | None) -> None:
    typed = replace(SUBMISSIONS["professional"], professional_registration="761234")
    page = await page_of(typed, REGISTERED, stored=nothing)
    assert "761234" not in page
    assert "Fecha del registro" not in page
    assert "No pudimos leer ahora los datos registrados" in page
    assert RADICADO in page
