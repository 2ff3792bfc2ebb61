"""Every limit as people and programs meet it, over a real database."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from unittest.mock import AsyncMock

import httpx2
import pytest
import starlette.requests
from fastapi import FastAPI, Response

from api.answers import FormAnswers
from api.errors import in_words
from api.registrations.act import RegistrationActs, TooSoonError
from api.registrations.ask import RegistrationView, RegistrationViews
from api.registrations.recover import RecoveryStarter
from api.registrations.start import RegistrationStarter
from mipres.database.engine import create_engine
from mipres.database.limits import PostgresLimits
from mipres.domain import limits
from mipres.domain.limits import Limit
from mipres.domain.stages import Stage
from mipres.support.staff import guarded
from mipres.temporal.answers import TemporalUnavailableError, UpdatesSpentError
from tests.api.conftest import API_KEY, STAFF_NAME, way_back
from tests.fakes import FakeClock

KEY = {"Authorization": f"Bearer {API_KEY}"}
ELSEWHERE = "198.51.100.9"


class Visitor:
    """Sends forms as a browser does, from whatever address."""

    def __init__(self, app: FastAPI, client: httpx2.AsyncClient) -> None:
        self.app = app
        self.client = client
        self._token = ""

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.client.get(path, headers={key.replace("_", "-"): headers[key] for key in headers})

    async def post(self, path: str, _from: str | None = None, **fields: str) -> httpx2.Response:
        if not self._token:
            found = re.search(r'name="csrf_token" value="([^"]+)"', (await self.client.get("/")).text)
            form = found or re.search(
                r'name="csrf_token" value="([^"]+)"', (await self.client.get("/ingreso/mipres")).text
            )
            assert form
            self._token = form.group(1)
        headers = {"X-Forwarded-For": _from} if _from else {}
        return await self.client.post(path, data={"csrf_token": self._token, **fields}, headers=headers)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def visitor(
    make_app: Callable[..., FastAPI], database_url: str, clock: FakeClock
) -> AsyncIterator[Visitor]:
    """A visitor whose requests come from a trusted proxy."""
    app = make_app(database_url=database_url, trusted_proxies="127.0.0.1")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        engine = create_engine(database_url)
        stack.push_async_callback(engine.dispose)
        counted = PostgresLimits(engine, key=b"k" * 32, clock=clock)
        app.state.services.protection.throttle.limits = counted
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://mipres.test", follow_redirects=True
        )
        yield Visitor(app, await stack.enter_async_context(client))


Request = Callable[[Visitor], Awaitable[httpx2.Response]]


async def submit(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/registro/profesional", numero_documento="x")


async def submit_from_elsewhere(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/registro/profesional", _from=ELSEWHERE)


async def log_in(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/ingreso/mipres", usuario="", contrasena="x")


async def log_in_at_one_account(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/ingreso/mipres", usuario="CC1020304050", contrasena="x")


async def log_in_as_support(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/soporte/ingreso", nombre=STAFF_NAME, contrasena="x")


async def open_wrong_link(visitor: Visitor) -> httpx2.Response:
    return await visitor.get("/contrasena/" + "A" * 64)


async def set_password(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/contrasena", contrasena="x")


async def recover(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/contrasena/recuperar", numero_documento="x")


async def recover_one_document(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/contrasena/recuperar", tipo_documento="CC", numero_documento="1020304050")


async def take_captcha(visitor: Visitor) -> httpx2.Response:
    return await visitor.get("/captcha")


async def take_picture(visitor: Visitor) -> httpx2.Response:
    return await visitor.get("/captcha/x.png")


async def resend(visitor: Visitor) -> httpx2.Response:
    return await visitor.post("/registro/estado/x/reenviar")


async def call_api(visitor: Visitor) -> httpx2.Response:
    return await visitor.client.get("/api/v1/registrations/x", headers=KEY)


async def call_api_without_key(visitor: Visitor) -> httpx2.Response:
    return await visitor.client.get("/api/v1/registrations/x")


@pytest.mark.parametrize(
    ("limit", "request_", "usual"),
    [
        (limits.SUBMISSIONS, submit, 422),
        (limits.LOGINS, log_in, 422),
        (limits.ACCOUNT_LOGINS, log_in_at_one_account, 422),
        (limits.WRONG_LINKS, open_wrong_link, 404),
        (limits.PASSWORDS, set_password, 404),
        (limits.RECOVERY_FORMS, recover, 422),
        (limits.CAPTCHAS, take_captcha, 404),
        (limits.CAPTCHAS, take_picture, 404),
        (limits.RESENDS, resend, 404),
        (limits.WRONG_KEYS, call_api_without_key, 401),
    ],
    ids=lambda value: getattr(value, "name", None) or getattr(value, "__name__", str(value)),
)
async def test_beyond_the_limit_people_are_told_how_long_to_wait(
    visitor: Visitor, clock: FakeClock, limit: Limit, request_: Request, usual: int
) -> None:
    for _ in range(limit.most):
        assert (await request_(visitor)).status_code == usual
    refused = await request_(visitor)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) == limit.window.total_seconds()
    assert "Demasiados intentos seguidos" in refused.text
    assert in_words(int(limit.window.total_seconds())) in refused.text
    clock.advance(limit.window)
    assert (await request_(visitor)).status_code == usual


async def test_what_was_typed_outlives_the_limit_and_secrets_do_not(
    visitor: Visitor, clock: FakeClock
) -> None:
    for _ in range(limits.SUBMISSIONS.most + 1):
        refused = await visitor.post("/registro/profesional", numero_documento='7"7', captcha="ABCDE")
    # Looking at the form again sends nothing, so no limit keeps a person from it.
    form = await visitor.client.get(way_back(refused))
    assert (form.url.path, form.status_code) == ("/registro/profesional", 200)
    assert 'value="7&#34;7"' in form.text
    assert "ABCDE" not in form.text
    clock.advance(limits.SUBMISSIONS.window)
    for _ in range(limits.LOGINS.most + 1):
        locked = await visitor.post("/ingreso/mipres", usuario="CC70999", contrasena="Secreta-1")
    back = await visitor.client.get(way_back(locked))
    assert 'value="CC70999"' in back.text
    assert "menos las contraseñas y el código de la imagen" in locked.text
    assert "Secreta" not in locked.text + back.text


async def test_a_foreign_form_is_not_repeated_beyond_the_limit(visitor: Visitor) -> None:
    for _ in range(limits.SUBMISSIONS.most + 1):
        refused = await visitor.post("/registro/profesional", csrf_token="x", numero_documento="70999")
    assert refused.status_code == 429
    assert "70999" not in refused.text


async def test_the_json_api_counts_by_key_and_answers_with_a_problem(
    visitor: Visitor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(limits.API_CALLS, most=3)
    monkeypatch.setattr("api.protection.API_CALLS", few)
    for _ in range(few.most):
        assert (await call_api(visitor)).status_code == 404
    refused = await call_api(visitor)
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "60")
    clock.advance(few.window)
    assert (await call_api(visitor)).status_code == 404


async def test_a_stranger_does_not_use_up_the_forms_of_a_document(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pages.registration.DOCUMENT_SUBMISSIONS", replace(limits.RESENDS, most=1))
    starts = AsyncMock(side_effect=TemporalUnavailableError("away"))
    monkeypatch.setattr(RegistrationStarter, "accept", starts)
    form = {"tipo_documento": "CC", "numero_documento": "1020304050", "acepta_datos": "SI"}
    answers = [
        await visitor.post("/registro/otro", _from=f"198.51.100.{number}", **form) for number in (1, 2)
    ]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert [call.kwargs["is_quiet"] for call in starts.await_args_list] == [True]


async def test_a_stranger_does_not_use_up_the_recoveries_of_a_document(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovers = AsyncMock()
    monkeypatch.setattr(RecoveryStarter, "recover_password", recovers)
    most = limits.DOCUMENT_RECOVERIES.most
    answers = [await recover_one_document(visitor) for _ in range(most + 2)]
    assert {answer.status_code for answer in answers} == {202}
    assert [call.kwargs["is_quiet"] for call in recovers.await_args_list] == [False] * most + [True] * 2


async def test_a_form_that_asks_for_nothing_spends_no_recovery(
    visitor: Visitor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of people of a telephone company share one address."""
    monkeypatch.setattr(RecoveryStarter, "recover_password", AsyncMock())

    async def answers(request_: Request, times: int) -> list[int]:
        found = []
        for _ in range(times):
            clock.advance(limits.SUBMISSIONS.window)
            found.append((await request_(visitor)).status_code)
        return found

    most = limits.RECOVERIES.most
    assert set(await answers(recover, most + 1)) == {422}
    assert await answers(recover_one_document, most + 1) == [202] * most + [429]


