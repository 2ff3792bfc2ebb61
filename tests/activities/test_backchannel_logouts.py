"""Telling applications of logouts."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.backchannel_logouts import BackchannelLogouts
from activities.errors import LOGOUT_NOT_TAKEN
from mipres.domain.clients import LOGOUT_WORTH_TELLING, EndedLogin, LogoutAnswer
from tests.fakes import FakeClock, FakeEndedLogins, FakeLogoutMessenger

CLOCK = FakeClock()


def ended(client_id: str, *, ago: timedelta = timedelta(0)) -> EndedLogin:
    return EndedLogin(
        client_id=client_id,
        account_id=uuid.uuid4(),
        session_id=uuid.uuid4(),
        ended_at=CLOCK.now() - ago,
    )


class NeverEnds(FakeLogoutMessenger):
    """One application keeps each call open."""

    async def tell(self, login: EndedLogin) -> LogoutAnswer:
        if login.client_id == "slow":
            await asyncio.Event().wait()
        return await super().tell(login)


class TakesAllBut(FakeLogoutMessenger):
    """An application that never takes some of its logouts."""

    def __init__(self, former: list[EndedLogin], answer: LogoutAnswer) -> None:
        super().__init__()
        self._former, self._answer = former, answer

    async def tell(self, login: EndedLogin) -> LogoutAnswer:
        self.tried.append(login)
        return self._answer if login in self._former else LogoutAnswer.ACCEPTED


async def announce_in_vain(logins: FakeEndedLogins, messenger: FakeLogoutMessenger) -> None:
    with pytest.raises(ApplicationError):
        await announce(logins, messenger)


async def announce(logins: FakeEndedLogins, messenger: FakeLogoutMessenger) -> None:
    activities = BackchannelLogouts(
        ended=logins, messenger=messenger, clock=CLOCK, seconds_for_each_client=0.05
    )
    await ActivityEnvironment().run(activities.announce_logouts)


async def test_each_application_is_told_and_one_without_an_address_is_passed_over() -> None:
    own, other = ended("app"), ended("without-address")
    logins, messenger = FakeEndedLogins(logins=[own, other]), FakeLogoutMessenger()
    await announce(logins, messenger)
    assert (logins.logins, messenger.tried) == ([], [own])


@pytest.mark.parametrize("answer", [LogoutAnswer.NONE, LogoutAnswer.DEFERRED])
async def test_an_application_that_takes_nothing_holds_up_no_other(answer: LogoutAnswer) -> None:
    down, up = [ended("down") for _ in range(30)], ended("up")
    logins = FakeEndedLogins(logins=[*down, up])
    messenger = FakeLogoutMessenger(answers={"down": answer})
    with pytest.raises(ApplicationError, match="down") as raised:
        await announce(logins, messenger)
    assert raised.value.type == LOGOUT_NOT_TAKEN
    assert "up" not in str(raised.value).split()
    assert set(logins.logins) == set(down)
    assert up in messenger.tried
    assert len(messenger.tried) <= 11


@pytest.mark.parametrize("answer", [LogoutAnswer.NONE, LogoutAnswer.DEFERRED])
async def test_a_logout_that_is_not_taken_holds_up_no_later_one(answer: LogoutAnswer) -> None:
    former, later = [ended("app") for _ in range(15)], ended("app")
    logins, messenger = FakeEndedLogins(logins=list(former)), TakesAllBut(former, answer)
    await announce_in_vain(logins, messenger)
    await announce_in_vain(logins, messenger)
    logins.logins.append(later)
    await announce_in_vain(logins, messenger)
    assert set(logins.logins) == set(former)
    for _ in former:
        await announce_in_vain(logins, messenger)
    assert set(messenger.tried) == {*former, later}
    rounds = 3 + len(former)
    assert len(messenger.tried) <= 1 + rounds * (1 if answer is LogoutAnswer.NONE else 10)


async def test_an_application_that_keeps_its_calls_open_holds_up_no_other() -> None:
    slow, up = ended("slow"), ended("up")
    logins = FakeEndedLogins(logins=[slow, up])
    with pytest.raises(ApplicationError, match="slow"):
        await announce(logins, NeverEnds())
    assert logins.logins == [slow]


async def test_what_an_application_refuses_is_not_tried_again_and_logged_without_the_person(
    caplog: pytest.LogCaptureFixture,
) -> None:
    login = ended("app")
    logins = FakeEndedLogins(logins=[login])
    await announce(logins, FakeLogoutMessenger(answers={"app": LogoutAnswer.REFUSED}))
    assert logins.logins == []
    assert "the application app did not take a logout: refused" in caplog.text
    assert str(login.account_id) not in caplog.text
    assert str(login.session_id) not in caplog.text


async def test_an_application_that_is_away_for_a_day_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    old, old_too = (ended("app", ago=LOGOUT_WORTH_TELLING) for _ in range(2))
    young = ended("app", ago=timedelta(hours=23))
    logins, messenger = FakeEndedLogins(logins=[old, old_too, young]), FakeLogoutMessenger()
    messenger.answers["app"] = LogoutAnswer.NONE
    await announce_in_vain(logins, messenger)
    assert logins.logins == messenger.tried == [young]
    assert caplog.text.count("the application app did not take a logout: none") == 2


async def test_a_worker_without_the_applications_takes_no_logout_off_the_list() -> None:
    login = ended("app")
    logins = FakeEndedLogins(logins=[login])
    with pytest.raises(ApplicationError, match="app"):
        await announce(logins, FakeLogoutMessenger(silent=(), answers={"app": LogoutAnswer.NONE}))
    assert logins.logins == [login]


async def test_what_became_of_each_notice_is_said() -> None:
    logins = FakeEndedLogins(logins=[ended("app"), ended("sour")])
    await announce(logins, FakeLogoutMessenger(answers={"sour": LogoutAnswer.REFUSED}))
    assert logins.answers == [LogoutAnswer.ACCEPTED, LogoutAnswer.REFUSED]


async def test_a_profile_that_ended_by_its_date_is_a_logout_of_the_same_round() -> None:
    logins, messenger = FakeEndedLogins(over_by_date=[ended("app")]), FakeLogoutMessenger()
    await announce(logins, messenger)
    assert [login.client_id for login in messenger.tried] == ["app"]
    assert logins.logins == []
