"""What support sees and does in Temporal, asked of the real server."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
)
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mipres.domain.radicado import is_reference
from mipres.domain.stages import EngineState, Stage, WaitingOn
from mipres.support import desk as desk_module
from mipres.support.desk import PAUSED, Action, ActionRefusedError, ActionUnansweredError, Case, SupportDesk
from mipres.temporal import names
from mipres.temporal.answers import UnknownWorkflowError
from mipres.temporal.codec import Fault
from mipres.temporal.connection import data_converter
from mipres.temporal.trust import UNTRUSTED_PAYLOAD, refusal_of
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from tests.support.conftest import UI, eventually
from tests.support.registrations import (
    NOT_SERVED,
    REASON,
    DiscardedTask,
    new_radicado,
    start,
    tasks_to_discard,
)

LONG_AGO = datetime(2026, 11, 20, tzinfo=UTC)


def references(cases: list[Case]) -> list[str]:
    return [case.reference for case in cases]


# ---- Looking


async def test_a_case_shows_what_the_registration_published(client: Client, desk: SupportDesk) -> None:
    radicado = new_radicado()
    handle = await start(
        client,
        radicado,
        queue=NOT_SERVED,
        stage=Stage.WAITING_REGISTRY,
        waiting_on=WaitingOn.RETHUS,
        stuck_since=LONG_AGO,
    )
    case = await desk.case(radicado)
    assert (case.reference, case.status, case.stage) == (
        radicado,
        EngineState.RUNNING,
        Stage.WAITING_REGISTRY,
    )
    assert (case.waiting_on, case.stuck_since, case.user_type) == (
        (WaitingOn.RETHUS,),
        LONG_AGO,
        "professional",
    )
    assert case.is_running
    assert case.closed_at is None
    assert case.started_at.tzinfo is not None
    assert case.state == "esperando un registro"
    assert (
        case.ui_url == f"{UI}/namespaces/default/workflows/registration%2F{radicado}" == desk.url_of(radicado)
    )
    await handle.terminate("prueba")


async def test_an_unknown_radicado_is_unknown(desk: SupportDesk) -> None:
    with pytest.raises(UnknownWorkflowError):
        await desk.case(new_radicado())
    assert await desk.cases([new_radicado()]) == []


async def test_what_a_stranger_starts_does_not_hide_the_registrations(
    client: Client, desk: SupportDesk
) -> None:
    """With reach to Temporal anybody chooses ids and words."""
    stranger = Client(client.service_client, namespace=client.namespace)
    own, disguised = new_radicado(), new_radicado()
    handles = [await start(client, own, queue=NOT_SERVED, waiting_on=WaitingOn.RETHUS, stuck_since=LONG_AGO)]
    for workflow_id in ("x", "registration/CC1020304050", f"lock-notice/{own}", f"registration/{disguised}"):
        attributes: list[SearchAttributePair[Any]] = [
            SearchAttributePair(names.REGISTRATION_STAGE, "unheard-of"),
            SearchAttributePair(names.USER_TYPE, "unheard-of"),
            SearchAttributePair(names.WAITING_ON, ["unheard-of", WaitingOn.SSO.value]),
            SearchAttributePair(names.STUCK_SINCE, LONG_AGO),
        ]
        handles.append(
            await stranger.start_workflow(
                "Registration",
                "in clear",
                id=workflow_id,
                task_queue=NOT_SERVED,
                search_attributes=TypedSearchAttributes(attributes),
            )
        )

    async def listed() -> bool:
        lists = (await desk.stuck(limit=1000), await desk.oldest_waiting(limit=1000))
        newest = await desk.newest(names.RUNNING, limit=1000)
        assert all(is_reference(reference) for reference in references([*lists[0], *lists[1], *newest]))
        return all({own, disguised} <= set(references(cases)) for cases in (*lists, newest))

    await eventually(listed)
    case = await desk.case(disguised)
    assert (case.stage, case.user_type, case.waiting_on) == (None, None, (WaitingOn.SSO,))
    for handle in handles:
        await handle.terminate("prueba")


@workflow.defn(name="Registration")
class AskingRegistration:
    """Waits for an activity on a queue that the product does not serve in a test."""

    @workflow.run
    async def run(self, queue: str) -> None:
        await workflow.execute_activity(
            "forged",
            task_queue=queue,
            start_to_close_timeout=timedelta(minutes=1),
            activity_id="consultar-rethus",
        )


@activity.defn
async def forged() -> None:
    raise ApplicationError("llame al 601 000 0000", {"in": "clear"}, next_retry_delay=timedelta(hours=1))


@pytest.mark.parametrize("form", [DefaultFailureConverter, DefaultFailureConverterWithEncodedAttributes])
async def test_what_a_stranger_says_of_a_step_is_not_shown_and_hides_nothing(
    client: Client, form: type[DefaultFailureConverter]
) -> None:
    """With reach to Temporal anybody takes a step from its queue, and fails it."""
    keys = data_converter(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY)
    owner = Client(client.service_client, namespace=client.namespace, data_converter=keys)
    unsealed = DataConverter(failure_converter_class=form)
    stranger = Client(client.service_client, namespace=client.namespace, data_converter=unsealed)
    radicado, queue, theirs = new_radicado(), f"asking-{uuid.uuid4()}", f"theirs-{uuid.uuid4()}"
    desk, runner = SupportDesk(owner, ui_url=UI), UnsandboxedWorkflowRunner()
    serving = Worker(client, task_queue=queue, workflows=[AskingRegistration], workflow_runner=runner)
    async with serving, Worker(stranger, task_queue=theirs, activities=[forged]):
        handle = await client.start_workflow(
            AskingRegistration.run, theirs, id=names.registration_workflow_id(radicado), task_queue=queue
        )

        async def has_failed() -> bool:
            return bool((await desk.case(radicado)).errors)

        await eventually(has_failed)
        [step] = (await desk.case(radicado)).pending
        assert (step.error_type, step.error_message) == (UNTRUSTED_PAYLOAD, refusal_of(Fault.PLAINTEXT))
        await handle.terminate("prueba")


async def test_the_stuck_come_oldest_first_and_by_what_keeps_them(client: Client, desk: SupportDesk) -> None:
    older, newer = new_radicado(), new_radicado()
    newer_handle = await start(
        client,
        newer,
        queue=NOT_SERVED,
        waiting_on=WaitingOn.SSO,
        stuck_since=datetime(2026, 11, 21, tzinfo=UTC),
    )
    older_handle = await start(
        client, older, queue=NOT_SERVED, waiting_on=WaitingOn.RETHUS, stuck_since=LONG_AGO
    )

    async def both() -> bool:
        return {older, newer} <= set(references(await desk.stuck()))

    await eventually(both)
    listed = references(await desk.stuck())
    assert listed.index(older) < listed.index(newer)
    assert older not in references(await desk.stuck(waiting_on=WaitingOn.SSO))
    assert newer in references(await desk.waiting(WaitingOn.SSO))
    assert older in references(await desk.oldest_waiting())
    assert (await desk.counts()).by_waiting[WaitingOn.RETHUS] >= 1
    assert (await desk.counts()).stuck >= 2
    for handle in (newer_handle, older_handle):
        await handle.terminate("prueba")


async def test_what_temporal_stopped_is_listed_while_the_person_waits(
    client: Client, desk: SupportDesk
) -> None:
    promised, ended, again = new_radicado(), new_radicado(), new_radicado()
    for radicado, stage in (
        (promised, Stage.AWAITING_PASSWORD),
        (ended, Stage.COMPLETED),
        (again, Stage.CHECKING),
    ):
        handle = await start(client, radicado, queue=NOT_SERVED, stage=stage)
        await handle.terminate("prueba")
    newer = await start(client, again, queue=NOT_SERVED, stage=Stage.CHECKING)

    async def listed() -> bool:
        return promised in references(await desk.cut_off())

    await eventually(listed)
    cases = {case.reference: case for case in await desk.cut_off()}
    assert ended not in cases
    assert again not in cases
    assert cases[promised].state == "interrumpido en Temporal (esperando la contraseña)"
    await newer.terminate("prueba")


async def test_a_long_list_is_read_to_its_end(
    client: Client, desk: SupportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "_PAGE", 2)
    handles = [
        await start(client, new_radicado(), queue=NOT_SERVED, waiting_on=WaitingOn.MAIL) for _ in range(5)
    ]

    async def all_of_them() -> bool:
        ids = {names.reference_of(handle.id) for handle in handles}
        return ids <= set(references(await desk.waiting(WaitingOn.MAIL)))

    await eventually(all_of_them)
    for handle in handles:
        await handle.terminate("prueba")


# ---- Acting


@pytest.mark.usefixtures("worker")
async def test_an_action_reaches_the_registration(client: Client, desk: SupportDesk) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado)
    await desk.act(Action.RETRY, radicado, reason=REASON)
    await desk.act(Action.CANCEL, radicado, reason="ya no lo necesita nadie")
    assert await handle.result() == [REASON, "ya no lo necesita nadie"]
    with pytest.raises(UnknownWorkflowError):
        await desk.act(Action.RETRY, radicado, reason=REASON)


@pytest.mark.usefixtures("worker")
async def test_a_refusal_says_its_type_and_its_sentence(client: Client, desk: SupportDesk) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado)
    with pytest.raises(ActionRefusedError) as caught:
        await desk.act(Action.RESEND, radicado, reason=REASON)
    assert (caught.value.type, caught.value.message) == (names.TOO_SOON, "Espere para pedir otro enlace")
    await handle.terminate("prueba")


@pytest.mark.usefixtures("worker")
async def test_an_update_that_the_server_lost_is_sent_again_and_done_once(
    client: Client, desk: SupportDesk
) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado)
    task = tasks_to_discard[radicado] = DiscardedTask()
    cancelling = asyncio.create_task(desk.act(Action.CANCEL, radicado, reason=REASON))
    assert await asyncio.to_thread(task.begun.wait, 10)
    await handle.signal("password_set")
    task.end()

    await cancelling
    assert await handle.result() == [REASON]
    causes = [
        event.workflow_task_failed_event_attributes.cause
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_failed_event_attributes")
    ]
    assert causes == [WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND]


async def test_without_a_worker_an_action_is_unanswered(
    client: Client, desk: SupportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "_ACTION_SECONDS", 0.3)
    radicado = new_radicado()
    handle = await start(client, radicado, queue=NOT_SERVED)
    with pytest.raises(ActionUnansweredError):
        await desk.act(Action.RETRY, radicado, reason=REASON)
    await handle.terminate("prueba")


async def test_a_paused_registration_is_shown_and_refuses_actions(client: Client, desk: SupportDesk) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado, queue=NOT_SERVED, stage=Stage.CHECKING)
    await client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(
            namespace=client.namespace, workflow_id=handle.id, identity="test", reason="prueba"
        )
    )
    case = await desk.case(radicado)
    assert (case.status, case.state) == (EngineState.PAUSED, "en pausa (verificando)")
    with pytest.raises(ActionRefusedError) as caught:
        await desk.act(Action.RETRY, radicado, reason=REASON)
    assert caught.value.type == PAUSED
    await handle.terminate("prueba")


async def test_temporal_is_asked_about_many_at_once(client: Client, desk: SupportDesk) -> None:
    radicados = [new_radicado() for _ in range(3)]
    handles = [await start(client, radicado, queue=NOT_SERVED) for radicado in radicados]
    assert references(await desk.cases([*radicados, new_radicado()])) == radicados
    await asyncio.gather(*(handle.terminate("prueba") for handle in handles))
