"""The web pages from outside, without a browser.

Forms, links, doors, and what strangers may not do.
"""

import asyncio
import hashlib
import html
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest
from temporalio.service import RPCError

from api.middleware import BASE_HEADERS
from dev.citizen import MEDICINE, hidden_of
from mipres.domain.documents import Document, DocumentType
from mipres.domain.radicado import recovery_reference
from mipres.domain.submissions import Submission, UserType
from mipres.mail.dates import long_date_time
from tests.product.conftest import PASSWORD, Product, csrf_of
from tests.product.storage import derived_key, radicado_for, rows, with_the_keys, without_the_keys
from tests.product.visits import (
    ask_recovery,
    log_in,
    login_of,
    professional_form,
    set_password,
    solved,
    submit_form,
    without_random,
)

OTHER_PASSWORD = "Otra-Clave-2027"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": BASE_HEADERS["Permissions-Policy"],
    "cache-control": "no-store",
}
PAGES = [
    "/",
    "/registro/delegado",
    "/registro/profesional",
    "/registro/sso",
    "/registro/otro",
    "/registro/estado",
    "/contrasena/recuperar",
    "/ingreso/administracion",
    "/ingreso/mipres",
    "/api/docs",
    "/health/live",
    "/health/ready",
]
PLACEMENT = {
    "profession": "Medicina",
    "site_code": "940010012301",
    "site_name": "Hospital de Ejemplo de Inírida",
    "municipality": "94001",
    "start": "2020-01-01",
    "end": "2099-12-31",
}
LINK_WILL_BE_SENT = "se le enviará el enlace que le permitirá crear la contraseña de ingreso al aplicativo"
# Section 10.3 of the manual, to the letter.
DECLARATION = (
    "Toda vez que al tener acceso a datos de carácter personal es obligatorio cumplir lo establecido en la Ley "
    "Estatutaria 1581 de 2012 y en el Capítulo 25 del Título 2 del Libro 2 de la Parte 2 del Decreto 1074 de 2015. "
    "Por lo anterior declaro que me comprometo a proteger y mantener la confidencialidad de la información a la que "
    "tenga acceso para utilizarla únicamente con los fines del registro, a nunca compartirla con terceros y en "
    "consecuencia a no revelar, publicar o dar a conocer, total o parcialmente esta información a ninguna persona "
    "diferente."
)
ENTITY = {"nit": "900123456", "name": "Clínica Los Nogales del Ejemplo S.A.S.", "kind": "IPS"}


def has_security_headers(answer: httpx2.Response) -> None:
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


# ---- Every page


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_answers_with_the_security_headers(product: Product, path: str) -> None:
    answer = await product.api.get(path)
    assert answer.status_code == 200
    has_security_headers(answer)
    for cookie in answer.headers.get_list("set-cookie"):
        assert re.search(r"; HttpOnly; Path=/; SameSite=lax$", cookie)
    assert "server" not in answer.headers


async def test_pages_of_a_registration_carry_them_too(product: Product) -> None:
    person = await product.new_professional()
    async with product.browser() as visitor:
        registered = await submit_form(product, visitor, "profesional", professional_form(person))
        [path] = set(re.findall(r"/registro/estado/RM-\w{12}", registered.text))
        status = await visitor.get(path)
        link = await product.link_for(person)
        form = await visitor.get(link)
        done = await set_password(visitor, link)
        landing = await log_in(visitor, person)
    for page in (registered, status, form, done, landing):
        assert page.status_code == 200
        has_security_headers(page)
    for personal in (person["document"]["number"], person["given_names"], person["email"]):
        assert personal not in status.text


@pytest.mark.parametrize(
    "path",
    [
        "/registro/nada",
        "/registro/estado/RM-1",
        "/ingreso/nada",
        "/inicio/nada",
        "/nada",
        "/static/nada.css",
        "/captcha/nada.png",
        "/captcha/nada.wav",
        "/registro/profesional/",
        "/redoc",
        "/docs",
    ],
)
async def test_an_unknown_address_is_told_in_spanish(product: Product, path: str) -> None:
    answer = await product.api.get(path)
    assert answer.status_code == 404
    assert "Página no encontrada" in answer.text
    assert 'lang="es-CO"' in answer.text
    has_security_headers(answer)


async def test_too_large_a_form_is_told_in_spanish(product: Product) -> None:
    async with product.browser() as visitor:
        page = await visitor.get("/registro/otro")
        sent = {**solved(product, page), "numero_documento": "7" * 20_000}
        answer = await visitor.post("/registro/otro", data=sent)
    assert answer.status_code == 413
    assert "El envío es demasiado grande" in answer.text
    has_security_headers(answer)


# ---- Registration forms

FIELDS = {
    "delegado": ("tipo_entidad", "tipo_documento", "numero_documento"),
    "profesional": ("tipo_documento", "numero_documento", "registro_profesional"),
    "sso": ("tipo_documento", "numero_documento"),
    "otro": ("tipo_documento", "numero_documento"),
}


def control(page: httpx2.Response, name: str) -> str:
    """The tag of a field, or of the group of its radios."""
    found = re.search(
        rf'<(?:input|select)[^>]* name="{name}"[^>]*>|<fieldset[^>]*"{name}-error[^>]*>', page.text
    )
    assert found, f"no field {name}"
    return found.group(0)


@pytest.mark.parametrize("slug", FIELDS)
async def test_an_empty_form_marks_each_field(product: Product, slug: str) -> None:
    async with product.browser() as visitor:
        page = await visitor.get(f"/registro/{slug}")
        answer = await visitor.post(f"/registro/{slug}", data={"csrf_token": csrf_of(page)})
    assert answer.status_code == 422
    assert "<p>Diligencie todos los campos</p>" in answer.text
    assert "<title>Error: " in answer.text
    for name in (*FIELDS[slug], "captcha", "acepta_datos"):
        assert 'aria-invalid="true"' in control(answer, name)
        assert f'<a href="#{name}">' in answer.text
        assert f'id="{name}-error"' in answer.text


async def test_the_fields_of_each_entity_are_asked_for(product: Product) -> None:
    wanted = {
        ("EPS", ""): {"regimen", "nit"},
        ("PROVEEDOR", ""): {"tiene_nit"},
        ("PROVEEDOR", "SI"): {"nit"},
        ("PROVEEDOR", "NO"): {"departamento", "municipio"},
        ("IPS", ""): {"nit"},
    }
    async with product.browser() as visitor:
        for (kind, has_nit), names in wanted.items():
            fields = {"tipo_entidad": kind, "tiene_nit": has_nit}
            answer = await submit_form(product, visitor, "delegado", fields)
            marked = set(re.findall(r'id="(\w+)-error"', answer.text))
            assert marked == names | {"tipo_documento", "numero_documento"}


@pytest.mark.parametrize("typed_nit", ["900.123.456-8", "9001234568", "NIT 900123456 - 8"])
async def test_a_nit_with_its_check_digit_registers_with_one_click(product: Product, typed_nit: str) -> None:
    person = await product.new_person(delegate_of=[ENTITY])
    document = {"tipo_documento": "CC", "numero_documento": person["document"]["number"]}
    async with product.browser() as visitor:
        fields = {"tipo_entidad": "IPS", "nit": typed_nit, **document}
        answer = await submit_form(product, visitor, "delegado", fields)
        assert answer.status_code == 422
        assert "El NIT incluye el dígito de verificación (8); escríbalo sin él: 900123456" in answer.text
        button = re.search(r'<button[^>]*name="(usar_nit)" value="(\d+)"[^>]*>.*?Usar 900123456', answer.text)
        assert button
        typed = {**solved(product, answer), **fields, "acepta_datos": "SI"}
        offered = {button.group(1): button.group(2)}
        # Whatever else is missing is asked for, with the right NIT in its place.
        asked = await visitor.post("/registro/delegado", data=typed | offered | {"acepta_datos": ""})
        assert (asked.status_code, 'value="900123456"' in control(asked, "nit")) == (422, True)
        done = await visitor.post("/registro/delegado", data=typed | offered)
    assert "REGISTRO SATISFACTORIO" in done.text
    assert "<dd>900123456</dd>" in done.text


