"""/soporte and the codec server, as an officer and as everybody else meets them."""

import base64
import json
import re
from typing import Any

import httpx2
import pytest

from mipres.temporal.names import registration_workflow_id
from tests.product.conftest import Product, csrf_of
from tests.product.storage import rows, with_the_keys, without_the_keys
from tests.product.support import (
    REASON,
    STAFF_PASSWORD,
    enter,
    new_staff,
    officer,
    post_form,
    without_redirects,
)
from tests.product.visits import log_in, set_password

ACCOUNT = "/soporte/cuenta/00000000-0000-0000-0000-000000000000"
PAGES = ("/soporte", "/soporte/contrasena", "/soporte/registro/RM-000000000000", ACCOUNT)
FORMS = (
    "/soporte/buscar",
    "/soporte/clave",
    "/soporte/contrasena",
    "/soporte/salir",
    "/soporte/registro/RM-000000000000",
    "/soporte/registro/RM-000000000000/cancelar",
    f"{ACCOUNT}/suspender",
)


async def trail(product: Product, reference: str | None, actor: str) -> list[tuple[str, str | None, Any]]:
    found = await rows(
        product,
        "SELECT type, reason, details FROM audit_entries"
        " WHERE actor = $1 AND ($2::text IS NULL OR reference = $2) ORDER BY number",
        f"staff:{actor}",
        reference,
    )
    return [(row["type"], row["reason"], json.loads(row["details"])) for row in found]


async def registered(product: Product) -> tuple[dict[str, Any], str]:
    person = await product.new_professional()
    answer = await product.register_professional(person)
    assert answer.status_code == 201, answer.text
    await product.link_for(person)
    radicado: str = answer.json()["radicado"]
    return person, radicado


# ---- The door


async def test_nobody_looks_in_without_logging_in(product: Product) -> None:
    async with product.browser() as visitor:
        token = csrf_of(await visitor.get("/ingreso/mipres"))
        with without_redirects(visitor):
            answers = [await visitor.get(path) for path in PAGES]
            answers += [await visitor.post(path, data={"csrf_token": token}) for path in FORMS]
    assert {(answer.status_code, answer.headers.get("location")) for answer in answers} == {
        (303, "/soporte/ingreso")
    }


