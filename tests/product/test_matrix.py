"""Every type of user × every message × both doors, with the people of the start."""

import asyncio
import html
import itertools
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from dev.registry_simulator.seed import SeedRow, seed_rows
from mipres.domain import outcomes
from mipres.domain.eligibility import EligibilityRules
from mipres.domain.outcomes import OutcomeStatus, Refusal
from mipres.domain.people import HealthProfessional, Placement, Profession, Sanction
from mipres.domain.submissions import UserType
from tests.product.conftest import Product
from tests.product.storage import rows
from tests.product.visits import login_of, set_password, submit_form

NOT_IN_MISEGURIDADSOCIAL = (
    "El usuario no se encuentra registrado en www.miseguridadsocial.gov.co. "
    "Por favor verifique antes de realizar el registro"
)
# The manual's own sentences, written out: a test that took them from the product would follow its mistakes.
SENTENCES = {
    "not_in_miseguridadsocial": NOT_IN_MISEGURIDADSOCIAL,
    "entity_not_in_miseguridadsocial": "Usuario no registrado como persona jurídica en www.miseguridadsocial.gov.co",
    "not_in_rethus": "Profesional no encontrado en RETHUS",
    "sanctioned": "El profesional se encuentra sancionado",
    "not_in_sso": "Profesional no encontrado en SSO",
    # The manual takes for granted that the registry's address can be written to.
    "no_valid_email": "El usuario no tiene un correo electrónico válido en www.miseguridadsocial.gov.co",
    # The manual tells the rule (§ 9.1) and no sentence for it; this one is ours.
    "profession_not_authorized": "La profesión registrada no corresponde a este tipo de usuario",
}
REMEDIES = {
    "not_in_miseguridadsocial": "Regístrese primero en www.miseguridadsocial.gov.co",
    "entity_not_in_miseguridadsocial": "Pida al representante legal de la ",
    "not_in_rethus": "pida la inscripción o la corrección en ReTHUS",
    "sanctioned": "Consulte con el tribunal o la autoridad que la impuso",
    "not_in_sso": "su plaza de Servicio Social Obligatorio esté asignada y activa hoy",
    "no_valid_email": "Actualícelo en www.miseguridadsocial.gov.co",
    "profession_not_authorized": "se registran como Profesional de la Salud; las demás profesiones y el personal administrativo, como Otro Usuario",
}
ELSEWHERE = "si es otro municipio, corríjalo aquí"
REGISTERED = "REGISTRO SATISFACTORIO"
LINK_WILL_BE_SENT = (
    "Al correo electrónico registrado en www.miseguridadsocial.gov.co, se le enviará el enlace que le permitirá "
    "crear la contraseña de ingreso al aplicativo MIPRES No UPC y/o al Módulo Administración de Usuarios, según "
    "corresponda"
)
DATA_UPDATED = "Datos del usuario actualizados satisfactoriamente"
USE_FIRST_CREDENTIALS = (
    "Auténtiquese con las credenciales de acceso creadas al realizar su registro por primera vez"
)
FILL_ALL_FIELDS = "Diligencie todos los campos"
# The manual knows no registry that is away; this one is ours too.
IN_PROGRESS = "Su registro está en proceso"
SECTION_11 = {
    SENTENCES["entity_not_in_miseguridadsocial"],
    SENTENCES["not_in_rethus"],
    SENTENCES["sanctioned"],
    USE_FIRST_CREDENTIALS,
    NOT_IN_MISEGURIDADSOCIAL,
    SENTENCES["not_in_sso"],
    FILL_ALL_FIELDS,
}
TYPES = {"delegado": "delegate", "profesional": "professional", "sso": "social_service", "otro": "other"}
LABELS = {
    "delegado": "Delegado Administrativo",
    "profesional": "Profesional de la Salud",
    "sso": "Servicio Social Obligatorio",
    "otro": "Otro Usuario",
}
HEADINGS = {"delegado": "Administrador EPS - IPS - Proveedor"}
TODAY = date(2026, 11, 23)
# A registration that waits for its password is joined, so people who are refused come before those who are not.
ROWS = sorted(seed_rows(), key=lambda row: row.expected == "registered")