async def test_ten_digits_that_are_no_nit_offer_nothing(product: Product) -> None:
    fields = {"tipo_entidad": "IPS", "nit": "9001234560"}
    async with product.browser() as visitor:
        answer = await submit_form(product, visitor, "delegado", fields)
    assert "El NIT de una entidad debe tener 9 dígitos" in answer.text
    assert "usar_nit" not in answer.text


async def test_a_refused_person_corrects_what_was_typed(product: Product) -> None:
    person = await product.new_person()
    typed = professional_form(person)
    async with product.browser() as visitor:
        refused = await submit_form(product, visitor, "profesional", typed)
        assert "Profesional no encontrado en RETHUS" in refused.text
        form = refused.text.partition('<form class="buttons"')[2].partition("</form>")[0]
        kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        again = await visitor.post("/registro/profesional", data=kept)
    assert again.status_code == 200
    assert '<option value="CC" selected>' in again.text
    for value in (typed["numero_documento"], typed["registro_profesional"]):
        assert f'value="{value}"' in again.text
    assert "aria-invalid" not in again.text
    assert " checked" in control(again, "acepta_datos")


async def test_what_was_typed_is_kept_and_shown_as_text(product: Product) -> None:
    typed = {"tipo_documento": "CE", "numero_documento": '"><script>alert(1)</script>'}
    async with product.browser() as visitor:
        answer = await submit_form(product, visitor, "profesional", typed)
    assert answer.status_code == 422
    assert '<option value="CE" selected>' in answer.text
    assert f'value="{html.escape(typed["numero_documento"]).replace("&quot;", "&#34;")}"' in answer.text
    assert "<script>alert" not in answer.text
    assert " checked" in control(answer, "acepta_datos")


@pytest.mark.parametrize(
    "number",
    [
        "٧٠٩٩٩٠٠١",
        "7099\x009001",
        "7" * 600,
        "70999001'; DROP TABLE accounts",
        "ß999001",
        "😀",
    ],
)
async def test_odd_numbers_are_field_errors(product: Product, number: str) -> None:
    fields = {"tipo_documento": "CC", "numero_documento": number, "registro_profesional": number}
    async with product.browser() as visitor:
        answer = await submit_form(product, visitor, "profesional", fields)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in control(answer, "numero_documento")


@pytest.mark.parametrize("odd", ["x" * 600, "٩٠٠١٢٣٤٥٦", "9001\x0023456", "九百", "<b>", "😀"])
@pytest.mark.parametrize("has_nit", ["SI", "NO"])
async def test_odd_answers_in_every_field_of_a_delegate_are_field_errors(
    product: Product, odd: str, has_nit: str
) -> None:
    asked = {"SI": {"nit"}, "NO": {"departamento"}}[has_nit] | {"tipo_documento"}
    everything = dict.fromkeys(
        ("nit", "departamento", "municipio", "regimen", "tipo_documento", "numero_documento"), odd
    )
    fields = everything | {"tipo_entidad": "PROVEEDOR", "tiene_nit": has_nit}
    async with product.browser() as visitor:
        answer = await submit_form(product, visitor, "delegado", fields)
        other = await submit_form(product, visitor, "delegado", {"tipo_entidad": odd, "tiene_nit": odd})
    assert (answer.status_code, other.status_code) == (422, 422)
    for name in asked:
        assert 'aria-invalid="true"' in control(answer, name)
    assert 'aria-invalid="true"' in control(other, "tipo_entidad")


async def test_a_file_or_invalid_utf8_instead_of_a_text_is_no_error_of_ours(product: Product) -> None:
    async with product.browser() as visitor:
        page = await visitor.get("/registro/otro")
        sent = {**solved(product, page), "tipo_documento": "CC"}
        files = {"numero_documento": ("n.txt", b"70999001", "text/plain")}
        as_file = await visitor.post("/registro/otro", data=sent, files=files)
        raw = f"csrf_token={sent['csrf_token']}&numero_documento=%ff%fe&tipo_documento=%00".encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        broken = await visitor.post("/registro/otro", content=raw, headers=headers)
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        no_parts = await visitor.post("/registro/otro", content=b"--x\r\nnonsense", headers=headers)
    assert (as_file.status_code, broken.status_code) == (422, 422)
    assert no_parts.status_code in {400, 403}


async def test_a_wrong_captcha_keeps_what_was_typed_and_shows_another_image(product: Product) -> None:
    person = await product.new_professional()
    async with product.browser() as visitor:
        page = await visitor.get("/registro/profesional")
        right = solved(product, page)
        sent = {**professional_form(person), "acepta_datos": "SI"}
        wrong = await visitor.post("/registro/profesional", data={**right, **sent, "captcha": "ZZZZZ"})
        assert wrong.status_code == 422
        assert "El código no corresponde a la imagen" in wrong.text
        assert f'value="{person["document"]["number"]}"' in wrong.text
        assert right["captcha_id"] not in wrong.text
        # The challenge was judged: the right answer comes too late.
        again = await visitor.post("/registro/profesional", data={**right, **sent})
        assert again.status_code == 422
        another = await visitor.post(
            "/registro/profesional", data={**right, **sent, "captcha": "", "actualizar_imagen": "SI"}
        )
        assert another.status_code == 200
        assert f'value="{person["document"]["number"]}"' in another.text
        assert "aria-invalid" not in another.text


