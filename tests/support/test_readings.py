"""Support reads encrypted data with a reason, and each person leaves a row."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload

from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.lockouts import LoginLockouts
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.keys import audit_keys
from mipres.support.decoded import is_personal, logins_in, reference_in
from mipres.support.readings import Reading, Readings
from mipres.support.staff import KEY_LIFETIME, PostgresStaff, StaffMember, StaffSessionKind
from tests.fakes import HERE, FakeClock

RADICADO, OTHER = "RM-9TK0WVFK6AQB", "RM-QVDYJ9H16Q02"
PASSWORD = "una clave larga de soporte"
REASON = "la persona lo pidió en la mesa de ayuda"
LOGIN = "CC1020304050"


@pytest.fixture
def staff(
    engine: AsyncEngine, hasher: Hasher, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> PostgresStaff:
    return PostgresStaff(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
def readings(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> Readings:
    return Readings(engine, audit=audit, clock=clock)


async def entered(staff: PostgresStaff, name: str = "ana") -> tuple[str, StaffMember]:
    await staff.add(name, PASSWORD, actor="operator:tests")
    token = (await staff.log_in(name, PASSWORD, origin=HERE)).token
    assert token
    member = await staff.member_of(token, StaffSessionKind.PAGES)
    assert member
    return token, member


def of(reference: str | None, *logins: str) -> Reading:
    return Reading(reference=reference, logins=frozenset(logins))


async def test_every_person_of_every_reading_has_a_row_within_one_minute(
    staff: PostgresStaff, readings: Readings, audit: PostgresAuditTrail
) -> None:
    _, member = await entered(staff)
    people = [f"CC10203040{number}" for number in range(20)]
    await readings.record(member, [of(None, people[0])], {})
    for person in people:
        await readings.record(member, [of(None, person)], {})
    for person in people:
        found = [entry for entry in await audit.entries(login=person) if entry.type == "payloads_decoded"]
        assert len(found) == (2 if person == people[0] else 1)
        assert {entry.actor for entry in found} == {"staff:ana"}


async def test_a_request_makes_one_row_a_person_and_registration_with_its_count(
    staff: PostgresStaff, readings: Readings, audit: PostgresAuditTrail
) -> None:
    _, member = await entered(staff)
    read = [of(RADICADO, LOGIN), of(RADICADO, LOGIN), of(OTHER, LOGIN, "CE123456"), of(None)]
    await readings.record(member, read, {RADICADO: REASON})
    rows = [entry for entry in await audit.entries() if entry.type == "payloads_decoded"]
    assert sorted((str(row.reference), str(row.reason), row.details["payloads"]) for row in rows) == [
        ("None", "None", 1),
        (RADICADO, REASON, 2),
        (OTHER, "None", 1),
        (OTHER, "None", 1),
    ]
    assert len(await audit.entries(login="CE123456")) == 1
    assert (await audit.verify()).is_intact


async def test_a_payload_that_names_no_one_names_the_person_of_its_registration(
    engine: AsyncEngine, staff: PostgresStaff, clock: FakeClock
) -> None:
    before = PostgresAuditTrail(engine, keys=audit_keys({}, secrets=["one"]), clock=clock)
    submitted = AuditEvent(
        type=AuditEventType.REGISTRATION_SUBMITTED, actor=CITIZEN, reference=RADICADO, login=LOGIN
    )
    await before.record(submitted)
    after = PostgresAuditTrail(engine, keys=audit_keys({"a1": b"1" * 32}, secrets=["one"]), clock=clock)
    _, member = await entered(staff)
    readings = Readings(engine, audit=after, clock=clock)
    await readings.record(member, [of(RADICADO)], {RADICADO: REASON})
    # The trail's older hash and the payload's login are one person, hence one row.
    await readings.record(member, [of(RADICADO, LOGIN)], {RADICADO: REASON})
    found = [entry for entry in await after.entries(login=LOGIN) if entry.type == "payloads_decoded"]
    assert [(entry.reference, entry.reason) for entry in found] == [(RADICADO, REASON)] * 2
    rows = [entry for entry in await after.entries() if entry.type == "payloads_decoded"]
    assert len(rows) == 2


async def test_a_reason_opens_one_registration_to_one_member_until_the_session_ends(
    staff: PostgresStaff, readings: Readings, clock: FakeClock
) -> None:
    token, ana = await entered(staff)
    _, luz = await entered(staff, "luz")
    both = {RADICADO, OTHER}
    assert await readings.reasons(ana, both) == {}
    await readings.give_reason(token, RADICADO, REASON)
    await readings.give_reason("no session", OTHER, REASON)
    assert await readings.reasons(ana, both) == {RADICADO: REASON}
    assert await readings.reasons(luz, both) == {}
    await readings.give_reason(token, RADICADO, f"{REASON}, otra vez")
    assert await readings.reasons(ana, both) == {RADICADO: f"{REASON}, otra vez"}
    clock.advance(KEY_LIFETIME - timedelta(seconds=1))
    assert await readings.reasons(ana, both)
    clock.advance(timedelta(seconds=1))
    assert await readings.reasons(ana, both) == {}


async def test_leaving_closes_what_a_reason_opened(staff: PostgresStaff, readings: Readings) -> None:
    token, member = await entered(staff)
    await readings.give_reason(token, RADICADO, REASON)
    await staff.log_out(token)
    assert await readings.reasons(member, {RADICADO}) == {}


@pytest.mark.parametrize(
    ("scope", "reference"),
    [
        (f"default/registration/{RADICADO}", RADICADO),
        (f"default/registration/{RADICADO}#send_link", RADICADO),
        ("default/recovery/RC-9TK0WVFK6AQB#recover", "RC-9TK0WVFK6AQB"),
        ("default/lock-notice/RC-9TK0WVFK6AQB", "RC-9TK0WVFK6AQB"),
        ("default/retention", None),
        (f"operator/1790000000/{RADICADO}", None),
        ("", None),
    ],
)
def test_the_scope_names_the_registration(scope: str, reference: str | None) -> None:
    assert reference_in(scope) == reference


@pytest.mark.parametrize(
    ("data", "logins"),
    [
        (b'{"submission": {"document": {"type": "CC", "number": "1020304050"}}}', {LOGIN}),
        (
            b'[{"document": {"number": "AB123", "type": "PA", "x": null}}, "CE123456"]',
            {"PAAB123", "CE123456"},
        ),
        (b'{"text": "Su usuario es CC1020304050, o CC 1020304051."}', {LOGIN, "CC1020304051"}),
        (b"CC1020304050 \xff", {LOGIN}),
        (b'{"type": "image", "number": "12"}', set()),
        (b'"CD ROM, PE LATINA"', set()),
        (b"", set()),
        pytest.param(b"[" * 60_000 + b"CC1020304050", {LOGIN}, id="deeply nested"),
    ],
)
def test_people_are_found_wherever_a_payload_names_them(data: bytes, logins: set[str]) -> None:
    assert logins_in(data) == logins


@pytest.mark.parametrize(
    ("data", "is_about_a_person"),
    [
        (b'"Esperando de un registro una respuesta que sirva"', False),
        (b'{"message": "El registro sso no responde", "stack_trace": ""}', False),
        (b'{"message": "no hay cuenta de CC1020304050", "stack_trace": ""}', True),
        (b'{"message": "ana@example rechazada", "stack_trace": ""}', True),
        (b'"CC 1020304050"', True),
        (b'{"given_names": "Ana", "surnames": "Ruiz"}', True),
        (b'["Ana"]', True),
        (b"null", True),
        (b"\x00", True),
        pytest.param(b"[" * 60_000, True, id="deeply nested"),
    ],
)
def test_what_may_be_about_a_person_needs_a_reason(data: bytes, *, is_about_a_person: bool) -> None:
    assert is_personal(Payload(data=data)) is is_about_a_person


def test_what_a_workflow_says_of_itself_needs_no_reason() -> None:
    kind = {"messageType": b"temporal.api.sdk.v1.WorkflowMetadata"}
    described = b'{"definition": {"type": "Registration"}, "currentDetails": "Espera a: SSO"}'
    assert not is_personal(Payload(metadata=kind, data=described))
    assert is_personal(Payload(metadata=kind, data=described.replace(b"SSO", b"CC1020304050")))
    assert is_personal(Payload(data=described))
