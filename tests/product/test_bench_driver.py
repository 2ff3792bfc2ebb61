"""The benchmarks' driver finishes a registration on the real product."""

from bench.logins import login_times
from bench.mailbox import open_mailbox
from bench.pages import page_times
from bench.people import new_professionals
from bench.visits import Driver
from tests.product.conftest import Product


async def test_a_benchmark_s_registration_is_completed(product: Product) -> None:
    ports = product.stack.ports
    [person] = await new_professionals(ports["REGISTRY_PORT"], 1)
    async with open_mailbox(ports["MAIL_UI_PORT"]) as mailbox:
        driver = Driver(ports["API_PORT"], mailbox)
        timed = await driver.register(person)
        driver.close()
    assert 0 < timed.outcome < timed.whole
    # Submitting once more tells that the account is in use.
    again = await product.register(**person.request())
    assert (again.status_code, again.json()["status"]) == (200, "updated")


async def test_the_pages_that_are_measured_exist(product: Product) -> None:
    times = await page_times(product.stack.ports["API_PORT"], repetitions=1)
    assert all(len(measured) == 1 for measured in times.values())


async def test_the_logins_that_are_measured_are_whole(product: Product) -> None:
    async with open_mailbox(product.stack.ports["MAIL_UI_PORT"]) as mailbox:
        times = await login_times(product.stack, mailbox, repetitions=2)
    assert [len(measured) for measured in times.values()] == [2, 2, 2]
