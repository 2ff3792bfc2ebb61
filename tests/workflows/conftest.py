"""A whole registration world over fake ports, on the real server."""

import asyncio
import re
import sys
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WithStartWorkflowOperation, WorkflowHandle, WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.catalog import catalog
from mipres.domain.documents import Document, DocumentType
from mipres.domain.outcomes import Outcome
from mipres.domain.people import (
    Delegation,
    EntityRecord,
    HealthProfessional,
    Person,
    Placement,
    Profession,
    Sanction,
)
from mipres.domain.stages import REGISTRIES, Stage
from mipres.domain.submissions import Entity, EntityKind, Submission, UserType
from mipres.domain.terms import Consent
from mipres.port_set import Ports
from mipres.temporal import names
from mipres.temporal.connection import WorkerPayloadConverter, data_converter
from mipres.temporal.trust import TrustedPayloads
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from tests.fakes import (
    FakeAccessNotices,
    FakeAccounts,
    FakeAddressChanges,
    FakeClock,
    FakeComposer,
    FakeEndedLogins,
    FakeFactorResets,
    FakeHealthTalentRegistry,
    FakeLogoutMessenger,
    FakeMailer,
    FakeRetention,
    FakeReviewedProfiles,
    FakeSentMails,
    FakeSocialSecurityRegistry,
    FakeSocialServiceRegistry,
)
from tests.patience import PATIENCE_SECONDS
from workflows import contract
from workflows.password_recovery import PasswordRecovery
from workflows.registration import Registration
from workflows.workers import WORKFLOWS, of_registrations

HISTORIES = Path(__file__).parent.parent / "replay" / "histories"
# A task that fails again is given up in silence, and handed out once more when its time is over.
TASK_TIMEOUT = 'history.defaultWorkflowTaskTimeout="2s"'
ANA = Document(type=DocumentType.CC, number="1020304050")
PERSON = Person(given_names="Ana María", surnames="Ruiz Gómez", email="ana.ruiz@ejemplo.test")
MEDICINE = Profession(code="01", name="MEDICINA", registration="76-1234")
NURSING = Profession(code="05", name="ENFERMERÍA", registration="76-1234")
IPS = Entity(kind=EntityKind.IPS, nit="900123456")
NATURAL = Entity(kind=EntityKind.PROVIDER, department="11", municipality="11001")
PROFESSIONAL = Submission(user_type=UserType.PROFESSIONAL, document=ANA, professional_registration="76-1234")
SOCIAL_SERVICE = Submission(user_type=UserType.SOCIAL_SERVICE, document=ANA)
OTHER = Submission(user_type=UserType.OTHER, document=ANA)
DELEGATE = Submission(user_type=UserType.DELEGATE, document=ANA, entity=IPS)
PROVIDER = Submission(user_type=UserType.DELEGATE, document=ANA, entity=NATURAL)

Handle = WorkflowHandle[Any, Any]


def placement(
    profession: str = "MEDICINA", *, start: date = date(2026, 7, 1), end: date = date(2027, 6, 30)
) -> Placement:
    return Placement(
        profession=profession,
        site_code="940010001",
        site_name="Hospital de Inírida",
        municipality="94001",
        start=start,
        end=end,
    )


def sanction() -> Sanction:
    return Sanction(authority="Tribunal", kind="Suspensión", start=date(2026, 1, 1))