def row_name(row: SeedRow) -> str:
    return f"{row.expected}-{row.user_type}-{row.document}-{'-'.join(row.fields.values())}".replace(" ", "")


def form_of(row: SeedRow) -> dict[str, str]:
    document_type, number = row.document.split()
    return {"tipo_documento": document_type, "numero_documento": number, **row.fields}


def body_of(row: SeedRow) -> dict[str, Any]:
    """The same form as a body of the JSON API."""
    document_type, number = row.document.split()
    fields = row.fields
    body: dict[str, object] = {
        "user_type": TYPES[row.user_type],
        "document": {"type": document_type, "number": number},
    }
    if "registro_profesional" in fields:
        body["professional_registration"] = fields["registro_profesional"]
    if "tipo_entidad" in fields:
        names = {"nit": "nit", "regimen": "regime", "departamento": "department", "municipio": "municipality"}
        told = {names[name]: value for name, value in fields.items() if name in names}
        body["entity"] = {
            "kind": {"PROVEEDOR": "PROVIDER"}.get(fields["tipo_entidad"], fields["tipo_entidad"])
        }
        body["entity"] |= told  # type: ignore[operator]
    return body


async def user_types_of(product: Product, row: SeedRow) -> set[str]:
    """The profiles of a person.

    A person without an account has none, nor has a refused one.
    """
    statement = (
        "SELECT coalesce(p.user_type, 'account without a profile') FROM accounts a "
        "LEFT JOIN profiles p ON a.id = p.account_id WHERE a.login = $1"
    )
    return {found[0] for found in await rows(product, statement, row.document.replace(" ", ""))}


@pytest.mark.parametrize("row", [row for row in ROWS if row.expected != "registered"], ids=row_name)
async def test_a_refusal_is_told_by_the_form_and_by_the_api(product: Product, row: SeedRow) -> None:
    sentence = SENTENCES[row.expected]

    async with product.browser() as visitor:
        page = await submit_form(product, visitor, row.user_type, form_of(row))
    assert page.status_code == 200
    assert f'id="panel-title">{sentence}<' in page.text
    is_provider = "municipio" in row.fields and row.expected == "not_in_miseguridadsocial"
    assert (ELSEWHERE if is_provider else REMEDIES[row.expected]) in html.unescape(page.text)
    assert (
        f'REGISTRAR USUARIO <span class="h1-detail">({HEADINGS.get(row.user_type, LABELS[row.user_type])})'
        in page.text
    )

    answer = await product.register(**body_of(row))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": sentence,
        "status": 422,
        "detail": sentence,
        "code": row.expected,
    }
    assert await user_types_of(product, row) == set()


@pytest.mark.parametrize("row", [row for row in ROWS if row.expected == "registered"], ids=row_name)
async def test_a_registration_is_told_by_the_form_and_by_the_api(product: Product, row: SeedRow) -> None:
    async with product.browser() as visitor:
        page = await submit_form(product, visitor, row.user_type, form_of(row))
    login = row.document.replace(" ", "")
    assert page.status_code == 200
    for text in (REGISTERED, LINK_WILL_BE_SENT, LABELS[row.user_type], login, row.document.split()[1]):
        assert text in page.text

    answer = await product.register(**body_of(row))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["status"], told["login"], told["user_type"]) == ("registered", login, TYPES[row.user_type])
    assert told["message"] == f"{REGISTERED}. {LINK_WILL_BE_SENT}"
    assert told["radicado"] in page.text
    assert await user_types_of(product, row) == {TYPES[row.user_type]}


