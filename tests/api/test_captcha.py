"""The captcha of a form, as its visitor meets it; no database answers here."""

import re

import httpx2
import pytest
from altcha.v2 import Challenge, Payload, solve_challenge

from mipres.captcha.challenges import CHALLENGE_LIFETIME_SECONDS
from tests.api.conftest import OpenClient, TimeTravel, hidden

DOCUMENT = {"tipo_documento": "CC", "numero_documento": "1020304050"}
FORMS = {"/registro/otro": DOCUMENT | {"acepta_datos": "SI"}, "/contrasena/recuperar": DOCUMENT}


def challenge_of(page: httpx2.Response) -> str:
    return hidden(page)["captcha_id"]


@pytest.mark.parametrize("path", FORMS)
async def test_a_captcha_of_another_form_or_visit_is_refused(open_client: OpenClient, path: str) -> None:
    client = await open_client(captcha="image")
    page = await client.get(path)
    [elsewhere] = FORMS.keys() - {path}
    foreign = challenge_of(await client.get(elsewhere))
    client.cookies.clear()
    stranger = challenge_of(await client.get(path))
    client.cookies.clear()
    page = await client.get(path)
    for challenge in (foreign, stranger):
        sent = hidden(page) | FORMS[path] | {"captcha_id": challenge, "captcha": "22222"}
        refused = await client.post(path, data=sent)
        assert refused.status_code == 422
        assert "El código no corresponde a la imagen" in refused.text
        assert challenge_of(refused) not in {challenge, challenge_of(page)}


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("number", ["1020304050", "mal"], ids=["all else right", "another error"])
async def test_after_half_an_hour_the_page_says_that_the_code_expired(
    open_client: OpenClient, time_travel: TimeTravel, path: str, number: str
) -> None:
    client = await open_client(captcha="image")
    page = await client.get(path)
    sent = hidden(page) | FORMS[path] | {"numero_documento": number, "captcha": "22222"}
    time_travel(CHALLENGE_LIFETIME_SECONDS + 60)
    late = await client.post(path, data=sent)
    assert late.status_code == 422
    assert "El código venció; escriba el de la imagen nueva" in late.text
    assert "no corresponde a la imagen" not in late.text
    assert challenge_of(late) != challenge_of(page)
    assert 'value="22222"' not in late.text


@pytest.mark.parametrize("suffix", [".png", ".wav"])
async def test_of_many_pictures_and_recordings_of_a_code_nobody_takes_the_average(
    open_client: OpenClient, suffix: str
) -> None:
    client = await open_client(captcha="image")
    challenge = challenge_of(await client.get("/registro/otro"))
    # Base64 is read without what is no sign of it, so this is the same challenge.
    spellings = (challenge, challenge, f"{challenge}!!!!")
    shown = [await client.get(f"/captcha/{spelling}{suffix}") for spelling in spellings]
    assert {answer.status_code for answer in shown} == {200}
    assert len({answer.content for answer in shown}) == 1


async def test_an_unjudged_captcha_stays_and_its_text_is_not_kept(open_client: OpenClient) -> None:
    client = await open_client(captcha="image")
    page = await client.get("/registro/otro")
    wrong = await client.post("/registro/otro", data=hidden(page) | {"captcha": "7kmxy"})
    assert challenge_of(wrong) == challenge_of(page)
    assert "7kmxy" not in wrong.text
    assert "Escriba otra vez el código: por seguridad no se guarda." in wrong.text
    assert "Escriba otra vez el código" not in page.text


async def test_another_challenge_is_made_for_the_form_on_the_screen(open_client: OpenClient) -> None:
    client = await open_client(captcha="image")
    page = await client.get("/registro/otro")
    answer = await client.get("/captcha", params={"de": challenge_of(page)})
    another = answer.json()["challenge"]
    assert another != challenge_of(page)
    for suffix in (".png", ".wav"):
        assert (await client.get(f"/captcha/{another}{suffix}")).status_code == 200
    sent = hidden(page) | {"captcha": "7kmxy", "captcha_id": another}
    assert challenge_of(await client.post("/registro/otro", data=sent)) == another
    for nothing in ("", "x", another[::-1]):
        assert (await client.get("/captcha", params={"de": nothing})).status_code == 404
    client.cookies.clear()
    assert (await client.get("/captcha", params={"de": another})).status_code == 404


# ---- A proof of work


async def test_the_image_alone_is_the_default_and_knows_no_proofs(open_client: OpenClient) -> None:
    client = await open_client(captcha="image")
    page = await client.get("/registro/otro")
    assert "data-proof-line" not in page.text
    assert 'name="captcha"' in page.text
    work = await client.get("/captcha/prueba", params={"de": challenge_of(page)})
    assert work.status_code == 404
    sent = hidden(page) | FORMS["/registro/otro"] | {"altcha": "e30="}
    assert "Escriba el código de la imagen" in (await client.post("/registro/otro", data=sent)).text


async def test_the_page_for_a_proof_keeps_the_image_for_who_reads_no_scripts(open_client: OpenClient) -> None:
    client = await open_client(captcha="proof")
    page = await client.get("/registro/otro")
    for part in ('name="captcha"', f'src="/captcha/{challenge_of(page)}.png"', "data-proof-line hidden"):
        assert part in page.text
    [script] = re.findall(r'src="(/static/js/proof.js\?v=\w+)"', page.text)
    assert (await client.get(script)).status_code == 200


async def test_work_is_set_for_the_form_on_the_screen(open_client: OpenClient) -> None:
    client = await open_client(captcha="proof", captcha_proof_keys=2)
    page = await client.get("/registro/otro")
    answer = await client.get("/captcha/prueba", params={"de": challenge_of(page)})
    parameters = answer.json()["parameters"]
    assert parameters["algorithm"] == "PBKDF2/SHA-256"
    # The proof answers a challenge of its own, for the same form and visit.
    proven = parameters["data"]["captcha_id"]
    assert proven != challenge_of(page)
    sent = hidden(page) | {"captcha": "7kmxy", "captcha_id": proven}
    assert challenge_of(await client.post("/registro/otro", data=sent)) == proven
    client.cookies.clear()
    assert (await client.get("/captcha/prueba", params={"de": proven})).status_code == 404


@pytest.mark.parametrize("path", FORMS)
async def test_a_proof_for_another_form_or_visit_is_refused(open_client: OpenClient, path: str) -> None:
    client = await open_client(captcha="proof", captcha_proof_keys=2)
    [elsewhere] = FORMS.keys() - {path}
    foreign = await proof_from(client, elsewhere)
    client.cookies.clear()
    stranger = await proof_from(client, path)
    client.cookies.clear()
    for proof in (foreign, stranger, "e30=", "x"):
        page = await client.get(path)
        refused = await client.post(path, data=hidden(page) | FORMS[path] | {"altcha": proof})
        assert refused.status_code == 422
        assert "No se pudo comprobar su navegador; escriba el código de la imagen" in refused.text


async def proof_from(client: httpx2.AsyncClient, path: str) -> str:
    """Do the work that a form's page asks for, as its script does."""
    challenge = challenge_of(await client.get(path))
    work = Challenge.from_dict((await client.get("/captcha/prueba", params={"de": challenge})).json())
    solution = solve_challenge(work)
    assert solution is not None
    return Payload(work, solution).to_base64()
