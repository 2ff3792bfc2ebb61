"""Telling applications of the logouts that they have not heard of."""

import asyncio
from collections.abc import Iterable
from itertools import groupby

from temporalio import activity

from activities.errors import logout_not_taken
from activities.metrics import logout_announced
from mipres.domain.clients import LOGOUT_WORTH_TELLING, EndedLogin, LogoutAnswer
from mipres.ports import Clock, EndedLogins, LogoutMessenger

_BATCH = 500
# An application in trouble takes none; its next round begins with others.
_FAILURES_ENOUGH = 10
# A slow application must not make the others wait for the next round.
_SECONDS_FOR_EACH_CLIENT = 30.0


class BackchannelLogouts:
    """Served by the queue `registrations`.

    Args:
        seconds_for_each_client: What one application may take of a round.
    """

    def __init__(
        self,
        *,
        ended: EndedLogins,
        messenger: LogoutMessenger,
        clock: Clock,
        seconds_for_each_client: float = _SECONDS_FOR_EACH_CLIENT,
    ) -> None:
        self._ended, self._messenger, self._clock = ended, messenger, clock
        self._seconds = seconds_for_each_client

    @activity.defn
    async def announce_logouts(self) -> None:
        """Tell every application, all at the same time."""
        await self._ended.end_with_last_days()
        await self._ended.pass_over(silent=self._messenger.silent)
        waiting = await self._ended.waiting(limit=_BATCH)
        by_client = {
            client_id: list(logins) for client_id, logins in groupby(waiting, lambda login: login.client_id)
        }
        heard = await asyncio.gather(*(self._tell_in_time(logins) for logins in by_client.values()))
        if silent := [
            client_id for client_id, all_heard in zip(by_client, heard, strict=True) if not all_heard
        ]:
            raise logout_not_taken(silent)

    async def _tell_in_time(self, logins: Iterable[EndedLogin]) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._tell(logins)
        except TimeoutError:
            return False

    async def _tell(self, logins: Iterable[EndedLogin]) -> bool:
        """Tell one application; whether none is left to try again.

        What is overdue is given up without another call once it is in trouble.
        """
        left, is_in_trouble, answer = 0, False, LogoutAnswer.NONE
        for login in logins:
            is_called = not is_in_trouble
            if is_called:
                answer = await self._messenger.tell(login)
            if self._is_final(login, answer):
                await self._ended.settle(login, answer)
                logout_announced(answer)
            else:
                left += 1
                if is_called:
                    await self._ended.put_off(login)
            is_in_trouble |= answer is LogoutAnswer.NONE or left >= _FAILURES_ENOUGH
        return left == 0

    def _is_final(self, login: EndedLogin, answer: LogoutAnswer) -> bool:
        if answer is LogoutAnswer.ACCEPTED:
            return True
        is_over = login.ended_at <= self._clock.now() - LOGOUT_WORTH_TELLING
        if answer is LogoutAnswer.REFUSED or is_over:
            activity.logger.warning(
                "the application %s did not take a logout: %s; its session may live on",
                login.client_id,
                answer.value,
            )
            return True
        return False