async def test_others_at_the_same_address_keep_nobody_from_stopping_a_change(visitor: Visitor) -> None:
    for _ in range(limits.RESENDS.most + 1):
        spent = await resend(visitor)
    assert spent.status_code == 429
    # Without its link there is nothing to stop, and no limit either.
    assert (await visitor.post("/no-fui-yo", cambio="x")).status_code == 422


async def test_a_program_is_told_the_limit_of_a_document_and_the_way_on(
    visitor: Visitor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(limits.DOCUMENT_SUBMISSIONS, most=1)
    monkeypatch.setattr("api.v1.registrations.DOCUMENT_SUBMISSIONS", few)
    body = {"user_type": "other", "data_terms_accepted": True}

    async def submit_document(number: str) -> httpx2.Response:
        document = {"type": "CC", "number": number}
        return await visitor.client.post(
            "/api/v1/registrations", json=body | {"document": document}, headers=KEY
        )

    assert (await submit_document("1020304050")).status_code == 503
    refused = await submit_document("1020304050")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == str(24 * 60 * 60)
    assert refused.json()["title"] == "Este documento ya se envió demasiadas veces hoy"
    assert refused.json()["detail"] == (
        "Consulte el registro con su radicado. Podrá enviarlo otra vez en 24 horas."
    )
    assert (await submit_document("1020304051")).status_code == 503
    clock.advance(few.window)
    assert (await submit_document("1020304050")).status_code == 503


@pytest.mark.parametrize(
    ("error", "said", "wait"),
    [
        (UpdatesSpentError("full"), "Este registro recibió demasiadas solicitudes", 3600),
        (TooSoonError(7200, limit="Ya se enviaron los enlaces de un día"), "los enlaces de un día", 7200),
    ],
)
async def test_whoever_asks_for_another_link_reads_which_limit_holds(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, wait: int
) -> None:
    async def view(_self: RegistrationViews, radicado: str) -> RegistrationView:
        return RegistrationView(
            radicado=radicado,
            user_type=None,
            stage=Stage.AWAITING_PASSWORD,
            waiting_on=(),
            submitted_at=FakeClock().now(),
            updated_at=FakeClock().now(),
            outcome=None,
        )

    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(RegistrationViews, "view", view)
    monkeypatch.setattr(RegistrationActs, "resend_link", refuse)
    radicado = "RM-" + "0" * 12
    told = await visitor.client.post(f"/api/v1/registrations/{radicado}/resend-link", headers=KEY)
    assert (told.status_code, told.headers["retry-after"]) == (429, str(wait))
    page = await visitor.post(f"/registro/estado/{radicado}/reenviar")
    for answer in (told, page):
        assert said in answer.text
        assert in_words(wait) in answer.text
    # Loaded again, the page says what is left by then.
    passed, now = timedelta(minutes=10), FormAnswers.now
    monkeypatch.setattr(FormAnswers, "now", lambda answers: now(answers) + passed)
    later = await visitor.client.get(str(page.url))
    assert said in later.text
    assert in_words(wait - int(passed.total_seconds())) in later.text
    assert in_words(wait) not in later.text


async def test_a_program_asks_for_a_bounded_number_of_links(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(_self: RegistrationViews, _radicado: str) -> None:
        return None

    async def accept(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr("api.v1.registrations.get_registration", found)
    monkeypatch.setattr(RegistrationActs, "resend_link", accept)

    async def resend_by_program(radicado: str) -> httpx2.Response:
        return await visitor.client.post(f"/api/v1/registrations/{radicado}/resend-link", headers=KEY)

    answers = [await resend_by_program("RM-" + "0" * 12) for _ in range(limits.RESENDS.most + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {202}
    assert answers[-1].status_code == 429
    assert answers[-1].json()["title"] == "Se pidieron demasiados enlaces de este registro"
    assert answers[-1].json()["detail"] == "Podrá pedir otro en 10 minutos."
    assert (await resend_by_program("RM-" + "1" * 12)).status_code == 202


async def test_one_client_does_not_use_up_what_another_has(visitor: Visitor) -> None:
    for _ in range(limits.SUBMISSIONS.most + 1):
        last = await submit(visitor)
    assert last.status_code == 429
    assert (await submit_from_elsewhere(visitor)).status_code == 422


@pytest.mark.parametrize(
    "request_",
    [submit, log_in, recover, set_password, take_captcha, take_picture],
    ids=lambda value: value.__name__,
)
@pytest.mark.parametrize(
    "sign", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}], ids=str
)
async def test_another_site_spends_nothing_of_the_people_who_look_at_it(
    visitor: Visitor, request_: Request, sign: Mapping[str, str]
) -> None:
    usual = (await request_(visitor)).status_code
    visitor.client.headers.update(sign)
    answers = {(await request_(visitor)).status_code for _ in range(limits.CAPTCHAS.most + 1)}
    assert answers == {403}
    for header in sign:
        del visitor.client.headers[header]
    assert (await request_(visitor)).status_code == usual


@pytest.mark.parametrize(
    ("request_", "login"),
    [(log_in_at_one_account, "CC1020304050"), (log_in_as_support, guarded(STAFF_NAME))],
    ids=["citizen", "support"],
)
async def test_others_at_the_same_address_do_not_use_up_the_logins_of_a_known_browser(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, request_: Request, login: str
) -> None:
    """A hospital's people share one address, and support's office too."""
    most = limits.ACCOUNT_LOGINS.most
    monkeypatch.setattr("api.pages.support.STAFF_LOGINS", replace(limits.STAFF_LOGINS, most=most))
    used_up = [422] * most + [429]
    assert [(await request_(visitor)).status_code for _ in used_up] == used_up
    proven, browser = Response(), starlette.requests.Request({"type": "http", "headers": []})
    visitor.app.state.services.login.devices.remember(browser, proven, login)
    name, _, value = proven.headers["set-cookie"].partition(";")[0].partition("=")
    visitor.client.cookies.set(name, value)
    assert [(await request_(visitor)).status_code for _ in used_up] == used_up


async def test_a_forged_address_makes_no_new_client(visitor: Visitor) -> None:
    for number in range(limits.SUBMISSIONS.most + 1):
        forged = f"203.0.113.{number}, {ELSEWHERE}"
        last = await visitor.post("/registro/profesional", _from=forged)
    assert last.status_code == 429


async def test_without_the_database_nobody_is_refused_for_it(
    make_app: Callable[..., FastAPI],
) -> None:
    app = make_app()
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://mipres.test") as client:
            assert (await client.get("/api/v1/registrations/x", headers=KEY)).status_code == 404
            assert (await client.get("/captcha")).status_code == 404


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 segundo"),
        (60, "60 segundos"),
        (61, "2 minutos"),
        (3600, "60 minutos"),
        (7201, "3 horas"),
        (86_400, "24 horas"),
    ],
)
def test_how_long_to_wait_in_words(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


def test_a_limit_lasts_no_longer_than_a_day() -> None:
    found = [limit for limit in vars(limits).values() if isinstance(limit, Limit)]
    assert max(limit.window for limit in found) <= timedelta(days=1)
