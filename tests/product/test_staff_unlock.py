"""A member of support whom failed logins keep out, and one who lets them in."""

from mipres.domain.lockout import FREE_FAILURES
from tests.product.conftest import Product
from tests.product.storage import rows
from tests.product.support import REASON, enter, new_staff, officer, post_form

WRONG = "no es la clave de nadie"


async def locked(product: Product) -> str:
    """The name of a member after too many wrong passwords."""
    name = await new_staff(product)
    async with product.browser() as stranger:
        for _ in range(FREE_FAILURES):
            await enter(stranger, name, WRONG)
        assert (await enter(stranger, name)).url.path == "/soporte/ingreso"
    return name


async def unlocking(product: Product, name: str) -> str:
    [found] = await rows(product, "SELECT id FROM staff WHERE name = $1", name)
    return f"/soporte/equipo/{found['id']}/desbloquear"


async def changes(product: Product, name: str) -> list[tuple[str, str | None]]:
    found = await rows(
        product,
        "SELECT actor, reason FROM audit_entries WHERE type = 'staff_changed'"
        " AND details->>'staff' = $1 AND details->>'change' = 'unlocked'",
        name,
    )
    return [(row["actor"], row["reason"]) for row in found]


async def test_another_member_unlocks_a_locked_name_with_a_reason(product: Product) -> None:
    name = await locked(product)
    page = await unlocking(product, name)
    async with officer(product) as (visitor, helper):
        overview = (await visitor.get("/soporte")).text
        assert "Cuentas de soporte bloqueadas" in overview
        assert f"por {FREE_FAILURES} intentos fallidos seguidos, hasta" in overview
        assert page in overview
        asked = await visitor.get(page)
        assert f"{name}, cuenta de soporte" in asked.text
        without = await post_form(visitor, page, page, motivo="")
        assert (without.status_code, without.url.path) == (422, page)
        assert await changes(product, name) == []
        done = await post_form(visitor, page, page, motivo=REASON)
        assert (done.url.path, "Ingreso desbloqueado." in done.text) == ("/soporte", True)
        assert page not in done.text
    assert await changes(product, name) == [(f"staff:{helper}", REASON)]
    async with product.browser() as owner:
        assert (await enter(owner, name)).url.path == "/soporte"


async def test_nobody_unlocks_the_own_name(product: Product) -> None:
    """Who took the session of a member would guess the password on."""
    async with officer(product) as (visitor, name):
        async with product.browser() as stranger:
            for _ in range(FREE_FAILURES):
                await enter(stranger, name, WRONG)
        page = await unlocking(product, name)
        overview = (await visitor.get("/soporte")).text
        assert ("con su propio nombre" in overview, page in overview) == (True, False)
        refused = await post_form(visitor, page, page, motivo=REASON)
        assert "lo desbloquea otra persona de soporte" in refused.text
    assert await changes(product, name) == []


async def test_a_member_who_does_not_exist_has_nothing_to_unlock(product: Product) -> None:
    async with officer(product) as (visitor, _):
        nobody = "/soporte/equipo/00000000-0000-0000-0000-000000000000/desbloquear"
        assert (await visitor.get(nobody)).status_code == 404