async def test_a_captcha_can_be_seen_and_heard(product: Product) -> None:
    async with product.browser() as visitor:
        page = await visitor.get("/registro/otro")
        [picture] = re.findall(r'<img class="captcha-image" src="([^"]+)"', page.text)
        [recording] = re.findall(r'<a class="tool" href="(/captcha/[^"]+)"', page.text)
        seen, heard = await visitor.get(picture), await visitor.get(recording)
    assert (seen.headers["content-type"], seen.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert (heard.headers["content-type"], heard.content[:4]) == ("audio/wav", b"RIFF")


async def test_the_declaration_is_stored_as_it_was_accepted(product: Product) -> None:
    """The text of the form, under its version and hash, with time and channel."""
    before = datetime.now(UTC)
    people = [await product.new_person() for _ in range(2)]
    async with product.browser() as visitor:
        form = await visitor.get("/registro/otro")
        fields = {"tipo_documento": "CC", "numero_documento": people[0]["document"]["number"]}
        receipt = await submit_form(product, visitor, "otro", fields)
    await product.register(user_type="other", document=people[1]["document"])
    assert DECLARATION in html.unescape(form.text)
    assert "Aceptado, versión 2025-03" in receipt.text
    statement = (
        "SELECT c.terms_version, c.terms_sha256, c.accepted_at, c.channel FROM consents c "
        "JOIN accounts a ON a.id = c.account_id WHERE a.login = $1"
    )
    for person, channel in zip(people, ("web", "api"), strict=True):
        [stored] = await rows(product, statement, login_of(person))
        digest = hashlib.sha256(DECLARATION.encode()).hexdigest()
        assert (stored[0], stored[1], stored[3]) == ("2025-03", digest, channel)
        assert before <= stored[2] <= datetime.now(UTC)


async def test_a_solved_captcha_buys_one_answer(product: Product) -> None:
    person = await product.new_professional()
    async with product.browser() as visitor:
        page = await visitor.get("/registro/profesional")
        sent = {**solved(product, page), **professional_form(person), "acepta_datos": "SI"}
        answers = await asyncio.gather(*(visitor.post("/registro/profesional", data=sent) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 9


# ---- Strangers


async def own_token(visitor: httpx2.AsyncClient) -> str:
    """A form token of the visit, good for every form."""
    return csrf_of(await visitor.get("/ingreso/mipres"))


async def attacked(
    visitor: httpx2.AsyncClient, product: Product, path: str, sent: Mapping[str, str]
) -> list[int]:
    """The answers to five ways of sending a form that nobody filled in here."""
    async with product.browser() as other:
        foreign = await own_token(other)
    own = await own_token(visitor)
    good = {**sent, "csrf_token": own}
    attempts: list[tuple[dict[str, str], dict[str, str]]] = [
        (dict(sent), {}),
        ({**sent, "csrf_token": own[::-1]}, {}),
        ({**sent, "csrf_token": foreign}, {}),
        ({**sent, "csrf_token": ""}, {}),
        (good, {"Sec-Fetch-Site": "cross-site"}),
        (good, {"Sec-Fetch-Site": "same-site"}),
        (good, {"Origin": "https://evil.example"}),
        (good, {"Origin": "null"}),
    ]
    statuses = []
    for data, headers in attempts:
        answer = await visitor.post(path, data=data, headers=headers)
        # A token of another visit looks like a form of before another login.
        is_of_before = data.get("csrf_token") == foreign
        words = "Después de que se abrió es" if is_of_before else "El formulario no se puede recibir"
        assert words in answer.text, path
        statuses.append(answer.status_code)
    return statuses


async def test_forms_from_elsewhere_do_nothing(product: Product) -> None:
    user, newcomer, waiting = [await product.new_professional() for _ in range(3)]
    await product.complete(user)
    radicado = (await product.register_professional(waiting)).json()["radicado"]
    link = await product.link_for(waiting)
    passwords = {"contrasena": OTHER_PASSWORD, "confirmacion": OTHER_PASSWORD}
    async with product.browser() as visitor:
        assert (await log_in(visitor, user)).url.path == "/inicio/mipres"
        await visitor.get(link)
        captcha = solved(product, await visitor.get("/registro/profesional"))
        captcha.pop("csrf_token")
        typed = {**captcha, **professional_form(newcomer), "acepta_datos": "SI"}
        document = {name: typed[name] for name in ("tipo_documento", "numero_documento")}
        document["numero_documento"] = user["document"]["number"]
        attacks: dict[str, dict[str, str]] = {
            "/registro/profesional": typed,
            f"/registro/estado/{radicado}/reenviar": {},
            "/contrasena": passwords,
            "/contrasena/recuperar": {**captcha, **document},
            "/ingreso/mipres": {"usuario": login_of(user), "contrasena": PASSWORD},
            "/salir": {},
        }
        for path, sent in attacks.items():
            assert set(await attacked(visitor, product, path, sent)) == {403}, path
        assert (await visitor.get("/inicio/mipres")).url.path == "/inicio/mipres"
        assert (await visitor.get("/contrasena")).status_code == 200
        # The captcha is still good: nothing of what was sent has been looked at.
        sent = {**typed, "csrf_token": await own_token(visitor)}
        assert (await visitor.post("/registro/profesional", data=sent)).status_code == 200
    assert await recovery_of(product, user) is None


async def test_an_answer_is_loaded_again_by_the_browser_that_sent_the_form(product: Product) -> None:
    person = await product.new_professional()
    async with product.browser() as visitor, product.browser() as other:
        answer = await submit_form(product, visitor, "profesional", professional_form(person))
        assert answer.url.path.startswith("/registro/resultado/")
        again, elsewhere = await visitor.get(answer.url.path), await other.get(answer.url.path)
        for page in (answer, again):
            assert "REGISTRO SATISFACTORIO" in page.text
            assert login_of(person) in page.text
        assert elsewhere.status_code == 404
        assert "Esta respuesta ya no se muestra" in elsewhere.text
        assert login_of(person) not in elsewhere.text
        done = await set_password(visitor, await product.link_for(person))
        reloaded = await visitor.get(done.url.path)
        for page in (done, reloaded):
            assert "Su contraseña fue creada con éxito" in page.text
            assert login_of(person) in page.text
        asked = await ask_recovery(product, visitor, person["document"])
        for page in (asked, await visitor.get(asked.url.path)):
            assert "Si ese documento tiene una cuenta" in page.text
        refused = await submit_form(product, visitor, "sso", professional_form(person))
        for page in (refused, await visitor.get(refused.url.path)):
            assert "Profesional no encontrado en SSO" in page.text


async def recovery_of(product: Product, person: Mapping[str, Any]) -> str | None:
    """Status of the person's password recovery, or None where none was ever asked for."""
    document = Document(type=DocumentType(person["document"]["type"]), number=person["document"]["number"])
    reference = recovery_reference(document, key=derived_key(product, "radicado"))
    client = await without_the_keys(product)
    try:
        found = await client.get_workflow_handle(f"recovery/{reference}").describe()
    except RPCError:
        return None
    assert found.status
    return found.status.name


async def test_a_browser_that_says_same_origin_is_let_in(product: Product) -> None:
    person = await product.new_professional()
    async with product.browser() as visitor:
        visitor.headers |= {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
        answer = await submit_form(product, visitor, "profesional", professional_form(person))
        assert answer.status_code == 200
        del visitor.headers["Sec-Fetch-Site"]
        visitor.headers["Origin"] = product.url
        answer = await submit_form(product, visitor, "profesional", professional_form(person))
        assert answer.status_code == 200


async def test_who_leaves_is_who_the_page_names(product: Product) -> None:
    """A button of before the login does nothing; the page that says so has one."""
    person = await product.new_professional()
    await product.complete(person)
    async with product.browser() as visitor:
        before = await own_token(visitor)
        await log_in(visitor, person)
        answer = await visitor.post("/salir", data={"csrf_token": before})
        assert (answer.status_code, "No se hizo nada" in answer.text) == (403, True)
        assert f"sesión de <strong>{login_of(person)}</strong>" in answer.text
        assert (await visitor.get("/inicio/mipres")).url.path == "/inicio/mipres"
        main = answer.text.partition("<main")[2]
        assert '<form class="buttons" method="post" action="/salir">' in main
        left = await visitor.post("/salir", data={"csrf_token": csrf_of(answer)})
        assert (left.status_code, left.url.path) == (200, "/")
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"


async def test_a_login_of_before_another_login_is_asked_for_again(product: Product) -> None:
    first, second = await product.new_professional(), await product.new_professional()
    for person in (first, second):
        await product.complete(person)
    async with product.browser() as visitor:
        drawn = await visitor.get("/ingreso/mipres?volver=/cuenta?aplicacion=mipres")
        await log_in(visitor, first)
        sent = {**hidden_of(drawn), "usuario": login_of(second), "contrasena": PASSWORD}
        again = await visitor.post("/ingreso/mipres", data=sent)
        assert (again.status_code, "Ingrese otra vez" in again.text) == (403, True)
        assert f"sesión de <strong>{login_of(first)}</strong>" in again.text
        assert (f'value="{login_of(second)}"' in again.text, PASSWORD in again.text) == (True, False)
        assert login_of(second) not in (await visitor.get("/inicio/mipres")).text
        sent = {**hidden_of(again), "usuario": login_of(second), "contrasena": PASSWORD}
        entered = await visitor.post("/ingreso/mipres", data=sent)
        assert (entered.status_code, entered.url.path) == (200, "/cuenta")
        assert login_of(second) in entered.text


POISON = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}


async def test_a_poisoned_host_reaches_neither_mail_nor_redirect(product: Product) -> None:
    person = await product.new_professional()
    async with product.browser() as visitor:
        visitor.headers |= POISON
        # The client keeps cookies by host, so they are carried by hand.
        page = await visitor.get("/registro/profesional")
        cookie = page.headers["set-cookie"].partition(";")[0]
        sent = {**solved(product, page), **professional_form(person), "acepta_datos": "SI"}
        answer = await visitor.post("/registro/profesional", data=sent, headers={"Cookie": cookie})
        assert answer.status_code == 200, answer.text
        assert "evil.example" not in answer.text
        link = await product.link_for(person)
        for mail in await product.mails_to(person["email"]):
            assert "evil.example" not in mail["Text"] + mail["HTML"]
            assert f"{product.public_url}{link}" in mail["Text"]
        visitor.follow_redirects = False
        for path in (link, "/inicio/mipres", "/registro/profesional/", "/static", "//evil.example/%2f.."):
            redirect = await visitor.get(path)
            assert "evil.example" not in redirect.headers.get("location", "")
    api = await product.api.post(
        "/api/v1/registrations",
        json={"user_type": "professional", **api_body(person)},
        headers=product.headers | POISON,
    )
    assert api.json()["status_url"].startswith(product.public_url)


def api_body(person: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "document": person["document"],
        "professional_registration": "76-1234",
        "data_terms_accepted": True,
    }


# ---- Mails


async def test_the_mails_are_those_of_the_manual(product: Product) -> None:
    """Section 10.4: from whom, what it confirms, the link AQUÍ, how long it lives.

    And the one when it was used.
    """
    person = await product.new_professional()
    await product.complete(person)

    async def both_came() -> bool:
        return len(await product.mails_to(person["email"])) == 2

    await product.eventually(both_came)
    link, done = await product.mails_to(person["email"])
    purpose = (
        "contraseña de ingreso al aplicativo MIPRES No UPC y/o al Módulo Administración de Usuarios de MIPRES"
    )
    assert link["From"]["Address"] == done["From"]["Address"] == "hercules-noreply@sispro.gov.co"
    assert link["Subject"] == "Registro satisfactorio en MIPRES: cree su contraseña"
    assert re.search(
        rf'{purpose} haga clic <a href="{product.public_url}/contrasena/[\w-]{{64}}"[^>]*>AQUÍ</a>',
        link["HTML"],
    )
    assert f"{purpose} haga clic AQUÍ." in " ".join(link["Text"].split())
    for body in (link["HTML"], link["Text"]):
        assert "una sola vez y vence el" in " ".join(body.split())
        assert person["document"]["number"] not in body
    assert done["Subject"] == "MIPRES: su contraseña fue creada"
    for body in (done["HTML"], done["Text"]):
        told = " ".join(body.split())
        assert "fue creada con éxito" in told
        assert "/ingreso/administracion" in told
        assert "/ingreso/mipres" in told


# ---- Links


async def test_looking_at_a_link_consumes_nothing_and_hides_the_token(product: Product) -> None:
    person = await product.new_professional()
    await product.register_professional(person)
    link = await product.link_for(person)
    token = link.rpartition("/")[2]
    async with product.browser() as scanner:
        scanner.follow_redirects = False
        for _ in range(20):
            first = await scanner.get(link)
            assert (first.status_code, first.headers["location"]) == (303, "/contrasena")
            has_security_headers(first)
            assert token not in first.text
            for method in ("HEAD", "OPTIONS"):
                for path in (link, "/contrasena"):
                    looked, got = await scanner.request(method, path), await scanner.get(path)
                    assert looked.status_code == got.status_code == (303 if path == link else 200)
                    assert looked.headers.get("location") == got.headers.get("location")
    async with product.browser() as visitor:
        page = await visitor.get(link)
        assert page.url.path == "/contrasena"
        assert token not in page.text
        done = await set_password(visitor, link)
        assert "Su contraseña fue creada con éxito" in done.text
        assert token not in done.text


async def test_without_a_link_there_is_no_form(product: Product) -> None:
    async with product.browser() as visitor:
        for path in (
            "/contrasena",
            "/contrasena/nada",
            "/contrasena/" + "A" * 64,
            "/contrasena/" + "ñ" * 3000,
        ):
            answer = await visitor.get(path)
            assert answer.status_code == 404
            assert "El enlace no es válido" in answer.text
            assert 'href="/"' in answer.text
        token = await own_token(visitor)
        sent = {"csrf_token": token, "contrasena": PASSWORD, "confirmacion": PASSWORD}
        assert (await visitor.post("/contrasena", data=sent)).status_code == 404


async def test_a_used_link_leads_to_the_login(product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    async with product.browser() as visitor:
        answer = await visitor.get(await product.link_for(person))
    assert answer.status_code == 410
    assert "El enlace ya se usó" in answer.text
    assert 'class="button" href="/ingreso/mipres">Ingresar a MIPRES No UPC' in answer.text
    assert 'class="button secondary" href="/contrasena/recuperar">' in answer.text
    assert 'class="button" href="/ingreso/administracion">' not in answer.text


async def test_a_delegates_used_link_leads_to_the_delegates_door(product: Product) -> None:
    entity = {"nit": "900123456", "name": "Clínica del Ejemplo", "kind": "IPS"}
    person = await product.new_person(delegate_of=[entity])
    told = {"kind": "IPS", "nit": entity["nit"]}
    await product.register(user_type="delegate", document=person["document"], entity=told)
    async with product.browser() as visitor:
        link = await product.link_for(person)
        await set_password(visitor, link)
        answer = await visitor.get(link)
    assert (
        'class="button" href="/ingreso/administracion">Ingresar al Módulo Administración de Usuarios'
        in answer.text
    )
    assert 'class="button" href="/ingreso/mipres">' not in answer.text


async def test_a_link_whose_use_nobody_heard_of_is_announced_when_it_is_opened_again(
    product: Product,
) -> None:
    """The API died between password and signal, and the person tries once more."""
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    link = await product.link_for(person)
    await rows(
        product,
        "UPDATE accounts SET password_hash = 'a hash', password_set_at = now() WHERE login = $1 RETURNING id",
        login_of(person),
    )
    used = "UPDATE password_links SET closed_at = now(), closed_reason = 'used' WHERE reference = $1 RETURNING id"
    assert await rows(product, used, radicado)
    assert (await product.view(radicado))["stage"] == "awaiting_password"
    async with product.browser() as visitor:
        assert (await visitor.get(link)).status_code == 410
    await product.reaches(radicado, "completed")


async def test_a_superseded_link_offers_to_send_another(product: Product) -> None:
    person = await product.new_person(sso=PLACEMENT)
    other = {"user_type": "other", "document": person["document"]}
    radicado = (await product.register(**other)).json()["radicado"]
    first = await product.link_for(person)
    await product.register(**other | {"user_type": "social_service"})
    second = await product.link_for(person, count=2)
    assert first != second
    async with product.browser() as visitor:
        answer = await visitor.get(first)
        assert answer.status_code == 410
        assert "Hay un enlace más reciente" in answer.text
        path = f"/registro/estado/{radicado}/reenviar"
        assert f'action="{path}"' in answer.text
        too_soon = await visitor.post(path, data={"csrf_token": csrf_of(answer)})
        assert "Podrá pedir otro en" in too_soon.text
        assert "Espere para pedir otro enlace" in too_soon.text
        again = await visitor.get(str(too_soon.url))
        assert "Podrá pedir otro en" in again.text
        assert "Podrá pedir otro en" not in (await visitor.get(too_soon.url.path)).text
        assert (await visitor.get(second)).status_code == 200


async def test_an_expired_link_offers_to_register_again(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    link = await product.link_for(person)
    async with product.browser() as visitor:
        page = await visitor.get(link)
        past = datetime.now(UTC) - timedelta(seconds=1)
        await rows(product, "UPDATE password_links SET expires_at = $1 WHERE reference = $2", past, radicado)
        sent = {**hidden_of(page), "contrasena": PASSWORD, "confirmacion": PASSWORD}
        late = await visitor.post("/contrasena", data=sent)
        seen = await visitor.get(link)
    for answer in (late, seen):
        assert answer.status_code == 410
        assert "El enlace venció" in answer.text
        assert 'href="/registro/profesional">Registrarse de nuevo' in answer.text
    stored = await rows(product, "SELECT password_hash FROM accounts WHERE login = $1", login_of(person))
    assert stored[0][0] is None


async def test_an_expired_link_brings_one_new_link_without_the_form(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    link = await product.link_for(person)
    await end_by_expiry(product, radicado)
    async with product.browser() as visitor:
        page = await visitor.get(link)
        assert "Enviarme un enlace nuevo" in page.text
        assert len(await product.mails_to(person["email"])) == 1, "looking sends nothing"
        clicks = [visitor.post("/contrasena/renovar", data=hidden_of(page)) for _ in range(5)]
        answers = await asyncio.gather(*clicks)
        assert {answer.status_code for answer in answers} <= {200, 410}
        assert any("REGISTRO SATISFACTORIO" in answer.text for answer in answers)
        newest = await product.link_for(person, count=2)
        again = await visitor.get(link)
        assert (again.status_code, "Hay un enlace más reciente" in again.text) == (410, True)
        repeated = await visitor.post("/contrasena/renovar", data={"csrf_token": csrf_of(again)})
        assert (repeated.url.path, repeated.status_code) == ("/contrasena", 410)
        assert (await set_password(visitor, newest)).status_code == 200
    await product.reaches(radicado, "completed")
    subjects = [mail["Subject"] for mail in await product.mails_to(person["email"])]
    assert subjects.count(subjects[0]) == 2
    # It is the declaration of then that still stands: nobody was asked to accept another.
    assert len(await rows(product, "SELECT 1 FROM consents WHERE radicado = $1", radicado)) == 1


async def test_a_link_that_did_not_expire_cannot_be_renewed(product: Product) -> None:
    person = await product.new_professional()
    await product.register_professional(person)
    link = await product.link_for(person)
    async with product.browser() as visitor:
        page = await visitor.get(link)
        refused = await visitor.post("/contrasena/renovar", data={"csrf_token": csrf_of(page)})
    assert (refused.url.path, "Enviarme un enlace nuevo" in refused.text) == ("/contrasena", False)
    assert len(await product.mails_to(person["email"])) == 1


async def end_by_expiry(product: Product, radicado: str) -> None:
    """What a day without the person does: the registration ends, and its link with it."""
    client = await with_the_keys(product)
    await client.get_workflow_handle(f"registration/{radicado}").terminate("a day has passed")
    past = datetime.now(UTC) - timedelta(seconds=1)
    await rows(product, "UPDATE password_links SET expires_at = $1 WHERE reference = $2", past, radicado)


async def test_one_link_sets_one_password_however_many_try(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    link = await product.link_for(person)
    async with product.browser() as visitor:
        hidden = hidden_of(await visitor.get(link))
        passwords = [f"Clave-Segura-{number}" for number in range(50)]
        answers = await asyncio.gather(
            *(
                visitor.post(
                    "/contrasena",
                    data={**hidden, "contrasena": password, "confirmacion": password},
                )
                for password in passwords
            )
        )
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] + [410] * 49
    winner = passwords[statuses.index(200)]
    await product.reaches(radicado, "completed")
    async with product.browser() as visitor:
        assert (await log_in(visitor, person, winner)).url.path == "/inicio/mipres"
        loser = passwords[0 if winner != passwords[0] else 1]
    async with product.browser() as visitor:
        assert (await log_in(visitor, person, loser)).status_code == 422


async def test_a_form_sets_the_password_of_the_person_it_shows(product: Product) -> None:
    """Two links in two tabs of one browser.

    The form of the first does not act on the second.
    """
    first, second = await product.new_professional(), await product.new_professional()
    for person in (first, second):
        await product.register_professional(person)
    async with product.browser() as visitor:
        drawn = await visitor.get(await product.link_for(first))
        await visitor.get(await product.link_for(second))
        sent = {**hidden_of(drawn), "contrasena": PASSWORD, "confirmacion": PASSWORD}
        refused = await visitor.post("/contrasena", data=sent)
        assert refused.status_code == 422
        assert "No se guardó nada" in refused.text
        assert f"<strong>{login_of(second)}</strong>" in refused.text
        unnamed = await visitor.post("/contrasena", data={**sent, "enlace": ""})
        assert unnamed.status_code == 422
        stored = "SELECT password_hash FROM accounts WHERE login = ANY($1)"
        logins = [login_of(first), login_of(second)]
        assert [row[0] for row in await rows(product, stored, logins)] == [None, None]
        sent = {**hidden_of(refused), "contrasena": PASSWORD, "confirmacion": PASSWORD}
        assert (await visitor.post("/contrasena", data=sent)).status_code == 200
    async with product.browser() as visitor:
        assert (await log_in(visitor, second)).url.path == "/inicio/mipres"


async def test_a_renewal_is_of_the_link_that_the_page_shows(product: Product) -> None:
    first, second = await product.new_professional(), await product.new_professional()
    links = []
    for person in (first, second):
        radicado = (await product.register_professional(person)).json()["radicado"]
        links.append(await product.link_for(person))
        await end_by_expiry(product, radicado)
    async with product.browser() as visitor:
        drawn = await visitor.get(links[0])
        shown = await visitor.get(links[1])
        refused = await visitor.post("/contrasena/renovar", data=hidden_of(drawn))
        assert (refused.status_code, "Enviarme un enlace nuevo" in refused.text) == (410, True)
        assert len(await product.mails_to(second["email"])) == 1
        assert (await visitor.post("/contrasena/renovar", data=hidden_of(shown))).status_code == 200


@pytest.mark.parametrize(
    ("password", "confirmation", "said"),
    [
        ("", "", "Escriba la contraseña"),
        ("Corta-1", "Corta-1", "tener mínimo ocho (8) caracteres"),
        ("clave-segura-2026", "clave-segura-2026", "usar letras mayúsculas"),
        ("CLAVE-SEGURA-2026", "CLAVE-SEGURA-2026", "usar letras minúsculas"),
        ("Clave-Segura", "Clave-Segura", "usar números"),
        ("ClaveSegura2026", "ClaveSegura2026", "usar caracteres especiales"),
        (PASSWORD, OTHER_PASSWORD, "La contraseña y su confirmación no son iguales"),
        (PASSWORD, "", "Escriba otra vez la contraseña"),
        ("Aa1-" * 40, "Aa1-" * 40, "tener máximo 128 caracteres"),
    ],
)
async def test_a_password_against_the_rules_leaves_the_link_open(
    product: Product, password: str, confirmation: str, said: str
) -> None:
    person = await product.new_professional()
    await product.register_professional(person)
    async with product.browser() as visitor:
        page = await visitor.get(await product.link_for(person))
        sent = {**hidden_of(page), "contrasena": password, "confirmacion": confirmation}
        answer = await visitor.post("/contrasena", data=sent)
        assert answer.status_code == 422
        assert said in answer.text
        assert not password or f'value="{password}"' not in answer.text
        assert (await visitor.get("/contrasena")).status_code == 200


# ---- Doors


async def test_the_login_says_the_same_whatever_is_wrong(product: Product) -> None:
    complete, without_password = await product.new_professional(), await product.new_professional()
    await product.complete(complete)
    await product.register_professional(without_password)
    unknown = {"document": {"type": "CC", "number": "70999900"}}
    texts = set()
    for person, password in ((unknown, PASSWORD), (complete, OTHER_PASSWORD), (without_password, PASSWORD)):
        async with product.browser() as visitor:
            answer = await log_in(visitor, person, password)
        assert answer.status_code == 422
        assert password not in answer.text
        shown = without_random(answer).replace(login_of(person), "LOGIN")
        texts.add(shown)
    [text] = texts
    assert "El usuario o la contraseña no son correctos, o la cuenta aún no tiene contraseña" in text


@pytest.mark.parametrize("login", ["", " ", "\x00", "ñ", "' OR 1=1 --", "CC" + "7" * 600, "٧٠٩٩٩٠٠١"])
async def test_odd_logins_are_told_on_the_form(product: Product, login: str) -> None:
    async with product.browser() as visitor:
        page = await visitor.get("/ingreso/mipres")
        sent = {"csrf_token": csrf_of(page), "usuario": login, "contrasena": "x" * 500}
        answer = await visitor.post("/ingreso/mipres", data=sent)
    assert answer.status_code == 422


async def test_the_login_takes_the_document_as_people_write_it(product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    number = person["document"]["number"]
    async with product.browser() as visitor:
        page = await visitor.get("/ingreso/mipres")
        typed = f" cc {number[:2]}.{number[2:5]}.{number[5:]} "
        sent = {"csrf_token": csrf_of(page), "usuario": typed, "contrasena": PASSWORD}
        assert (await visitor.post("/ingreso/mipres", data=sent)).url.path == "/inicio/mipres"


async def new_delegate(product: Product, **facts: Any) -> dict[str, Any]:
    """A delegate with a password."""
    person = await product.new_person(delegate_of=[ENTITY], **facts)
    answer = await product.register(
        user_type="delegate", document=person["document"], entity={"kind": "IPS", "nit": ENTITY["nit"]}
    )
    assert answer.status_code == 201, answer.text
    async with product.browser() as visitor:
        assert (await set_password(visitor, await product.link_for(person))).status_code == 200
    await product.reaches(answer.json()["radicado"], "completed")
    return person


async def test_the_wrong_door_names_the_right_one(product: Product) -> None:
    professional, delegate = await product.new_professional(), await new_delegate(product)
    await product.complete(professional)
    doors = {
        "administracion": (professional, "mipres", "MIPRES No UPC"),
        "mipres": (delegate, "administracion", "Módulo Administración de Usuarios"),
    }
    for wrong, (person, right, name) in doors.items():
        async with product.browser() as visitor:
            answer = await log_in(visitor, person, door=wrong)
            assert "Su usuario no ingresa por aquí" in answer.text
            assert f'<a class="button" href="/ingreso/{right}">{name}</a>' in answer.text
            assert (await visitor.get(f"/inicio/{wrong}")).url.path == f"/ingreso/{wrong}"
            assert (await log_in(visitor, person, door=right)).url.path == f"/inicio/{right}"
            # A wrong password learns nothing about doors.
            refused = await log_in(visitor, person, OTHER_PASSWORD, door=wrong)
            assert (refused.status_code, "no ingresa por aquí" in refused.text) == (422, False)


async def test_two_applications_never_share_a_session(product: Product) -> None:
    person = await new_delegate(
        product,
        rethus={
            "professions": [{"code": "P07", "name": "Medicina", "registration": "76-1234"}],
            "sanctions": [],
        },
    )
    updated = await product.register_professional(person)
    assert updated.status_code == 200
    async with product.browser() as visitor:
        landing = await log_in(visitor, person, door="administracion")
        assert landing.url.path == "/inicio/administracion"
        assert "Clínica Los Nogales del Ejemplo S.A.S." in landing.text
        assert "76-1234" not in landing.text
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        visitor.cookies.set("mipres_sesion_mipres", visitor.cookies["mipres_sesion_administracion"])
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        landing = await log_in(visitor, person, door="mipres")
        assert "76-1234" in landing.text
        assert ENTITY["name"] not in landing.text
        # Leaving leaves both.
        await visitor.post("/salir", data={"csrf_token": csrf_of(landing)})
        for application in ("mipres", "administracion"):
            assert (await visitor.get(f"/inicio/{application}")).url.path == f"/ingreso/{application}"


async def test_a_session_ends_on_the_server_too(product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    async with product.browser() as visitor, product.browser() as thief:
        landing = await log_in(visitor, person)
        thief.cookies.set("mipres_sesion_mipres", visitor.cookies["mipres_sesion_mipres"])
        assert (await thief.get("/inicio/mipres")).url.path == "/inicio/mipres"
        await visitor.post("/salir", data={"csrf_token": csrf_of(landing)})
        assert (await thief.get("/inicio/mipres")).url.path == "/ingreso/mipres"


async def test_the_landing_page_shows_every_profile_and_the_placement(product: Product) -> None:
    person = await product.new_person(sso=PLACEMENT)
    radicado = (await product.register(user_type="social_service", document=person["document"])).json()[
        "radicado"
    ]
    async with product.browser() as visitor:
        await set_password(visitor, await product.link_for(person))
        await product.reaches(radicado, "completed")
        again = await product.register(user_type="other", document=person["document"])
        assert (again.status_code, again.json()["status"]) == (200, "updated")
        landing = await log_in(visitor, person)
    for text in (
        "Pepa Canaria Única",
        "Sus perfiles",
        "<h3>Servicio Social Obligatorio</h3>",
        "<h3>Otro Usuario</h3>",
        "Hospital de Ejemplo de Inírida",
        "Plaza hasta",
        "31 de diciembre de 2099",
    ):
        assert text in landing.text
    accounts = await rows(product, "SELECT id FROM accounts WHERE login = $1", login_of(person))
    profiles = await rows(product, "SELECT user_type FROM profiles WHERE account_id = $1", accounts[0][0])
    assert (len(accounts), {row[0] for row in profiles}) == (1, {"social_service", "other"})


ROLES = {
    "social_service": [
        "<strong>Prescripción en la sede de la plaza.</strong>",
        "El perfil vale solo en esa sede y termina con la plaza.",
    ],
    "other": [
        "<strong>Admisión.</strong>",
        "<strong>Dispensador.</strong>",
        "<strong>Transcriptor IPS.</strong>",
        "se lo asigna el delegado de su entidad en el Módulo Administración de Usuarios",
    ],
    "delegate": ["<strong>Administrador de Usuarios.</strong>", "Lo designa el representante legal"],
}


async def test_the_landing_page_tells_the_roles_of_each_profile(product: Product) -> None:
    person = await new_delegate(product, sso=PLACEMENT)
    for user_type in ("social_service", "other"):
        again = await product.register(user_type=user_type, document=person["document"])
        assert again.status_code == 200, again.text
    async with product.browser() as visitor:
        mipres = await log_in(visitor, person)
        administration = await log_in(visitor, person, door="administracion")
    for page, types in ((mipres, ("social_service", "other")), (administration, ("delegate",))):
        assert "Pepa Canaria Única" in page.text
        for text in (text for user_type in types for text in ROLES[user_type]):
            assert text in page.text
    assert "Administrador de Usuarios." not in mipres.text
    assert "Admisión" not in administration.text
    assert "plena validez jurídica" in administration.text


async def end_placement(product: Product, person: Mapping[str, Any], last_day: str) -> None:
    """As the calendar does, for which a visitor would have to wait."""
    statement = (
        "UPDATE profiles SET ends_on = $2 WHERE user_type = 'social_service' "
        "AND account_id = (SELECT id FROM accounts WHERE login = $1)"
    )
    await rows(product, statement, login_of(person), date.fromisoformat(last_day))


async def test_a_placement_that_ended_opens_nothing_and_the_page_says_so(product: Product) -> None:
    person = await product.new_person(sso=PLACEMENT, delegate_of=[ENTITY])
    answer = await product.register(user_type="social_service", document=person["document"])
    async with product.browser() as visitor:
        await set_password(visitor, await product.link_for(person))
        await product.reaches(answer.json()["radicado"], "completed")
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"
        await end_placement(product, person, "2026-01-31")
        # The session that was open ends too.
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        for door in ("mipres", "administracion"):
            ended = await log_in(visitor, person, door=door)
            assert ended.url.path.startswith("/registro/resultado/")
            assert (await visitor.get(str(ended.url))).text.count(PLACEMENT["site_name"]) == 1
            for text in (
                "Su plaza de Servicio Social Obligatorio terminó",
                PLACEMENT["site_name"],
                "31 de enero de 2026",
                'href="/registro/sso"',
                'href="/registro/profesional"',
            ):
                assert text in ended.text
            assert (await visitor.get(f"/inicio/{door}")).url.path == f"/ingreso/{door}"

        entity = {"kind": "IPS", "nit": ENTITY["nit"]}
        await product.register(user_type="delegate", document=person["document"], entity=entity)
        still_ended = await log_in(visitor, person)
        assert "Su plaza de Servicio Social Obligatorio terminó" in still_ended.text
        assert 'href="/ingreso/administracion">Módulo Administración de Usuarios' in still_ended.text
        assert (await log_in(visitor, person, door="administracion")).url.path == "/inicio/administracion"


async def test_an_ended_placement_is_shown_as_such_beside_another_profile(product: Product) -> None:
    person = await product.new_person(sso=PLACEMENT)
    radicado = (await product.register(user_type="social_service", document=person["document"])).json()[
        "radicado"
    ]
    async with product.browser() as visitor:
        await set_password(visitor, await product.link_for(person))
        await product.reaches(radicado, "completed")
        await product.register(user_type="other", document=person["document"])
        await end_placement(product, person, "2026-01-31")
        landing = await log_in(visitor, person)
        assert landing.url.path == "/inicio/mipres"
        for text in ("Terminó el", "31 de enero de 2026", "Este perfil ya no permite ingresar", "Admisión"):
            assert text in landing.text
        # A placement in force again, at another site, is another one of the same profile.
        moved = PLACEMENT | {"site_name": "Hospital Nuevo del Ejemplo"}
        await product.registries.post("/_control/people", json=[person | {"sso": moved}])
        await product.register(user_type="social_service", document=person["document"])
        landing = await visitor.get("/inicio/mipres")
    assert "Hospital Nuevo del Ejemplo" in landing.text
    assert PLACEMENT["site_name"] not in landing.text
    assert "ya no permite ingresar" not in landing.text


# ---- The status page


async def test_a_radicado_from_paper_finds_its_registration(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    async with product.browser() as visitor:
        form = await visitor.get("/registro/estado")
        assert (form.status_code, 'name="radicado"' in form.text) == (200, True)
        typed = f" {radicado.lower().replace('-', ' ').replace('0', 'o')} "
        found = await visitor.get("/registro/estado", params={"radicado": typed})
        assert found.url.path == f"/registro/estado/{radicado}"
        # A mail's address may be older than what Temporal still knows.
        for address in ("/registro/estado?radicado=RM-000000000000", "/registro/estado/RM-000000000000"):
            unknown = await visitor.get(address)
            assert (unknown.status_code, "No hay ningún registro con ese número" in unknown.text) == (
                404,
                True,
            )
            assert 'value="RM-000000000000"' in control(unknown, "radicado")


@pytest.mark.parametrize("typed", ["", "RM-1", "x" * 3000, "٠" * 12, "\x00", '"><script>alert(1)</script>'])
async def test_what_is_no_radicado_is_a_field_error(product: Product, typed: str) -> None:
    answer = await product.api.get("/registro/estado", params={"radicado": typed})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in control(answer, "radicado")
    assert "<script>alert" not in answer.text


# ---- Again


async def test_another_entity_is_another_profile_of_the_same_account(product: Product) -> None:
    second = {"nit": "901500600", "name": "Suministros del Ejemplo S.A.S.", "kind": "PROVIDER"}
    natural = {"department": "05", "municipality": "05001"}
    person = await new_delegate(product, provider_in=natural)
    await product.registries.post("/_control/people", json=[person | {"delegate_of": [ENTITY, second]}])
    for entity in ({"kind": "PROVIDER", "nit": second["nit"]}, {"kind": "PROVIDER", **natural}):
        again = await product.register(user_type="delegate", document=person["document"], entity=entity)
        assert (again.status_code, again.json()["status"]) == (200, "updated"), again.text
    statement = "SELECT count(DISTINCT a.id), count(p.id) FROM accounts a JOIN profiles p ON p.account_id = a.id WHERE a.login = $1"
    [counts] = await rows(product, statement, login_of(person))
    assert tuple(counts) == (1, 3)
    async with product.browser() as visitor:
        landing = await log_in(visitor, person, door="administracion")
    for text in (ENTITY["name"], second["name"], "Medellín, Antioquia"):
        assert text in landing.text


async def test_registering_again_without_a_password_sends_a_new_link(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    first = await product.link_for(person)
    handle = (await with_the_keys(product)).get_workflow_handle(f"registration/{radicado}")
    await handle.terminate("prueba")
    async with product.browser() as visitor:
        answer = await submit_form(product, visitor, "profesional", professional_form(person))
        assert LINK_WILL_BE_SENT in answer.text
        second = await product.link_for(person, count=2)
        old = await visitor.get(first)
        assert (old.status_code, "Hay un enlace más reciente" in old.text) == (410, True)
        assert (await set_password(visitor, second)).status_code == 200
    await product.reaches(radicado, "completed")


async def test_a_receipt_shows_what_was_registered_and_when(product: Product) -> None:
    person = await product.new_professional()
    async with product.browser() as first, product.browser() as second:
        registered = await submit_form(product, first, "profesional", professional_form(person))
        other_words = professional_form(person) | {"registro_profesional": "R.M. No. 00761234"}
        joined = await submit_form(product, second, "profesional", other_words)
    for page in (registered, joined):
        assert "REGISTRO SATISFACTORIO" in page.text
        assert "76-1234" in page.text
        assert "761234" not in page.text
    receipts = [
        re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page.text, re.DOTALL) for page in (registered, joined)
    ]
    assert receipts[0] == receipts[1]
    statement = "SELECT accepted_at FROM consents c JOIN accounts a ON a.id = c.account_id WHERE login = $1"
    [(accepted_at,)] = await rows(product, statement, login_of(person))
    assert dict(receipts[0])["Fecha del registro"] == long_date_time(accepted_at)


async def test_a_second_profession_is_checked_and_kept_beside_the_first(product: Product) -> None:
    optometry = {"code": "P05", "name": "OPTOMETRÍA", "registration": "05-9999"}
    person = await product.new_person(rethus={"professions": [MEDICINE, optometry], "sanctions": []})
    form = professional_form(person)
    async with product.browser() as visitor:
        first = await submit_form(product, visitor, "profesional", form)
        unknown = await submit_form(
            product, visitor, "profesional", form | {"registro_profesional": "99-0001"}
        )
        second = await submit_form(
            product, visitor, "profesional", form | {"registro_profesional": "RM 059999"}
        )
    assert "REGISTRO SATISFACTORIO" in first.text
    assert "Profesional no encontrado en RETHUS" in unknown.text
    assert "REGISTRO SATISFACTORIO" in second.text
    assert "<dd>05-9999</dd>" in second.text
    statement = "SELECT professional_registration FROM profiles p JOIN accounts a ON a.id = p.account_id WHERE a.login = $1"
    kept = [row[0] for row in await rows(product, statement, login_of(person))]
    assert sorted(kept) == ["05-9999", "76-1234"]


async def test_registering_again_refreshes_the_data_and_tells_the_address_on_file(product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    mails = len(await product.mails_to(person["email"]))
    async with product.browser() as visitor:
        session = await log_in(visitor, person)
        assert session.url.path == "/inicio/mipres"
        await product.registries.post("/_control/people", json=[person | {"surnames": "Renovada"}])
        page = await submit_form(product, visitor, "profesional", professional_form(person))
        assert "Datos del usuario actualizados satisfactoriamente" in page.text
        assert (
            "Auténtiquese con las credenciales de acceso creadas al realizar su registro por primera vez"
            in page.text
        )
        # Neither the session nor the password is touched.
        assert "Pepa Renovada" in (await visitor.get("/inicio/mipres")).text

    async def told() -> bool:
        return len(await product.mails_to(person["email"])) > mails

    await product.eventually(told)
    notice = (await product.mails_to(person["email"]))[-1]
    assert notice["Subject"] == "MIPRES: sus datos fueron actualizados"
    assert "/contrasena/recuperar" in notice["Text"]
    assert not re.search(r"/contrasena/[\w-]{64}", notice["Text"] + notice["HTML"])
    assert person["document"]["number"] not in notice["Text"]


async def test_recovery_says_the_same_for_everybody_and_its_link_works_once(product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    unknown = {"type": "CC", "number": "70999901"}
    async with product.browser() as visitor, product.browser() as elsewhere:
        assert (await log_in(elsewhere, person)).url.path == "/inicio/mipres"
        answers = [await ask_recovery(product, visitor, each) for each in (person["document"], unknown)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].text == answers[1].text
        assert "Si ese documento tiene una cuenta" in answers[0].text

        link = await product.link_for(person, count=2)
        page = await visitor.get(link)
        assert "Cree y confirme su contraseña nueva" in page.text
        assert (await elsewhere.get("/inicio/mipres")).url.path == "/inicio/mipres"
        done = await set_password(visitor, link, OTHER_PASSWORD)
        assert "Su contraseña cambió" in done.text
        assert "fue creada" not in done.text
        ended = await elsewhere.get("/inicio/mipres")
        assert ended.url.path == "/ingreso/mipres"
        assert "Su sesión terminó porque la contraseña cambió" in ended.text
        assert "Su sesión terminó" not in (await visitor.get("/ingreso/mipres")).text

        used = await visitor.get(link)
        assert (used.status_code, "El enlace ya se usó" in used.text) == (410, True)
        # A recovery belongs to no registration, and leads to the person's own door all the same.
        assert 'class="button" href="/ingreso/mipres">' in used.text
        assert 'class="button" href="/ingreso/administracion">' not in used.text
        assert (await log_in(visitor, person, PASSWORD)).status_code == 422
        assert (await log_in(visitor, person, OTHER_PASSWORD)).url.path == "/inicio/mipres"

    async def recovered() -> bool:
        return await recovery_of(product, person) == "COMPLETED"

    await product.eventually(recovered)
    newest = (await product.mails_to(person["email"]))[-1]
    assert newest["Subject"] == "MIPRES: su contraseña cambió"
    assert "Si no fue usted" in newest["HTML"]


async def test_recovery_before_there_is_a_password_helps_too(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await product.link_for(person)
    async with product.browser() as visitor:
        assert (await ask_recovery(product, visitor, person["document"])).status_code == 202
        assert (await set_password(visitor, await product.link_for(person, count=2))).status_code == 200
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"
    await product.reaches(radicado, "completed")


async def test_an_expired_recovery_link_offers_another(product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    async with product.browser() as visitor:
        await ask_recovery(product, visitor, person["document"])
        link = await product.link_for(person, count=2)
        past = datetime.now(UTC) - timedelta(seconds=1)
        statement = (
            "UPDATE password_links SET expires_at = $1 WHERE purpose = 'recover' AND closed_at IS NULL"
        )
        await rows(product, statement, past)
        answer = await visitor.get(link)
    assert answer.status_code == 410
    assert "El enlace venció" in answer.text
    assert 'href="/contrasena/recuperar">Pedir otro enlace' in answer.text


@pytest.mark.parametrize("number", ["", "0", "x" * 600, "\x00"])
async def test_recovery_with_an_impossible_document_is_a_field_error(product: Product, number: str) -> None:
    async with product.browser() as visitor:
        answer = await ask_recovery(product, visitor, {"type": "CC", "number": number})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in control(answer, "numero_documento")


# ---- While a registry is away


async def test_the_page_in_progress_names_the_radicado_and_goes_on(product: Product) -> None:
    person = await product.new_professional()
    await product.set_registry("miseguridadsocial", mode="down")
    try:
        async with product.browser() as visitor:
            answer = await submit_form(product, visitor, "profesional", professional_form(person))
            number = person["document"]["number"]
            radicado = radicado_for(
                product,
                Submission(
                    user_type=UserType.PROFESSIONAL,
                    document=Document(type=DocumentType.CC, number=number),
                    professional_registration=professional_form(person)["registro_profesional"],
                ),
            )
            assert answer.status_code == 202
            assert "Su registro está en proceso" in answer.text
            assert radicado in answer.text
            assert "no encontrado" not in answer.text.lower()
            await product.reaches(radicado, "waiting_registry")
            status = await visitor.get(f"/registro/estado/{radicado}")
            assert "Esperamos a que responda miseguridadsocial" in status.text
            assert f'<a href="{status.url.path}">Actualizar</a>' in status.text
            refused = await visitor.post(
                f"/registro/estado/{radicado}/reenviar",
                data={"csrf_token": csrf_of(await visitor.get("/registro/otro"))},
            )
            assert "No hay enlace que reenviar" in refused.text
    finally:
        await product.set_registry("miseguridadsocial", mode="up")
    await product.reaches(radicado, "awaiting_password")


@pytest.mark.parametrize("mode", ["garbage", "error"])
async def test_a_registry_that_answers_nonsense_is_never_a_refusal(product: Product, mode: str) -> None:
    person = await product.new_professional()
    await product.set_registry("rethus", mode=mode)
    try:
        async with product.browser() as visitor:
            answer = await submit_form(product, visitor, "profesional", professional_form(person))
        assert answer.status_code == 202
        assert "Profesional no encontrado en RETHUS" not in answer.text
    finally:
        await product.set_registry("rethus", mode="up")
    await product.link_for(person)
