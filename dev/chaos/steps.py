"""The steps of a registration, each with a way to hold people in its middle."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from dev.chaos.access import (
    appear_and_finish,
    are_asked_again,
    be_suspended,
    sanctioned_under_review,
    unlisted,
    wait_by_choice,
)
from dev.chaos.moving import are_warned, be_told_at_both, moved_under_slow_mail, slow_mail
from dev.chaos.product import Product
from dev.chaos.registrant import Registrant, has_been_asked, newcomers
from dev.chaos.waiting import NO_ANSWER, NotYetError, patiently

_WAITING_FOR_A_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)

Hold = Callable[[Product, list[Registrant]], AbstractAsyncContextManager[None]]
Sign = Callable[[Product, list[Registrant]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A moment at which something can be killed.

    Attributes:
        hold: Keeps people in the middle of this step.
        reached: Returns once all of them are in it.
        before: What people do before the step is held.
        people: Who comes.
        finish: What is left to do after the step.
        completed: How many registrations each person completes.
    """

    name: str
    hold: Hold
    reached: Sign
    before: Callable[[Registrant], Awaitable[object]] | None = None
    people: Callable[[Product, int], Awaitable[list[Registrant]]] = newcomers
    finish: Callable[[Registrant], Awaitable[None]] = Registrant.finish
    completed: int = 1


def _slow(registry: str) -> Hold:
    return lambda product, _people: product.slow_registry(registry)


def _asked(registry: str) -> Sign:
    async def reached(product: Product, people: list[Registrant]) -> None:
        await _until(lambda: has_been_asked(product, registry, people))

    return reached


def _mailed(count: int) -> Sign:
    async def reached(_product: Product, people: list[Registrant]) -> None:
        async def all_have_mail() -> bool:
            return all([len(await person.mails()) >= count for person in people])

        await _until(all_have_mail)

    return reached


@asynccontextmanager
async def _accounts_half_made(product: Product, people: list[Registrant]) -> AsyncIterator[None]:
    """Another transaction inserts the same accounts, and is rolled back later."""
    async with _transaction(product) as connection:
        for person in people:
            await connection.execute(
                "INSERT INTO accounts (id, document_type, document_number, login, given_names, surnames, email) "
                "VALUES ($1, 'CC', $2, $3, '', '', '')",
                uuid.uuid4(),
                person.citizen.number,
                person.citizen.login,
            )
        yield


@asynccontextmanager
async def _accounts_locked(product: Product, people: list[Registrant]) -> AsyncIterator[None]:
    async with _transaction(product) as connection:
        logins = [person.citizen.login for person in people]
        await connection.execute("SELECT 1 FROM accounts WHERE login = ANY($1) FOR UPDATE", logins)
        yield


@asynccontextmanager
async def _transaction(product: Product) -> AsyncIterator[Any]:
    """A transaction that is rolled back, at the latest by the crash of its server."""
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(product.stack.database())
        await connection.execute("BEGIN")
        try:
            yield connection
        finally:
            with suppress(*NO_ANSWER):
                await connection.execute("ROLLBACK")


async def _blocked(product: Product, people: list[Registrant]) -> None:
    async def all_wait() -> bool:
        return await product.count(_WAITING_FOR_A_LOCK) >= len(people)

    await _until(all_wait)


@asynccontextmanager
async def _nothing(_product: Product, _people: list[Registrant]) -> AsyncIterator[None]:
    yield


async def _at_once(_product: Product, _people: list[Registrant]) -> None:
    pass


async def _get_link(person: Registrant) -> None:
    await person.submit()
    await person.wait_for_link()


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async def ask() -> None:
        if not await holds():
            raise NotYetError("not all people are in the step")

    await patiently(ask)


STEPS = (
    Step(name="miseguridadsocial", hold=_slow("miseguridadsocial"), reached=_asked("miseguridadsocial")),
    Step(name="ReTHUS", hold=_slow("rethus"), reached=_asked("rethus")),
    Step(name="crear cuenta", hold=_accounts_half_made, reached=_blocked),
    Step(name="enviar enlace", hold=slow_mail, reached=_mailed(1)),
    Step(name="esperar clave", hold=_nothing, reached=_at_once, before=_get_link),
    Step(name="guardar clave", hold=_accounts_locked, reached=_blocked, before=_get_link),
    Step(name="confirmar", hold=slow_mail, reached=_mailed(2), before=_get_link),
    Step(
        name="esperar ReTHUS",
        hold=_nothing,
        reached=_at_once,
        people=unlisted,
        before=wait_by_choice,
        finish=appear_and_finish,
    ),
    Step(
        name="revisar acceso",
        hold=sanctioned_under_review,
        reached=lambda product, people: _until(lambda: are_asked_again(product, people)),
        before=Registrant.finish,
        finish=be_suspended,
    ),
    Step(
        name="cambiar correo",
        hold=moved_under_slow_mail,
        reached=lambda _product, people: _until(lambda: are_warned(people)),
        before=Registrant.finish,
        finish=be_told_at_both,
        completed=2,
    ),
)