ENTITY = {"nit": "900123456", "name": "Clínica del Ejemplo", "kind": "IPS"}
FACTS_AND_FIELDS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "delegado": ({"delegate_of": [ENTITY]}, {"tipo_entidad": "IPS", "nit": "900123456"}),
    "profesional": (
        {
            "rethus": {
                "professions": [{"code": "P07", "name": "Medicina", "registration": "76-1234"}],
                "sanctions": [],
            }
        },
        {"registro_profesional": "76-1234"},
    ),
    "sso": (
        {
            "sso": {
                "profession": "Medicina",
                "site_code": "940010012301",
                "site_name": "Hospital de Ejemplo",
                "municipality": "94001",
                "start": "2020-01-01",
                "end": "2099-12-31",
            }
        },
        {},
    ),
    "otro": ({}, {}),
}


@pytest.mark.parametrize("slug", TYPES)
async def test_whoever_has_a_password_is_told_to_use_it(product: Product, slug: str) -> None:
    facts, fields = FACTS_AND_FIELDS[slug]
    person = await product.new_person(**facts)
    row = SeedRow(
        document=f"CC {person['document']['number']}",
        user_type=slug,  # type: ignore[arg-type]
        fields=fields,
        expected="registered",
        purpose="",
    )
    first = await product.register(**body_of(row))
    assert first.status_code == 201, first.text
    async with product.browser() as visitor:
        assert (await set_password(visitor, await product.link_for(person))).status_code == 200
        await product.reaches(first.json()["radicado"], "completed")
        page = await submit_form(product, visitor, slug, form_of(row))
    assert page.status_code == 200
    for text in (REGISTERED, DATA_UPDATED, USE_FIRST_CREDENTIALS, login_of(person), LABELS[slug]):
        assert text in page.text
    assert LINK_WILL_BE_SENT not in page.text

    again = await product.register(**body_of(row))
    assert (again.status_code, again.json()["status"]) == (200, "updated")
    assert again.json()["message"] == f"{DATA_UPDATED}. {USE_FIRST_CREDENTIALS}"


DOCUMENT_ERRORS = {
    "tipo_documento": "Seleccione el tipo de identificación",
    "numero_documento": "Escriba el número de identificación",
}
NIT_ERROR = {"nit": "Escriba el NIT de la entidad, sin dígito de verificación"}
# Every form with nothing but the choices that decide which fields apply, and what each field then says.
EMPTY_FORMS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "delegate": ("delegado", {}, {"tipo_entidad": "Seleccione el tipo de entidad"}),
    "ips": ("delegado", {"tipo_entidad": "IPS"}, NIT_ERROR),
    "eps": ("delegado", {"tipo_entidad": "EPS"}, {"regimen": "Seleccione el régimen de la EPS"} | NIT_ERROR),
    "provider": ("delegado", {"tipo_entidad": "PROVEEDOR", "tiene_nit": "SI"}, NIT_ERROR),
    "natural-provider": (
        "delegado",
        {"tipo_entidad": "PROVEEDOR", "tiene_nit": "NO", "departamento": "05"},
        {"municipio": "Seleccione el municipio"},
    ),
    "professional": ("profesional", {}, {"registro_profesional": "Escriba el registro profesional"}),
    "social-service": ("sso", {}, {}),
    "other": ("otro", {}, {}),
}
API_NAMES = {
    "tipo_documento": "document.type",
    "numero_documento": "document.number",
    "registro_profesional": "professional_registration",
    "tipo_entidad": "entity.kind",
    "regimen": "entity.regime",
    "nit": "entity.nit",
    "municipio": "entity.municipality",
}


@pytest.mark.parametrize("name", EMPTY_FORMS)
async def test_an_empty_form_asks_for_all_fields(product: Product, name: str) -> None:
    slug, chosen, own_errors = EMPTY_FORMS[name]
    errors = DOCUMENT_ERRORS | own_errors
    async with product.browser() as visitor:
        page = await submit_form(product, visitor, slug, chosen)
    assert page.status_code == 422
    assert f"<p>{FILL_ALL_FIELDS}</p>" in page.text
    told = dict(re.findall(r'<li><a href="#(\w+)">([^<]+)</a></li>', page.text))
    assert told == errors

    row = SeedRow(document="- -", user_type=slug, fields=chosen, expected="registered", purpose="")  # type: ignore[arg-type]
    answer = await product.register(**body_of(row) | {"document": {"type": "", "number": ""}})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["detail"].startswith(FILL_ALL_FIELDS)
    assert answer.json()["errors"] == {API_NAMES[field]: sentence for field, sentence in errors.items()}


