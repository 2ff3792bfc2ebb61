"""A login that somebody hammers at.

Locked like any other, announced by mail, opened by its mailbox.
"""

from tests.product.conftest import PASSWORD, Product, csrf_of
from tests.product.visits import ask_recovery, log_in, login_of, set_password

OTHER_PASSWORD = "Otra-Clave-2027"


async def test_a_lock_shows_nothing_is_told_by_mail_and_recovery_lifts_it(product: Product) -> None:
    person = await product.new_professional()
    unknown = {"document": {"type": "CC", "number": "70999977"}}
    await product.complete(person)
    pages: dict[str, str] = {}
    async with product.browser() as visitor:
        for someone in (person, unknown):
            for _ in range(10):
                answer = await log_in(visitor, someone, OTHER_PASSWORD)
            # The lock began with the tenth; from now on the right password is wrong too.
            answer = await log_in(visitor, someone, PASSWORD)
            assert answer.status_code == 422
            pages[login_of(someone)] = answer.text.replace(login_of(someone), "LOGIN").replace(
                csrf_of(answer), "TOKEN"
            )
        assert len(set(pages.values())) == 1

        async def told() -> bool:
            subjects = [mail["Subject"] for mail in await product.mails_to(person["email"])]
            return subjects.count("MIPRES: bloqueamos por unos minutos el ingreso de su usuario") == 1

        await product.eventually(told)
        await ask_recovery(product, visitor, person["document"])
        link = await product.link_for(person, count=2)
        assert (await set_password(visitor, link, OTHER_PASSWORD)).status_code == 200
        assert (await log_in(visitor, person, OTHER_PASSWORD)).url.path == "/inicio/mipres"