async def test_a_citizen_s_session_opens_nothing_here(product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    async with product.browser() as visitor:
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"
        assert (await visitor.get("/soporte")).url.path == "/soporte/ingreso"
        # Not even under the other cookie's name.
        visitor.cookies.set("mipres_soporte", visitor.cookies["mipres_sesion_mipres"])
        assert (await visitor.get("/soporte")).url.path == "/soporte/ingreso"


async def test_support_s_session_is_no_citizen_s(product: Product) -> None:
    async with officer(product) as (visitor, _):
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"


async def test_the_cookie_is_strict_and_hidden_from_scripts(product: Product) -> None:
    name = await new_staff(product)
    async with product.browser() as visitor:
        page = await visitor.get("/soporte/ingreso")
        sent = {"csrf_token": csrf_of(page), "nombre": name.upper(), "contrasena": STAFF_PASSWORD}
        with without_redirects(visitor):
            answer = await visitor.post("/soporte/ingreso", data=sent)
    cookie = next(item for item in answer.headers.get_list("set-cookie") if "mipres_soporte=" in item)
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()


@pytest.mark.parametrize(("name", "password"), [("nadie", STAFF_PASSWORD), ("", ""), ("\0", "x")])
async def test_one_answer_for_every_wrong_login(product: Product, name: str, password: str) -> None:
    async with product.browser() as visitor:
        refused = await enter(visitor, name, password)
        assert (refused.status_code, refused.url.path) == (422, "/soporte/ingreso")
        assert (await visitor.get("/soporte")).url.path == "/soporte/ingreso"


async def test_leaving_closes_the_door(product: Product) -> None:
    async with officer(product) as (visitor, name):
        cookie = visitor.cookies["mipres_soporte"]
        left = await post_form(visitor, "/soporte", "/soporte/salir")
        assert left.url.path == "/soporte/ingreso"
        visitor.cookies.set("mipres_soporte", cookie)
        assert (await visitor.get("/soporte")).url.path == "/soporte/ingreso"
        events = [event for event, _, _ in await trail(product, None, name)]
        assert events == ["staff_login_succeeded", "staff_logout"]


async def test_a_form_of_another_page_is_refused(product: Product) -> None:
    async with officer(product) as (visitor, _):
        for path in FORMS:
            assert (await visitor.post(path, data={"csrf_token": "x"})).status_code == 403, path


async def test_a_form_of_one_member_does_nothing_for_another(product: Product) -> None:
    _, radicado = await registered(product)
    path = f"/soporte/registro/{radicado}"
    async with officer(product) as (visitor, first):
        drawn = {"csrf_token": csrf_of(await visitor.get(path)), "accion": "cancelar", "motivo": REASON}
        second = await new_staff(product)
        await enter(visitor, second)
        shown = await visitor.post(path, data=drawn)
        assert (shown.status_code, shown.url.path) == (200, path)
        assert f"En este navegador ingresó después {second}." in shown.text
        for form in ("/soporte/salir", "/soporte/buscar", "/soporte/clave"):
            shown = await visitor.post(form, data=drawn)
            assert (shown.url.path, "No se hizo nada" in shown.text) == ("/soporte", True), form
        assert "No se hizo nada" not in (await visitor.get(path)).text
        acts = [await trail(product, radicado, name) for name in (first, second)]
    assert [entry for entries in acts for entry in entries if entry[0] == "cancel_asked"] == []
    await product.reaches(radicado, "awaiting_password")


@pytest.mark.parametrize(
    ("action", "login"),
    [
        ("/soporte/ingreso", "/soporte/ingreso"),
        ("/soporte/ingreso/segundo-factor", "/soporte/ingreso"),
        ("/ingreso/mipres/llave", "/ingreso/mipres"),
        ("/ingreso/mipres/segundo-factor", "/ingreso/mipres"),
    ],
)
async def test_every_login_of_before_another_login_is_asked_for_again(
    product: Product, action: str, login: str
) -> None:
    name = await new_staff(product)
    async with product.browser() as visitor:
        drawn = csrf_of(await visitor.get(login))
        await enter(visitor, await new_staff(product))
        sent = {"csrf_token": drawn, "nombre": name, "contrasena": STAFF_PASSWORD}
        again = await visitor.post(action, data=sent)
        assert (again.status_code, again.url.path) == (403, login)
        assert ("Ingrese otra vez" in again.text, STAFF_PASSWORD in again.text) == (True, False)
        if action == "/soporte/ingreso":
            assert f'value="{name}"' in again.text
            entered = await visitor.post(action, data={**sent, "csrf_token": csrf_of(again)})
            assert (entered.url.path, name in entered.text) == ("/soporte", True)


# ---- Finding


async def test_the_overview_counts_lists_and_links(product: Product) -> None:
    await product.set_registry("sso", mode="error")
    try:
        person = await product.new_person()
        answer = await product.register(user_type="social_service", document=person["document"])
        radicado = answer.json()["radicado"]
        await product.reaches(radicado, "waiting_registry")
        ui = product.stack.url("TEMPORAL_UI_PORT")
        async with officer(product) as (visitor, _):
            page = await visitor.get("/soporte")
            listed = f'href="{ui}/namespaces/default/workflows/registration%2F{radicado}"'

            async def is_listed() -> bool:
                nonlocal page
                page = await visitor.get("/soporte")
                # Which registry failed, and how: the person's document is in no list.
                return (
                    listed in page.text and "El registro SSO no respondió bien (código HTTP 500)" in page.text
                )

            # Temporal's list follows a moment later.
            await product.eventually(is_listed)
        assert "<dt>Esperando un registro</dt><dd>0</dd>" not in page.text
        assert "<dt>SSO</dt><dd>0</dd>" not in page.text
        assert "StuckSince%20IS%20NOT%20NULL" in page.text
        assert "Running%22%20AND%20TemporalReportedProblems%20IS%20NOT%20NULL" in page.text
        assert person["document"]["number"] not in page.text
    finally:
        await product.set_registry("sso", mode="up")


async def test_a_person_is_found_by_document_masked_and_the_look_is_written_down(product: Product) -> None:
    person, radicado = await registered(product)
    document = {"tipo_documento": "CC", "numero_documento": person["document"]["number"]}
    async with officer(product) as (visitor, name):
        page = await post_form(visitor, "/soporte", "/soporte/buscar", **document)
        assert page.status_code == 200
        assert f'href="/soporte/registro/{radicado}"' in page.text
        assert "P••• C••• Ú•••" in page.text
        for secret in (person["email"], "Canaria", person["document"]["number"]):
            assert secret not in page.text
        assert ("data_viewed", None, {"in_clear": "no"}) in await trail(product, None, name)


async def test_a_registration_is_found_by_its_radicado_as_people_dictate_it(product: Product) -> None:
    _, radicado = await registered(product)
    dictated = f"{radicado[:2].lower()} {radicado[3:].lower().replace('0', 'o')}."
    async with officer(product) as (visitor, _):
        found = await post_form(visitor, "/soporte", "/soporte/buscar", radicado=dictated)
        assert found.url.path == f"/soporte/registro/{radicado}"


async def test_a_search_says_what_is_wrong_with_it(product: Product) -> None:
    async with officer(product) as (visitor, _):
        wrong = await post_form(visitor, "/soporte", "/soporte/buscar", radicado="RM-1")
        assert (wrong.status_code, "Escriba el radicado completo, como" in wrong.text) == (422, True)
        empty = await post_form(visitor, "/soporte", "/soporte/buscar")
        assert empty.status_code == 422
        nobody = {"tipo_documento": "CC", "numero_documento": "99999998"}
        unknown = await post_form(visitor, "/soporte", "/soporte/buscar", **nobody)
        # The answer has an address of its own, and the document is not in it.
        assert unknown.url.path.startswith("/soporte/hallado/")
        assert (await visitor.get(str(unknown.url))).text.count("Este documento no tiene cuenta") == 1
        async with officer(product) as (another, _):
            assert (await another.get(str(unknown.url))).url.path == "/soporte"
        assert "Este documento no tiene cuenta" in unknown.text
        assert (await visitor.get("/soporte/registro/RM-000000000000")).status_code == 404
        assert (await visitor.get("/soporte/registro/1020304050")).status_code == 404


async def test_a_review_is_answered_only_while_its_guard_has_stopped_it(product: Product) -> None:
    async with officer(product) as (visitor, _):
        page = await visitor.get("/soporte/revision")
        assert "No hay ninguna revisión en curso" in page.text
        assert "/soporte/revision/continuar" not in page.text
        for action in ("continuar", "abandonar"):
            asking = f"/soporte/revision/{action}"
            short = await post_form(visitor, asking, asking, motivo="corto")
            assert (short.status_code, "al menos 10 caracteres" in short.text) == (422, True)
            none = await post_form(visitor, asking, asking, motivo=REASON)
            assert (none.status_code, "Ninguna revisión está detenida" in none.text) == (422, True)
        assert (await visitor.get("/soporte/revision/borrar")).status_code == 404


async def test_what_support_does_not_find_has_support_s_own_page(product: Product) -> None:
    async with officer(product) as (visitor, _):
        for path in ("/soporte/registro/RM-000000000000", "/soporte/nada", "/soporte/lista/nada"):
            page = await visitor.get(path)
            assert (page.status_code, "No hay nada en esta dirección" in page.text) == (404, True), path
            assert 'href="/soporte"' in page.text


async def test_each_count_leads_to_its_list(product: Product) -> None:
    _, radicado = await registered(product)
    async with officer(product) as (visitor, _):
        for path in re.findall(r'href="(/soporte/lista/[^"]+)"', (await visitor.get("/soporte")).text):
            assert (await visitor.get(path)).status_code == 200, path

        async def is_listed() -> bool:
            page = await visitor.get("/soporte/lista/awaiting_password")
            return f'href="/soporte/registro/{radicado}"' in page.text

        await product.eventually(is_listed)


async def test_a_refusal_is_explained_beside_what_the_person_sees(product: Product) -> None:
    person = await product.new_person()
    assert (await product.register_professional(person)).status_code == 422
    login = f"CC{person['document']['number']}"
    async with officer(product) as (visitor, _):
        found = await post_form(visitor, "/soporte", "/soporte/buscar", radicado=login)
        [path] = re.findall(r'href="(/soporte/registro/[^"]+)"', found.text)
        page = await visitor.get(path)
    assert "Profesional no encontrado en RETHUS" in page.text
    assert "Buscamos en ReTHUS este tipo y número de identificación" in page.text
    assert "Lo que ve la persona" in page.text
    assert "Cancelar el registro" not in page.text
    assert person["document"]["number"] not in page.text


# ---- Acting


async def test_a_reason_shows_the_person_and_is_kept(product: Product) -> None:
    person, radicado = await registered(product)
    path = f"/soporte/registro/{radicado}"
    async with officer(product) as (visitor, name):
        found = await post_form(visitor, "/soporte", "/soporte/buscar", radicado=radicado.lower())
        assert found.url.path == path
        assert person["email"] not in found.text
        refused = await post_form(visitor, path, path, accion="mostrar", motivo="corto")
        assert (refused.status_code, person["email"] in refused.text) == (422, False)
        shown = await post_form(visitor, path, path, accion="mostrar", motivo=REASON)
        assert f"<dd>{person['email']}</dd>" in shown.text
        assert ("data_viewed", REASON, {"in_clear": "yes"}) in await trail(product, radicado, name)


async def test_actions_are_done_refused_and_written_down(product: Product) -> None:
    _, radicado = await registered(product)
    path = f"/soporte/registro/{radicado}"
    async with officer(product) as (visitor, name):
        retried = await post_form(visitor, path, path, accion="reintentar", motivo=REASON)
        assert (retried.status_code, "no espera ningún reintento" in retried.text) == (422, True)
        assert (await post_form(visitor, path, path, accion="otra", motivo=REASON)).status_code == 400
        assert "Reintentar ya" not in (await visitor.get(path)).text
        asking = f"{path}/cancelar"
        short = await post_form(visitor, asking, asking, motivo="corto")
        assert (short.status_code, 'value="corto"' in short.text) == (422, True)
        done = await post_form(visitor, asking, asking, motivo=REASON)
        assert done.url.path == path
        again = await visitor.get(str(done.url))
        assert "Registro cancelado" in again.text
        assert "/cancelar" not in again.text
        assert "Registro cancelado y deshecho" not in (await visitor.get(path)).text
        assert (done.status_code, "Registro cancelado" in done.text) == (200, True)
        await product.reaches(radicado, "cancelled")
        acts = [entry for entry in await trail(product, radicado, name) if entry[0].endswith("_asked")]
    assert acts == [
        ("retry_asked", REASON, {}),
        ("retry_asked", REASON, {"refused": "WrongStage"}),
        ("cancel_asked", REASON, {}),
    ]


# ---- The codec server


async def encrypted_input(product: Product, radicado: str) -> dict[str, Any]:
    """The input of a registration as Temporal's interface sends it to be decoded."""
    client = await without_the_keys(product)
    handle = client.get_workflow_handle(f"registration/{radicado}")
    first = await anext(handle.fetch_history_events())
    [payload] = first.workflow_execution_started_event_attributes.input.payloads
    metadata = {key: base64.b64encode(value).decode() for key, value in payload.metadata.items()}
    return {"payloads": [{"metadata": metadata, "data": base64.b64encode(payload.data).decode()}]}


def as_the_interface(product: Product, **more: str) -> dict[str, str]:
    origin = product.stack.url("TEMPORAL_UI_PORT")
    return {"Origin": origin, "X-Namespace": "default", **more}


async def decode(
    visitor: httpx2.AsyncClient, body: dict[str, Any], headers: dict[str, str], verb: str = "decode"
) -> httpx2.Response:
    return await visitor.post(f"/codec/{verb}?preserveStorageRefs=true", json=body, headers=headers)


async def test_the_interface_reads_what_an_officer_may_read(product: Product) -> None:
    person, radicado = await registered(product)
    sealed, headers = await encrypted_input(product, radicado), as_the_interface(product)
    async with officer(product) as (visitor, name):
        closed = await decode(visitor, sealed, headers)
        [told] = closed.json()["payloads"]
        assert f"/soporte/registro/{radicado}" in base64.b64decode(told["data"]).decode()
        assert person["document"]["number"] not in base64.b64decode(told["data"]).decode()
        await open_to(visitor, radicado)
        answers = [await decode(visitor, sealed, headers) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {200}
        assert answers[0].headers["access-control-allow-origin"] == headers["Origin"]
        assert answers[0].headers["access-control-allow-credentials"] == "true"
        [clear] = answers[0].json()["payloads"]
        assert person["document"]["number"].encode() in base64.b64decode(clear["data"])
        # Each request has its row: which registration, whose, why, and how much.
        noted = [entry for entry in await trail(product, radicado, name) if entry[0] == "payloads_decoded"]
        assert noted == [("payloads_decoded", REASON, {"payloads": 1})] * 3
        named = await rows(
            product,
            "SELECT count(*) FROM audit_entries WHERE type = 'payloads_decoded' AND reference = $1"
            " AND person = (SELECT person FROM audit_entries WHERE type = 'registration_submitted'"
            " AND reference = $1 LIMIT 1)",
            radicado,
        )
        assert named[0]["count"] == 3


async def open_to(visitor: httpx2.AsyncClient, radicado: str) -> None:
    """Give a reason for a registration, as its page asks for one."""
    path = f"/soporte/registro/{radicado}"
    assert (await post_form(visitor, path, path, accion="mostrar", motivo=REASON)).status_code == 200


def plain(data: bytes, encoding: bytes = b"json/plain") -> dict[str, Any]:
    metadata = {"encoding": base64.b64encode(encoding).decode()}
    return {"metadata": metadata, "data": base64.b64encode(data).decode()}


async def test_nothing_but_the_reason_of_an_update_is_sealed(product: Product) -> None:
    reason = json.dumps(REASON).encode()
    async with officer(product) as (visitor, name):
        for payload in (
            plain(b'"corto"'),
            plain(b'"llame al 3001234567 por favor"'),
            plain(b'{"motivo": "la persona lo dijo"}'),
            plain(b'["la persona lo dijo"]'),
            plain(b"la persona lo dijo\xf3"),
            plain(b"[" * 15_000),
            plain(reason, b"json/protobuf"),
        ):
            answer = await decode(visitor, {"payloads": [payload]}, as_the_interface(product), "encode")
            assert answer.status_code == 400, payload
        both = {"payloads": [plain(reason), plain(b'"corto"')]}
        assert (await decode(visitor, both, as_the_interface(product), "encode")).status_code == 400
        done = await decode(visitor, {"payloads": [plain(reason)]}, as_the_interface(product), "encode")
        assert done.status_code == 200
        sealed = [entry for entry in await trail(product, None, name) if entry[0] == "reason_sealed"]
        assert sealed == [("reason_sealed", REASON, {})]


async def test_what_is_encoded_is_read_by_the_workers_keys(product: Product) -> None:
    clear = {
        "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
        "data": base64.b64encode(b'"un motivo claro"').decode(),
    }
    async with officer(product) as (visitor, _):
        answer = await decode(visitor, {"payloads": [clear]}, as_the_interface(product), "encode")
        [sealed] = answer.json()["payloads"]
        assert base64.b64decode(sealed["metadata"]["encoding"]) == b"binary/encrypted"
        back = await decode(visitor, answer.json(), as_the_interface(product))
        assert back.json()["payloads"] == [clear]
    assert (await with_the_keys(product)).data_converter.payload_codec is not None


async def test_nobody_else_reads_anything(product: Product) -> None:
    _, radicado = await registered(product)
    sealed = await encrypted_input(product, radicado)
    elsewhere = as_the_interface(product, Origin="https://otra.example")
    async with product.browser() as visitor, officer(product) as (member, _):
        strangers = [
            await decode(visitor, sealed, as_the_interface(product)),
            await decode(visitor, sealed, {"Authorization": "Bearer x"}),
            await decode(visitor, sealed, {"Authorization": "Bearer desarrollo"}),
            await decode(visitor, sealed, {}, "encode"),
            # A cookie without an origin comes from no page of the interface.
            await decode(member, sealed, {}),
            # A session is no key.
            await decode(visitor, sealed, {"Authorization": f"Bearer {member.cookies['mipres_soporte']}"}),
        ]
        assert {answer.status_code for answer in strangers} == {401}
        foreign = await decode(member, sealed, elsewhere)
        assert foreign.status_code == 403
        assert "access-control-allow-origin" not in foreign.headers


async def test_a_key_of_support_reads_from_the_command_line(product: Product) -> None:
    person, radicado = await registered(product)
    sealed = await encrypted_input(product, radicado)
    async with officer(product) as (member, name), product.browser() as program:
        page = await post_form(member, "/soporte", "/soporte/clave")
        key = page.text.partition('key-fact-value is-long">')[2].partition("<")[0]
        # Loading the page again mints no other.
        assert key in (await member.get(str(page.url))).text
        await open_to(member, radicado)
        answer = await decode(program, sealed, {"Authorization": f"Bearer {key}"})
        [clear] = answer.json()["payloads"]
        assert person["document"]["number"].encode() in base64.b64decode(clear["data"])
        events = [event for event, _, _ in await trail(product, None, name)]
        assert [event for event in events if event != "data_viewed"][-2:] == [
            "codec_key_issued",
            "payloads_decoded",
        ]
        await post_form(member, "/soporte", "/soporte/salir")
        assert (await decode(program, sealed, {"Authorization": f"Bearer {key}"})).status_code == 401


async def test_only_the_interface_s_pages_may_ask(product: Product) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
    async with product.browser() as visitor:
        asked = await visitor.options("/codec/decode", headers=as_the_interface(product, **ask))
        assert asked.status_code == 204
        assert "x-namespace" in asked.headers["access-control-allow-headers"]
        foreign = {**ask, "Origin": "https://otra.example"}
        refused = await visitor.options("/codec/decode", headers=foreign)
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)


async def test_nonsense_is_refused(product: Product) -> None:
    async with officer(product) as (visitor, _):
        headers = as_the_interface(product)
        for body in (b"", b"{", b'{"payloads": 3}', b"\xff", b"[" * 15_000):
            answer = await visitor.post("/codec/decode", content=body, headers=headers)
            assert answer.status_code == 400, body
        other = as_the_interface(product, **{"X-Namespace": "otro"})
        assert (await decode(visitor, {"payloads": []}, other)).status_code == 404
        # A payload of a key that nobody has comes back as it was.
        unknown = {
            "metadata": {
                "encoding": base64.b64encode(b"binary/encrypted").decode(),
                "encryption-key-id": base64.b64encode(b"k99").decode(),
            },
            "data": base64.b64encode(b"x" * 40).decode(),
        }
        back = await decode(visitor, {"payloads": [unknown]}, headers)
        assert back.json() == {"payloads": [unknown]}
        large = {"payloads": [{"data": "A" * 4 * 1024 * 1024}]}
        assert (await decode(visitor, large, headers)).status_code == 413


async def test_support_sees_what_temporal_stopped_until_the_person_needs_nothing_more(
    product: Product,
) -> None:
    person, radicado = await registered(product)
    link, client = await product.link_for(person), await with_the_keys(product)
    await client.get_workflow_handle(registration_workflow_id(radicado)).terminate("the test ends it")
    async with officer(product) as (visitor, _):

        async def is_listed() -> bool:
            _, _, stopped = (await visitor.get("/soporte")).text.partition("Interrumpidos en Temporal")
            return radicado in stopped

        await product.eventually(is_listed)
        async with product.browser() as citizen:
            assert (await set_password(citizen, link)).status_code == 200
        assert not await is_listed()