async def test_whoever_waits_for_a_registry_is_told_so(product: Product) -> None:
    """All types at once, because each answer takes as long as a submission may wait."""
    waiting = [
        SeedRow(
            document=f"CC {(await product.new_person(**facts))['document']['number']}",
            user_type=slug,  # type: ignore[arg-type]
            fields=fields,
            expected="registered",
            purpose="",
        )
        for slug, (facts, fields) in FACTS_AND_FIELDS.items()
        for _ in ("web", "api")
    ]
    by_form, by_api = waiting[::2], waiting[1::2]
    await product.set_registry("miseguridadsocial", mode="down")
    try:
        async with product.browser() as visitor:
            # One visit: forms that a new browser opens at once would each begin their own.
            await visitor.get("/registro/profesional")
            pages = await asyncio.gather(
                *(submit_form(product, visitor, row.user_type, form_of(row)) for row in by_form)
            )
        answers = await asyncio.gather(*(product.register(**body_of(row)) for row in by_api))
    finally:
        await product.set_registry("miseguridadsocial", mode="up")
    for row, page, answer in zip(by_form, pages, answers, strict=True):
        assert (page.status_code, answer.status_code) == (202, 202)
        assert f'id="panel-title">{IN_PROGRESS}<' in page.text
        assert re.search(r"RM-\w{12}", page.text)
        assert HEADINGS.get(row.user_type, LABELS[row.user_type]) in page.text
        told = answer.json()
        assert (set(told), told["status"]) == ({"status", "radicado", "status_url"}, "in_progress")
        # A registry that is away says nothing about anybody.
        assert not any(sentence in page.text for sentence in SENTENCES.values())
    # They go on by themselves, and must have done so before another test counts what comes to its outcome.
    radicados = [found[0] for page in pages if (found := re.search(r"RM-\w{12}", page.text))]
    radicados += [answer.json()["radicado"] for answer in answers]
    assert len(radicados) == len(waiting)
    await asyncio.gather(*(product.reaches(radicado, "awaiting_password") for radicado in radicados))


# ---- The matrix is whole


def possible_refusals() -> set[tuple[UserType, Refusal]]:
    """What the rules can say: each is asked about every kind of fact that it looks at."""
    judged: set[tuple[UserType, Refusal | None]] = {
        (user_type, refusal)
        for user_type in UserType
        for refusal in (Refusal.NOT_IN_MISEGURIDADSOCIAL, Refusal.NO_VALID_EMAIL)
    }
    judged.add((UserType.DELEGATE, Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL))
    for professional in health_professionals():
        refusal = EligibilityRules().professional_refusal(professional, registration="1", today=TODAY)
        judged |= {
            (UserType.PROFESSIONAL, refusal),
            (UserType.OTHER, EligibilityRules().other_user_refusal(professional)),
        }
    judged |= {
        (UserType.SOCIAL_SERVICE, EligibilityRules().social_service_refusal(item, today=TODAY))
        for item in placements()
    }
    return {(user_type, refusal) for user_type, refusal in judged if refusal}


def health_professionals() -> Iterator[HealthProfessional | None]:
    yield None
    sanction = Sanction(authority="T", kind="S", start=TODAY)
    for name, registration, sanctions in itertools.product(
        ("Medicina", "Enfermería"), ("1", "2"), ((), (sanction,))
    ):
        profession = Profession(code="", name=name, registration=registration)
        yield HealthProfessional(professions=(profession,), sanctions=sanctions)


