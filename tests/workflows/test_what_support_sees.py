"""What Temporal's interface tells of one workflow.

Asked of the real server, as the interface asks.
"""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mipres.domain.stages import REGISTRIES, Stage, WaitingOn
from mipres.support.desk import Case, SupportDesk
from tests.workflows.conftest import ANA, MEDICINE, PERSON, World, metadata
from workflows import policies
from workflows.details import recovery_details, registration_details
from workflows.publishing import Position

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
RADICADO = "RM-0123456789AB"


def situation(stage: Stage, waiting_on: WaitingOn | None = None, **more: Any) -> str:
    return registration_details(RADICADO, Position(stage=stage, waiting_on=waiting_on, **more), NOON)


# ---- The words


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_says_since_when_and_what_can_be_done(stage: Stage) -> None:
    waiting = WaitingOn.RETHUS if stage is Stage.WAITING_REGISTRY else None
    said = situation(stage, waiting)
    assert "Desde: 2026-11-24 12:00 (hora de Colombia)" in said
    assert re.search(r"\*\*Qué puede hacer soporte\*\*\n\n- \w", said)


@pytest.mark.parametrize("waiting_on", WaitingOn)
def test_whatever_is_waited_for_has_a_name_and_a_remedy(waiting_on: WaitingOn) -> None:
    stage = Stage.WAITING_REGISTRY if waiting_on in REGISTRIES else Stage.AWAITING_PASSWORD
    said = situation(stage, waiting_on, stuck_since=NOON - timedelta(minutes=30))
    assert "Espera a: **" in said
    assert "Atascado desde: 2026-11-24 11:30" in said
    command = "cancel" if waiting_on == WaitingOn.MAIL_ADDRESS else "retry"
    assert f'`python -m mipres.cli {command} {RADICADO} --reason "…"`' in said
    assert ("5 minutos" in said) is (waiting_on != WaitingOn.MAIL_ADDRESS)


def test_what_has_ended_is_not_to_be_retried() -> None:
    said = situation(Stage.EXPIRED, WaitingOn.RETHUS, stuck_since=NOON)
    assert "Quedó sin terminar por: **ReTHUS**" in said
    assert "retry" not in said
    assert "registrarse de nuevo" in said


def test_a_recovery_is_told_too() -> None:
    assert "en curso" in recovery_details(Position(), link_sent=False)
    assert "30 minutos" in recovery_details(Position(), link_sent=True)
    assert "el servidor de correo" in recovery_details(
        Position(waiting_on=WaitingOn.MAIL, stuck_since=NOON), link_sent=False
    )


# ---- The workflow


async def test_a_waiting_registration_explains_itself(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    told = await metadata(handle)
    assert "**Esperando de un registro una respuesta que sirva**" in told.current_details
    assert "Espera a: **ReTHUS**" in told.current_details
    radicado = handle.id.partition("/")[2]
    assert f"python -m mipres.cli retry {radicado} " in told.current_details
    for personal in (ANA.number, PERSON.surnames, PERSON.email):
        assert personal not in told.current_details


# The queries about the one are answered while the other is at work.
@pytest.mark.several_at_once
async def test_every_way_in_is_described_in_spanish(world: World) -> None:
    handle, _ = await world.submit()
    recovery = await world.recover()
    # Both end by themselves; a question in the middle of it can cost the server a task, and ten seconds.
    await asyncio.gather(handle.result(), recovery.result())
    for one in (handle, recovery):
        definition = (await metadata(one)).definition
        ways = [
            *definition.query_definitions,
            *definition.signal_definitions,
            *definition.update_definitions,
        ]
        own = {way.name: way.description for way in ways if not way.name.startswith("__")}
        assert own
        assert [name for name, words in own.items() if not re.match(r"[A-ZÁÉÍÓÚ¿].+\.$", words)] == []
    names = {way.name for way in (await metadata(handle)).definition.update_definitions}
    assert {"first_outcome", "resend_link", "cancel_registration"} <= names


async def test_the_list_of_the_stuck_tells_what_each_one_failed_with(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.passes(handle, policies.STUCK_AFTER + timedelta(minutes=1))
    desk, radicado = SupportDesk(world.env.client, ui_url="http://ui.test"), handle.id.partition("/")[2]
    found: dict[str, Case] = {}

    async def listed() -> bool:
        found.update({case.reference: case for case in await desk.stuck(waiting_on=WaitingOn.RETHUS)})
        return radicado in found

    await world.eventually(listed)
    [error] = found[radicado].errors
    assert "El registro ReTHUS no respondió bien (código HTTP 503)" in error
    assert [case.errors for case in await desk.oldest_waiting() if case.reference == radicado] == [(error,)]
    world.talent.down = False
    await world.cancels(handle)
    await handle.result()


async def test_a_recovery_explains_itself(world: World) -> None:
    world.accounts.down = True
    handle = await world.recover()

    async def explained() -> bool:
        return "**la base de datos**" in (await metadata(handle)).current_details

    await world.eventually(explained)
