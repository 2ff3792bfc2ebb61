"""Waiting for a password: links go out until it exists or the last one expires."""

import uuid
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow

from activities.emails import SendLinkResult
from mipres.domain.stages import Stage
from workflows import policies
from workflows.contract import RegistrationState
from workflows.links import LinkReplacedError, PasswordLinks
from workflows.waiting import comes_true


class PasswordWait:
    """Sends the links of one registration and follows each to its end.

    Args:
        state: What the registration remembers; signals and updates change it meanwhile.
        links: The steps of its links.
        on_change: Called when the mail server takes or rejects the address.
    """

    def __init__(
        self, state: RegistrationState, links: PasswordLinks, *, on_change: Callable[[], None]
    ) -> None:
        self._state = state
        self._links = links
        self._on_change = on_change

    async def send_link(self, account_id: uuid.UUID) -> Stage | None:
        """Mail a new link; `completed` when a password exists: then the confirmation is."""
        state = self._state
        result = await self._send_the_one_asked_last(account_id)
        state.is_address_rejected = state.is_address_doubtful = result is None
        if result is None:
            # A try that mailed nothing spends no pause and none of the day's links.
            state.links_sent_at.pop()
        state.link_expires_at, state.is_reminded = workflow.now() + self._links.lifetime, False
        self._on_change()
        if result is None or not result.password_exists:
            return None
        # The signal came meanwhile, or never: the person waits for some mail all the same.
        if workflow.patched("confirmed-where-no-link-is-sent"):
            await self._links.confirm(account_id)
        return Stage.COMPLETED

    async def _send_the_one_asked_last(self, account_id: uuid.UUID) -> SendLinkResult | None:
        """Mail a link; one that is asked for meanwhile takes the place of a held one."""
        state = self._state
        while True:
            state.is_link_asked = False
            state.links_sent_at.append(workflow.now())
            try:
                return await self._links.send(
                    account_id,
                    number=len(state.links_sent_at),
                    replaced=state.links_replaced,
                    is_another_asked=lambda: state.is_link_asked,
                )
            except LinkReplacedError:
                # What may not have arrived spends none of the day's links.
                state.links_sent_at.pop()
                state.links_replaced += 1

    async def follow_link(self, account_id: uuid.UUID) -> Stage | None:
        """How the registration ends with this link; None when more is due."""
        state = self._state
        deadline = state.link_expires_at or workflow.now()
        remind_at = deadline - self._links.lifetime * (1 - policies.REMINDER_AT)
        while not (
            state.is_link_asked or state.is_look_asked or workflow.info().is_continue_as_new_suggested()
        ):
            if not await self._news_until(deadline if state.is_reminded else remind_at):
                if state.is_reminded:
                    return await self._settle_unless_asked(account_id)
                state.is_reminded = True
                await self._links.remind(
                    account_id, number=len(state.links_sent_at), is_another_asked=lambda: state.is_link_asked
                )
            # The flag goes down before the database is asked, so a signal that comes meanwhile counts.
            announced, state.is_password_announced = state.is_password_announced, False
            if announced and await self._links.confirm(account_id):
                return Stage.COMPLETED
        return None

    async def _settle_unless_asked(self, account_id: uuid.UUID) -> Stage | None:
        """How the registration ends; None for a person who has been promised a link since."""
        end = await self.settle(account_id)
        # The database may have been away for hours, in which the registration took what people asked.
        is_asked = self._state.is_link_asked or self._state.is_look_asked
        if end is Stage.EXPIRED and is_asked and workflow.patched("asked-while-expiring"):
            return None
        return end

    async def settle(self, account_id: uuid.UUID) -> Stage:
        """The time is over: the database decides."""
        closed = await self._links.expire(account_id)
        if not closed.password_set:
            return Stage.EXPIRED
        await self._links.confirm(account_id)
        return Stage.COMPLETED

    async def _news_until(self, moment: datetime) -> bool:
        """Wait for people or a long history; False when the moment comes first."""
        return await comes_true(
            lambda: (
                self._state.is_password_announced
                or self._state.is_link_asked
                or self._state.is_look_asked
                or workflow.info().is_continue_as_new_suggested()
            ),
            within=moment - workflow.now(),
            summary="Hasta el recordatorio o el vencimiento del enlace",
        )