def placements() -> Iterator[Placement | None]:
    yield None
    for name, start in itertools.product(("Medicina", "Enfermería"), (TODAY, TODAY + timedelta(days=1))):
        yield Placement(
            profession=name,
            site_code="",
            site_name="",
            municipality="",
            start=start,
            end=start + timedelta(days=1),
        )


def test_the_seed_registers_every_type_of_user_and_refuses_every_form_of_a_delegate() -> None:
    def form_names(row: SeedRow) -> str:
        return " ".join(row.fields.get(name, "") for name in ("tipo_entidad", "regimen", "tiene_nit")).strip()

    forms = {"IPS", "EPS CONTRIBUTIVO", "EPS SUBSIDIADO", "PROVEEDOR  SI", "PROVEEDOR  NO"}
    registered = [row for row in ROWS if row.expected == "registered"]
    refused = [row for row in ROWS if row.expected != "registered"]
    assert {row.user_type for row in registered} == set(TYPES)
    assert {form_names(row) for row in registered if row.user_type == "delegado"} == forms
    assert {form_names(row) for row in refused if row.user_type == "delegado"} == forms


# The person's own wish, which meets a registration that is under way: no registry and no form provokes it.
OF_NO_REGISTRY = {Refusal.DATA_ERASED, Refusal.DOCUMENT_REPLACED}
# Shown to every type of user, whatever the registries say of the person.
EVERYBODY = {
    "registered": test_a_registration_is_told_by_the_form_and_by_the_api,
    "updated": test_whoever_has_a_password_is_told_to_use_it,
    "in_progress": test_whoever_waits_for_a_registry_is_told_so,
    "validation_error": test_an_empty_form_asks_for_all_fields,
}


def test_every_outcome_has_a_row_for_every_type_of_user_that_can_meet_it() -> None:
    """A new Outcome or Refusal fails here until it is provoked through both doors."""
    refused = {(TYPES[row.user_type], row.expected) for row in ROWS if row.expected != "registered"}
    everybody = set(itertools.product(TYPES.values(), EVERYBODY))
    possible = {*OutcomeStatus, *Refusal} - {OutcomeStatus.REFUSED} - OF_NO_REGISTRY
    assert {code for _, code in refused | everybody} == possible | {"validation_error"}
    assert refused == possible_refusals()
    assert set(FACTS_AND_FIELDS) == {slug for slug, _, _ in EMPTY_FORMS.values()} == set(TYPES)
    assert {row.user_type for row in ROWS if row.expected == "registered"} == set(TYPES)


def test_every_sentence_of_the_domain_is_in_the_matrix() -> None:
    """A sentence that is new in the domain fails here until the matrix has it."""
    own = {name: value for name, value in vars(outcomes).items() if name.isupper() and isinstance(value, str)}
    assert own == {
        "FILL_ALL_FIELDS": FILL_ALL_FIELDS,
        "REGISTRATION_SUCCESSFUL": REGISTERED,
        "DATA_UPDATED": DATA_UPDATED,
        "USE_FIRST_CREDENTIALS": USE_FIRST_CREDENTIALS,
        "LINK_WILL_BE_SENT": LINK_WILL_BE_SENT,
        "IN_PROGRESS": IN_PROGRESS,
    }
    titles = {code: message.title for code, message in outcomes.REFUSAL_MESSAGES.items()}
    assert {code: title for code, title in titles.items() if code not in OF_NO_REGISTRY} == SENTENCES
    assert set(SENTENCES) == set(REMEDIES) == set(Refusal) - OF_NO_REGISTRY


def test_every_message_of_section_11_is_provoked_through_the_form() -> None:
    by_rows = {SENTENCES[row.expected] for row in ROWS if row.expected != "registered"}
    # Shown by test_whoever_has_a_password_is_told_to_use_it and by test_an_empty_form_asks_for_all_fields.
    by_state = {USE_FIRST_CREDENTIALS, FILL_ALL_FIELDS}
    assert by_rows | by_state >= SECTION_11
