"""`make attacks` shows what holds, and a defence that is off as broken."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dev.attacks import people, server, support, temporal
from dev.attacks.table import ATTACKS, Attack, Outcome, Result, row, summary, try_attack
from dev.attacks.target import Target, need, open_target

QUICK = (
    temporal.payload_in_clear,
    temporal.activity_by_hand,
    temporal.moved_ciphertext,
    people.two_tabs,
    people.erasure_during_the_check,
    people.borrowed_captcha,
    support.unsafe_production,
    support.invented_trail_row,
    server.two_hosts,
    server.websocket_in_the_log,
    server.endless_headers,
)


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with open_target() as opened:
        yield opened


async def tried(target: Target, *wanted: object) -> dict[str, str]:
    chosen = [attack for attack in ATTACKS if attack.perform in wanted]
    return {attack.perform.__name__: (await try_attack(target, attack)).result for attack in chosen}


@pytest.mark.server
async def test_the_product_holds_and_what_is_off_is_shown(target: Target) -> None:
    assert await tried(target, *QUICK) == {perform.__name__: Result.HELD for perform in QUICK}
    async with target.stack.database() as connection:
        await connection.execute("ALTER TABLE audit_entries DISABLE TRIGGER USER")
    port = await target.stack.start_api(
        "sin límite", "api.main:app", UVICORN_H11_MAX_INCOMPLETE_EVENT_SIZE=2**30
    )
    unbounded = replace(target, api_port=port)
    assert await tried(unbounded, support.invented_trail_row, server.endless_headers) == {
        "invented_trail_row": Result.BROKEN,
        "endless_headers": Result.BROKEN,
    }


async def test_an_attack_that_could_not_be_tried_has_not_been_held() -> None:
    async def hopeless(_target: Target) -> bool:
        need(condition=False, what="no hay registro")
        return True

    attack = Attack(name="imposible", perform=hopeless)
    outcome = await try_attack(None, attack)  # type: ignore[arg-type]
    assert outcome.result is Result.NOT_TRIED
    assert row(outcome).endswith("NotTriedError: no hay registro")
    held = Outcome(attack=attack, result=Result.HELD, seconds=1)
    assert summary([held, outcome]) == "2 ataques: 1 resistidos, 1 no."
