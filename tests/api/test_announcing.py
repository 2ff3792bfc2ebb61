"""A password is announced while Temporal is away, and no page waits for it."""

import asyncio
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from api.registrations import act
from api.registrations.act import RegistrationActs
from mipres.database.audit_queue import AuditQueue
from mipres.database.password_links import PasswordOwner
from mipres.domain.links import LinkPurpose
from tests.fakes import FakeAuditTrail
from tests.patience import PATIENCE_SECONDS

OWNER = PasswordOwner(
    link_id=uuid.uuid4(),
    account_id=uuid.uuid4(),
    login="CC1020304050",
    full_name="Ana Ruiz",
    purpose=LinkPurpose.CREATE,
    reference="RAD-1",
    is_password_changed=False,
    radicados=("RAD-1", "RAD-2"),
    applications=(),
)


@dataclass
class Server:
    """Temporal as far as signals go.

    `failures` is how often it does not answer; `gone` is what it does not know.
    """

    failures: int = 0
    gone: str = ""
    got: list[str] = field(default_factory=list)
    asked: int = 0

    def get_workflow_handle(self, workflow_id: str) -> Any:
        server = self

        class Handle:
            async def signal(self, name: str, **_: object) -> None:
                server.asked += 1
                if workflow_id.endswith(server.gone or "nothing"):
                    raise RPCError("gone", RPCStatusCode.NOT_FOUND, b"")
                if server.asked <= server.failures:
                    raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
                server.got.append(f"{workflow_id} {name}")

        return Handle()


def announcing(server: Server) -> RegistrationActs:
    return RegistrationActs(
        cast("Client", server),
        answer_wait=timedelta(seconds=1),
        audit_queue=AuditQueue(FakeAuditTrail()),
    )


async def test_every_registration_of_the_person_is_told_and_those_that_ended_are_left_out() -> None:
    server = Server(gone="RAD-1")
    await announcing(server).announce_password(OWNER)
    assert server.got == ["registration/RAD-2 password_set"]


async def test_a_server_that_is_away_is_told_later_and_the_page_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(act, "_SIGNAL_PAUSES", (0.02,) * 50)
    monkeypatch.setattr(act, "_PATIENCE_SECONDS", 0.01)
    server = Server(failures=6)
    await announcing(server).announce_password(OWNER)
    assert server.got == []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(server.got) < len(OWNER.radicados):
            await asyncio.sleep(0)
    assert sorted(server.got) == ["registration/RAD-1 password_set", "registration/RAD-2 password_set"]


async def test_a_server_that_stays_away_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act, "_SIGNAL_PAUSES", (0, 0))
    server = Server(failures=1_000)
    await announcing(server).announce_password(OWNER)
    assert (server.got, server.asked) == ([], 3 * len(OWNER.radicados))


async def test_a_recovery_is_told_once_because_the_next_one_has_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(act, "_SIGNAL_PAUSES", (0, 0))
    owner = replace(OWNER, purpose=LinkPurpose.RECOVER, reference="REC-1", radicados=())
    server = Server()
    await announcing(server).announce_password(owner)
    assert server.got == ["recovery/REC-1 password_set"]
    away = Server(failures=1_000)
    await announcing(away).announce_password(owner)
    assert away.asked == 1


async def test_an_old_link_that_is_opened_again_tells_registrations_only_and_once() -> None:
    owner = replace(OWNER, purpose=LinkPurpose.RECOVER, reference="REC-1")
    server = Server()
    await announcing(server).announce_again(owner)
    assert sorted(server.got) == ["registration/RAD-1 password_set", "registration/RAD-2 password_set"]
    away = Server(failures=1_000)
    await announcing(away).announce_again(owner)
    assert away.asked == len(OWNER.radicados)


async def test_a_second_press_within_seconds_of_the_use_announces_nothing_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    acts = announcing(server)
    monkeypatch.setattr(act, "_SETTLED", timedelta(hours=1))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await acts.announce_again(replace(OWNER, closed_for=timedelta(milliseconds=60)))
    # Nothing was sent, and the page did not wait for what is sent later.
    assert server.got == []
    await acts.announce_again(replace(OWNER, closed_for=timedelta(hours=1)))
    assert sorted(server.got) == ["registration/RAD-1 password_set", "registration/RAD-2 password_set"]
    for waiting in acts._background:
        waiting.cancel()


async def test_what_a_second_press_put_off_is_announced_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that took the first press may have died before its signal."""
    monkeypatch.setattr(act, "_SETTLED", timedelta(milliseconds=20))
    server = Server()
    acts = announcing(server)
    await acts.announce_again(replace(OWNER, closed_for=timedelta(0)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(server.got) < len(OWNER.radicados):
            await asyncio.sleep(0)
    assert sorted(server.got) == ["registration/RAD-1 password_set", "registration/RAD-2 password_set"]