@dataclass(kw_only=True)
class World:
    """The fakes, the workers over them, and what a test does from outside."""

    env: WorkflowEnvironment
    clock: FakeClock = field(default_factory=FakeClock)
    people: FakeSocialSecurityRegistry = field(default_factory=FakeSocialSecurityRegistry)
    talent: FakeHealthTalentRegistry = field(default_factory=FakeHealthTalentRegistry)
    placements: FakeSocialServiceRegistry = field(default_factory=FakeSocialServiceRegistry)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    changes: FakeAddressChanges = field(init=False)
    resets: FakeFactorResets = field(init=False)
    mailer: FakeMailer = field(default_factory=FakeMailer)
    sent_mails: FakeSentMails = field(default_factory=FakeSentMails)
    retention: FakeRetention = field(default_factory=FakeRetention)
    access_notices: FakeAccessNotices = field(default_factory=FakeAccessNotices)
    ended_logins: FakeEndedLogins = field(default_factory=FakeEndedLogins)
    messenger: FakeLogoutMessenger = field(default_factory=FakeLogoutMessenger)
    reviewed: FakeReviewedProfiles = field(default_factory=FakeReviewedProfiles)
    composer: FakeComposer = field(default_factory=FakeComposer)
    handles: dict[str, Handle] = field(default_factory=dict)
    record: bool = False
    several_at_once: bool = False
    is_fast: bool = True

    def __post_init__(self) -> None:
        self.changes = FakeAddressChanges(accounts=self.accounts)
        self.accounts.changes = self.changes
        self.resets = FakeFactorResets(clock=self.accounts.clock)

    def knows(self, *professions: Profession, sanctions: tuple[Sanction, ...] = ()) -> None:
        """Put Ana into miseguridadsocial and, with professions, into ReTHUS."""
        self.people.people[ANA] = PERSON
        if professions:
            self.talent.people[ANA] = HealthProfessional(professions=professions, sanctions=sanctions)

    def delegates(self, entity: Entity = IPS) -> None:
        record = EntityRecord(nit=entity.nit or "", name="IPS La Esperanza", kind=entity.kind)
        self.people.delegations[(ANA, entity.key)] = Delegation(person=PERSON, entity=record)

    def ports(self) -> Ports:
        return Ports(
            miseguridadsocial=self.people,
            rethus=self.talent,
            sso=self.placements,
            accounts=self.accounts,
            address_changes=self.changes,
            factor_resets=self.resets,
            composer=self.composer,
            mailer=self.mailer,
            sent_mails=self.sent_mails,
            retention=self.retention,
            access_notices=self.access_notices,
            ended_logins=self.ended_logins,
            logout_messenger=self.messenger,
            reviewed_profiles=self.reviewed,
            clock=self.clock,
            support_address="soporte@ejemplo.test",
        )

    async def submit(
        self, submission: Submission = PROFESSIONAL, *, radicado: str | None = None, waits: bool = False
    ) -> tuple[Handle, Outcome]:
        """Update-with-start, as the API does it."""
        radicado = radicado or f"RM-{uuid.uuid4().hex[:12].upper()}"
        await self._keep_to_one_at_a_time(radicado)
        handle: Handle = self.env.client.get_workflow_handle_for(
            Registration.run, names.registration_workflow_id(radicado)
        )
        self.handles[radicado] = handle
        outcome: Outcome = await self.env.client.execute_update_with_start_workflow(
            "first_outcome",
            start_workflow_operation=WithStartWorkflowOperation(
                Registration.run,
                contract.RegistrationRequest(
                    radicado=radicado,
                    submission=submission,
                    consent=consent(),
                    is_fast=self.is_fast,
                    wait_for_registry=waits,
                ),
                id=handle.id,
                task_queue=names.REGISTRATIONS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            ),
            id=str(uuid.uuid4()),
            result_type=Outcome,
        )
        return handle, outcome

    async def accept(
        self,
        submission: Submission = PROFESSIONAL,
        *,
        task_timeout: timedelta | None = None,
        is_quiet: bool = False,
    ) -> Handle:
        """Start as the API does where no page shows the answer."""
        radicado = f"RM-{uuid.uuid4().hex[:12].upper()}"
        handle = await self.env.client.start_workflow(
            Registration.run,
            contract.RegistrationRequest(
                radicado=radicado,
                submission=submission,
                consent=consent(),
                tell_by_mail=True,
                is_quiet=is_quiet,
                is_fast=self.is_fast,
            ),
            id=names.registration_workflow_id(radicado),
            task_queue=names.REGISTRATIONS_QUEUE,
            start_signal=None if is_quiet else "asked_again",
            task_timeout=task_timeout,
        )
        self.handles[radicado] = handle
        return handle

    async def recover(self, document: Document = ANA, *, signal: str = "link_asked") -> Handle:
        reference = f"RC-{uuid.uuid4().hex[:12].upper()}"
        request = contract.RecoveryRequest(reference=reference, document=document)
        handle = await self.env.client.start_workflow(
            PasswordRecovery.run,
            request,
            id=names.recovery_workflow_id(reference),
            task_queue=names.REGISTRATIONS_QUEUE,
            start_signal=signal,
        )
        self.handles[reference] = handle
        return handle

    async def _keep_to_one_at_a_time(self, radicado: str) -> None:
        others = [handle for known, handle in self.handles.items() if known != radicado]
        for handle in () if self.several_at_once else others:
            closed = (await handle.describe()).close_time is not None
            assert closed, "mark the test with @pytest.mark.several_at_once"

    async def reaches(self, handle: Handle, stage: Stage) -> contract.RegistrationStatus:
        status: contract.RegistrationStatus

        async def arrived() -> bool:
            nonlocal status
            status = await handle.query(Registration.status)
            return status.stage is stage

        await self.eventually(arrived)
        return status

    async def mailed(self, *names: str) -> None:
        """Wait until exactly these mails were sent, in this order."""

        async def complete() -> bool:
            return len(self.mailer.sent) >= len(names)

        await self.eventually(complete)
        assert [mail.subject for mail in self.mailer.sent] == list(names)

    async def eventually(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await holds():
                await asyncio.sleep(0.02)

    async def cancels(self, handle: Handle) -> None:
        """Cancel as support does."""
        await handle.execute_update("cancel_registration", "la persona lo pidió por teléfono")

    async def passes(self, handle: Handle, time: timedelta) -> None:
        has_passed = await self.env.fast_forward(handle, time)
        is_over = not has_passed and (await handle.describe()).close_time is not None
        assert has_passed or is_over, "the clock stood still: it has too many steps in this time"

    def notice_apart(self, handle: Handle) -> Handle:
        """The run that mails a cancelled registration's person."""
        workflow_id = names.cancelled_notice_workflow_id(names.reference_of(handle.id))
        return self.env.client.get_workflow_handle(workflow_id)

    async def notices_apart(self) -> list[Handle]:
        """All such runs: the next test has the same queue."""
        found = []
        for handle in self.handles.values():
            notice = self.notice_apart(handle)
            with suppress(RPCError):
                await notice.describe()
                found.append(notice)
        return found

    def sets_password(self) -> None:
        for account_id in list(self.accounts.accounts):
            self.accounts.set_password_of(account_id)

    async def attributes(self, handle: Handle) -> dict[str, Any]:
        pairs = (await handle.describe()).typed_search_attributes.search_attributes
        return {pair.key.name: pair.value for pair in pairs if pair.key in names.SEARCH_ATTRIBUTES}

    async def keep(self, handle: Handle, name: str) -> None:
        """Store the history for replay, when pytest runs with --record-histories."""
        is_fast = self.is_fast and handle.id.startswith(names.registration_workflow_id(""))
        path = HISTORIES / f"{name}{'-fast' if is_fast else ''}.json"
        # A stored history stays as it is: it stands for registrations that are under way somewhere.
        if self.record and not path.exists():
            path.write_text((await handle.fetch_history()).to_json() + "\n")


async def metadata(handle: Handle) -> WorkflowMetadata:
    """What Temporal's interface shows of a workflow."""
    found: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return found


async def told_to_support(handle: Handle) -> str:
    return (await metadata(handle)).current_details


def consent() -> Consent:
    return Consent(
        terms_version="2025-03",
        terms_sha256="0" * 64,
        accepted_at=datetime(2026, 11, 23, 15, 0, tzinfo=UTC),
        channel="test",
    )


# Asked for again and again, maybe twice at a time: an id of its own would collide with itself.
NAMED_BY_THE_SERVER = {"retry_step"}


def unexplained(history: WorkflowHistory) -> list[str]:
    """Activities and timers of a history that tell support nothing.

    No summary, or an id that is a number.
    """
    found: list[str] = []
    for event in history.events:
        scheduled = event.activity_task_scheduled_event_attributes
        is_activity = event.HasField("activity_task_scheduled_event_attributes")
        if is_activity and not re.fullmatch(r"[a-z]+(-[a-z]+)+", scheduled.activity_id):
            found += {scheduled.activity_type.name} - NAMED_BY_THE_SERVER
        is_local = event.marker_recorded_event_attributes.marker_name == "core_local_activity"
        is_timer = event.HasField("timer_started_event_attributes")
        if (is_activity or is_local or is_timer) and not event.user_metadata.summary.data:
            found.append(f"event {event.event_id} has no summary")
    return found


@pytest.fixture
async def own_server() -> AsyncIterator[WorkflowEnvironment]:
    """A server of its own: a current build takes the work of workers without one."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_extra_args=["--dynamic-config-value", TASK_TIMEOUT],
        data_converter=data_converter(
            PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY, converter=WorkerPayloadConverter
        ),
        search_attributes=list(names.SEARCH_ATTRIBUTES),
    )
    async with environment:
        yield environment


@pytest.fixture(autouse=True)
def unfinished(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Warnings of handlers that a run left unfinished; a test ends with none.

    As an error it would fail the closing task, and the task's repetition could hide it.
    """
    found: list[str] = []

    def note(message: Warning | str, *_: object, **__: object) -> None:
        found.append(str(message))

    for kind in (workflow.UnfinishedUpdateHandlersWarning, workflow.UnfinishedSignalHandlersWarning):
        warnings.simplefilter("always", kind)
    monkeypatch.setattr(warnings, "showwarning", note)
    yield found
    assert found == []


async def replay(histories: list[WorkflowHistory], env: WorkflowEnvironment) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=env.client.data_converter,
        namespace=env.client.namespace,
        interceptors=[TrustedPayloads()],
    )
    for history in histories:
        await replayer.replay_workflow(history)


