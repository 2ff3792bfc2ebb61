"""Ten stuck cases, which somebody who cannot code finds, understands and acts on.

With PICTURES=1 each explaining page is written into docs/images, for docs/support.md: see pictures.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.citizen import MEDICINE
from mipres.domain.lockout import FREE_FAILURES
from tests.product.browser.accessibility import examine
from tests.product.browser.pictures import photograph
from tests.product.browser.visitor import DESKTOP, Visitor
from tests.product.conftest import Product
from tests.product.storage import rows
from tests.product.support import REASON, STAFF_PASSWORD, new_staff, officer, post_form
from tests.product.visits import log_in, login_of

pytestmark = pytest.mark.browser

OTHER_PASSWORD = "Otra-Clave-2027"
Person = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """One case as support meets it.

    Attributes:
        wanted: What is typed into the search: a radicado or a login.
        explained: Sentences that the page must say.
        mended: What somebody else repairs before support acts.
        act: What support presses.
        result: What the page says then.
        settled: Holds some time after it.
        gone: What is not offered once it is done.
    """

    wanted: str
    explained: tuple[str, ...]
    act: Callable[[Visitor], Awaitable[None]]
    result: str
    mended: Callable[[], Awaitable[None]] | None = None
    settled: Callable[[], Awaitable[object]] | None = None
    gone: str | None = None


# ---- What support presses


def do(action: str) -> Callable[[Visitor], Awaitable[None]]:
    """Choose one thing on the page of a registration."""

    async def press(visitor: Visitor) -> None:
        await visitor.fill(accion=action, motivo=REASON)
        await visitor.press("Hacer")

    return press


async def cancel(visitor: Visitor) -> None:
    await follow(visitor, "Cancelar el registro y deshacerlo")
    assert "No se puede deshacer" in await visitor.said()
    await visitor.fill(motivo=REASON)
    await visitor.press("Cancelar el registro")


def decide(link: str, consequence: str) -> Callable[[Visitor], Awaitable[None]]:
    """Decide on the page of an account, through the page that says what follows."""

    async def press(visitor: Visitor) -> None:
        await follow(visitor, link)
        assert consequence in await visitor.said()
        await examine(visitor, "support-account-confirm")
        await visitor.fill(motivo=REASON)
        await visitor.press("Confirmar")

    return press


async def follow(visitor: Visitor, link: str) -> None:
    async with visitor.page.expect_navigation():
        await visitor.page.get_by_role("link", name=link, exact=True).click()


# ---- The ten cases


async def waiting_for(product: Product, radicado: str, what: str) -> None:
    async def waits() -> bool:
        return what in (await product.view(radicado))["waiting_on"]

    await product.eventually(waits)


async def answered_by_rethus(product: Product, answer: dict[str, Any], explained: tuple[str, ...]) -> Stuck:
    """A person of whom ReTHUS alone gives no answer that can be used."""
    person = await product.new_professional()
    document = person["document"]
    path = f"/profesionales/{document['type']}/{document['number']}"
    ordered = await product.registries.put("/_control/raw/rethus", json={"path": path, **answer})
    assert ordered.is_success, ordered.text
    radicado = (await product.register_professional(person)).json()["radicado"]
    await waiting_for(product, radicado, "rethus")

    async def mended() -> None:
        await product.registries.delete("/_control/raw/rethus", params={"path": path})

    return Stuck(
        wanted=radicado,
        explained=explained,
        mended=mended,
        act=do("reintentar"),
        result="Reintento pedido",
        settled=lambda: product.link_for(person),
    )


async def registry_down(product: Product) -> Stuck:
    words = (
        "Esperando de un registro una respuesta que sirva",
        "avise a la entidad que opera ReTHUS",
        "El registro ReTHUS no respondió bien (código HTTP 503)",
    )
    return await answered_by_rethus(product, {"status": 503}, words)


async def impossible_answer(product: Product) -> Stuck:
    body = {
        "professions": [MEDICINE],
        "sanctions": [{"authority": "Tribunal", "kind": "Suspensión", "start": "ayer"}],
    }
    words = ("sanctions[0].start: no es una fecha", "avise a la entidad que opera ReTHUS")
    return await answered_by_rethus(product, {"body": body}, words)


async def refused_by_mail(product: Product, reply: str, what: str) -> tuple[Person, str]:
    """A person whose address alone the mail server does not take."""
    person = await product.new_professional()
    script = {"mode": "script", "rcpt": reply, "only": person["email"]}
    assert (await product.mail.put("/_control", json=script)).is_success
    radicado = (await product.register_professional(person)).json()["radicado"]
    await waiting_for(product, radicado, what)
    return person, radicado


async def both_mails(product: Product) -> tuple[Stuck, Stuck]:
    """The two of the mail server, one after the other: it obeys one script at a time."""
    wrong, of_wrong = await refused_by_mail(product, "550 5.1.1 no such user", "mail_address")
    away, of_away = await refused_by_mail(product, "451 4.3.0 try later", "mail")
    right = wrong | {"email": f"bien.{wrong['email']}"}

    async def corrected() -> None:
        answer = await product.registries.post("/_control/people", json=[right])
        assert answer.is_success, answer.text

    async def back() -> None:
        await product.mail.put("/_control", json={"mode": "up"})

    return (
        Stuck(
            wanted=of_wrong,
            explained=(
                "El servidor rechazó la dirección de la persona",
                "corrija su correo en miseguridadsocial",
            ),
            mended=corrected,
            act=do("reenviar"),
            result="Enlace pedido",
            settled=lambda: product.link_for(right),
        ),
        Stuck(
            wanted=of_away,
            explained=("El servidor de correo no recibe", "Avise a operaciones"),
            mended=back,
            act=do("reintentar"),
            result="Reintento pedido",
            settled=lambda: product.link_for(away),
        ),
    )


async def expired_link(product: Product) -> Stuck:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await product.link_for(person)
    past = datetime.now(UTC) - timedelta(minutes=1)
    await rows(product, "UPDATE password_links SET expires_at = $1 WHERE reference = $2", past, radicado)
    return Stuck(
        wanted=radicado,
        # The mail of before is minutes old: the page says from when another one may go, and offers none before.
        explained=(
            "falta que la persona cree la contraseña",
            "El enlace enviado ya venció: envíe otro",
            "Otro enlace se puede enviar desde",
        ),
        act=do("mostrar"),
        result=person["email"],
        gone="Enviar otro enlace",
    )


async def locked_login(product: Product) -> Stuck:
    person = await product.new_professional()
    await product.complete(person)
    async with product.browser() as stranger:
        for _ in range(FREE_FAILURES):
            await log_in(stranger, person, OTHER_PASSWORD)

    async def enters() -> None:
        async with product.browser() as owner:
            assert (await log_in(owner, person)).url.path == "/inicio/mipres"

    return Stuck(
        wanted=login_of(person),
        explained=(f"Bloqueado por {FREE_FAILURES} intentos fallidos seguidos, hasta",),
        act=decide("Desbloquear el ingreso", "se vuelve a comprobar su contraseña"),
        result="Ingreso desbloqueado.",
        settled=enters,
        gone="Desbloquear el ingreso",
    )


async def suspended_account(product: Product) -> Stuck:
    person = await product.new_professional()
    await product.complete(person)
    number = (await account_of(product, person))["id"]
    asking = f"/soporte/cuenta/{number}/suspender"
    async with officer(product) as (desk, _):
        done = await post_form(desk, asking, asking, motivo=REASON)
        assert "Acceso suspendido." in done.text
    return Stuck(
        wanted=login_of(person),
        explained=("cuenta suspendida", "suspendida desde"),
        act=decide("Abrir otra vez el acceso", "La persona puede ingresar otra vez"),
        result="Acceso abierto otra vez.",
        gone="Abrir otra vez el acceso",
    )


async def waiting_by_choice(product: Product) -> Stuck:
    person = await product.new_person()
    body = {"document": person["document"], "professional_registration": "76-1234", "wait_for_registry": True}
    radicado = (await product.register(user_type="professional", **body)).json()["radicado"]
    await product.reaches(radicado, "watching")
    return Stuck(
        wanted=radicado,
        explained=("No está atascado: la persona pidió esperar", "una vez al día"),
        act=cancel,
        result="Registro cancelado y deshecho.",
        gone="Cancelar el registro y deshacerlo",
    )


async def refused(product: Product) -> Stuck:
    person = await product.new_person()
    assert (await product.register_professional(person)).status_code == 422
    [found] = await rows(
        product,
        "SELECT reference FROM audit_entries WHERE type = 'registration_refused' ORDER BY number DESC LIMIT 1",
    )
    return Stuck(
        wanted=found["reference"],
        explained=(
            "Profesional no encontrado en RETHUS",
            "Buscamos en ReTHUS este tipo y número de identificación",
            "A la persona se le dice:",
        ),
        act=do("mostrar"),
        result="Los datos de la persona se muestran mientras dure esta sesión",
        gone="Cancelar el registro y deshacerlo",
    )


async def address_that_waits(product: Product) -> Stuck:
    person = await product.new_professional()
    await product.complete(person)
    new = f"nuevo.{person['email']}"
    await product.registries.post("/_control/people", json=[person | {"email": new}])
    assert (await product.register_professional(person)).json()["status"] == "updated"

    async def warned() -> bool:
        return "NO FUI YO" in (await product.mails_to(person["email"]))[-1]["HTML"]

    await product.eventually(warned)
    return Stuck(
        wanted=login_of(person),
        explained=("Otro correo que espera", "si la persona no lo detiene desde el correo anterior"),
        act=decide("Suspender el acceso", "hasta que soporte lo vuelva a abrir"),
        result="Acceso suspendido.",
        gone="Suspender el acceso",
    )


async def account_of(product: Product, person: Person) -> Any:
    [found] = await rows(product, "SELECT id FROM accounts WHERE login = $1", login_of(person))
    return found


async def prepared(product: Product) -> list[Stuck]:
    """All ten, made side by side."""
    mails, *others = await asyncio.gather(
        both_mails(product),
        asyncio.gather(registry_down(product), impossible_answer(product)),
        asyncio.gather(expired_link(product), locked_login(product), suspended_account(product)),
        asyncio.gather(waiting_by_choice(product), refused(product), address_that_waits(product)),
    )
    registries, *rest = others
    return [*registries, *mails, *(case for group in rest for case in group)]


# ---- Support at work


async def enter(visitor: Visitor, product: Product) -> None:
    await visitor.open("/soporte/ingreso")
    await visitor.fill(nombre=await new_staff(product), contrasena=STAFF_PASSWORD)
    await visitor.press("Ingresar")


async def find(visitor: Visitor, case: Stuck) -> None:
    await visitor.open("/soporte")
    await visitor.fill(radicado=case.wanted)
    await visitor.press("Buscar")
    if not case.wanted.startswith("RM-"):
        await follow(visitor, "Ver y decidir su acceso")
        await examine(visitor, "support-account")


async def test_support_finds_explains_and_acts_on_ten_stuck_cases(visitor: Visitor, product: Product) -> None:
    try:
        cases, _ = await asyncio.gather(prepared(product), enter(visitor, product))
        for number, case in enumerate(cases, 1):
            await find(visitor, case)
            said = await visitor.said()
            assert [words for words in case.explained if words not in said] == [], f"case {number}: {said}"
            await visitor.page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
            await photograph(visitor.page, f"support-case-{number}")
            if case.mended:
                await case.mended()
            await case.act(visitor)
            said = await visitor.said()
            assert case.result in said, f"case {number}: {said}"
            assert case.gone is None or case.gone not in said, f"case {number}: {said}"
            if case.settled:
                await case.settled()
        await follow(visitor, "Unir a la cuenta del documento nuevo")
        await examine(visitor, "support-join-login")
        await visitor.open("/soporte/revision")
        await examine(visitor, "support-review")
    finally:
        await product.mail.put("/_control", json={"mode": "up"})
        await product.registries.delete("/_control/raw/rethus")
