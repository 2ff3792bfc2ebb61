"""A lost second factor: support asks, the person hears of it, and can stop it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from mipres.temporal.names import ACCESS_NOTICES_ID, RESET_CLOSED, factor_reset_workflow_id
from tests.product.conftest import Product, csrf_of
from tests.product.storage import rows, with_the_keys
from tests.product.support import REASON, officer, post_form
from tests.product.test_own_account import ready
from tests.product.test_second_factor import set_up
from tests.product.visits import log_in, login_of

LINK = re.compile(r"/no-fui-yo/([\w-]+)")
PENDING = "Pidieron quitarlo"


async def account_page(product: Product, person: dict[str, Any]) -> str:
    [row] = await rows(product, "SELECT id FROM accounts WHERE login = $1", login_of(person))
    return f"/soporte/cuenta/{row['id']}"


async def ask(visitor: httpx2.AsyncClient, page: str) -> httpx2.Response:
    action = f"{page}/restablecer-segundo-factor"
    return await post_form(visitor, action, action, motivo=REASON)


async def noticed(product: Product, person: dict[str, Any]) -> str:
    """The token of the newest notice."""
    found: list[str] = []

    async def arrived() -> bool:
        mails = await product.mails_to(person["email"])
        found[:] = [token for mail in mails for token in LINK.findall(mail["Text"])]
        return bool(found)

    await product.eventually(arrived)
    return found[-1]


async def test_support_asks_and_the_person_stops_it(product: Product) -> None:
    async with product.browser() as visitor, officer(product) as (desk, name), product.browser() as mailbox:
        person = await ready(product, visitor)
        page = await account_page(product, person)
        assert "Quitar el segundo factor" not in (await desk.get(page)).text
        await set_up(visitor)
        done = await ask(desk, page)
        assert "Restablecimiento pedido" in done.text
        assert PENDING in done.text
        token = await noticed(product, person)

        # The mail is there a moment before the product has noted it.
        async def waits() -> bool:
            return "si la persona no lo detiene desde su correo" in (await desk.get(page)).text

        await product.eventually(waits)
        again = await ask(desk, page)
        assert (again.status_code, "Ya hay un restablecimiento pendiente" in again.text) == (422, True)

        opened = await mailbox.get(f"/no-fui-yo/{token}")
        named = re.search(r'name="cambio" value="([^"]+)"', opened.text)
        assert named
        assert token not in opened.text
        sent = {"csrf_token": csrf_of(opened), "cambio": named.group(1)}
        assert (await mailbox.post("/no-fui-yo", data=sent | {"cambio": "x"})).status_code == 422
        stopped = await mailbox.post("/no-fui-yo", data=sent)
        assert "Su segundo factor queda como está" in stopped.text
        assert "Soporte ya está avisado" in stopped.text
        assert PENDING not in (await desk.get(page)).text
        trail = await rows(
            product,
            "SELECT type, actor, reason FROM audit_entries WHERE type LIKE 'factor_reset_%'"
            " AND person = (SELECT person FROM audit_entries WHERE actor = $1 AND type = 'factor_reset_asked')"
            " ORDER BY number",
            f"staff:{name}",
        )
    assert [tuple(row) for row in trail] == [
        ("factor_reset_asked", f"staff:{name}", REASON),
        ("factor_reset_stopped", "citizen", None),
    ]


async def test_after_its_time_the_password_is_enough_and_the_person_hears_of_it(product: Product) -> None:
    async with product.browser() as visitor, officer(product) as (desk, _), product.browser() as elsewhere:
        person = await ready(product, visitor)
        page = await account_page(product, person)
        await set_up(visitor)
        await ask(desk, page)
        await noticed(product, person)

        async def waits() -> bool:
            return "se quita" in (await desk.get(page)).text

        await product.eventually(waits)
        [row] = await rows(
            product,
            "UPDATE factor_resets SET takes_effect_at = $1 FROM accounts a WHERE a.id = account_id"
            " AND login = $2 RETURNING factor_resets.id",
            datetime.now(UTC) - timedelta(seconds=1),
            login_of(person),
        )
        client = await with_the_keys(product)
        await client.get_workflow_handle(factor_reset_workflow_id(row["id"])).signal(RESET_CLOSED)

        async def gone() -> bool:
            return "sin configurar" in (await desk.get(page)).text

        await product.eventually(gone)
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        assert (await log_in(elsewhere, person)).url.path == "/inicio/mipres"

        async def mailed() -> bool:
            mails = await product.mails_to(person["email"])
            done = "Soporte quitó el segundo factor de su cuenta"
            found[:] = [mail for mail in mails if done in mail["Text"]]
            return bool(found)

        found: list[dict[str, Any]] = []
        await client.get_schedule_handle(ACCESS_NOTICES_ID).trigger()
        await product.eventually(mailed)
        assert "cambie la contraseña y avise a la mesa de ayuda" in found[0]["Text"]
        assert LINK.search(found[0]["Text"]) is None, "what is done is not stopped by a link"


async def test_support_cancels_what_it_asked_for(product: Product) -> None:
    async with product.browser() as visitor, officer(product) as (desk, _):
        person = await ready(product, visitor)
        page = await account_page(product, person)
        await set_up(visitor)
        await ask(desk, page)
        token = await noticed(product, person)
        action = f"{page}/cancelar-restablecimiento"
        cancelled = await post_form(desk, action, action, motivo=REASON)
        assert "Restablecimiento cancelado" in cancelled.text
        gone = await visitor.get(f"/no-fui-yo/{token}")
        assert (gone.status_code, "Ya no se va a quitar" in gone.text) == (410, True)
        again = await post_form(desk, page, action, motivo=REASON)
        assert (again.status_code, "No hay ningún restablecimiento" in again.text) == (422, True)