@pytest.fixture
async def world(temporal_env: WorkflowEnvironment, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world of its own.

    At the end every workflow that ran is replayed, and what still runs is ended.
    """
    several_at_once = request.node.get_closest_marker("several_at_once") is not None
    made = World(
        env=temporal_env,
        record=bool(request.config.getoption("--record-histories")),
        several_at_once=several_at_once,
    )
    # Without a cache every workflow task replays the whole history: what depends on memory fails here. Two
    # workflows at once can then stop a worker for good (temporalio/sdk-rust#886), so they get a cache.
    cached = 100 if several_at_once else 0
    activities = catalog(made.ports())
    queues: dict[str, Any] = {names.registry_queue(name): getattr(activities, name) for name in REGISTRIES}
    async with AsyncExitStack() as stack:
        for queue, served in {**queues, names.REGISTRATIONS_QUEUE: of_registrations(activities)}.items():
            worker = Worker(
                temporal_env.client,
                task_queue=queue,
                workflows=WORKFLOWS if queue == names.REGISTRATIONS_QUEUE else (),
                activities=served,
                max_cached_workflows=cached,
                interceptors=[TrustedPayloads()],
            )
            await stack.enter_async_context(worker)
        yield made
        histories = [await handle.fetch_history() for handle in made.handles.values()]
        for handle in (*made.handles.values(), *await made.notices_apart()):
            # A run that ends by itself in this moment is over, too.
            with suppress(RPCError):
                await handle.terminate("the test is over")
    assert [one for history in histories for one in unexplained(history)] == []
    await replay(histories, temporal_env)
