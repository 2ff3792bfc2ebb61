"""The steps of a password link, for workflows that send one and wait for its use."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow

from activities.accounts import ExpireLinkInput, ExpireLinkResult
from activities.emails import (
    ConfirmPasswordInput,
    ConfirmPasswordResult,
    SendLinkInput,
    SendLinkResult,
    SendReminderInput,
)
from mipres.domain.accounts import FirstLink
from mipres.domain.links import LinkPurpose
from workflows import steps
from workflows.durable_steps import StepRunner
from workflows.notices import message_key
from workflows.waiting import to_its_end


class LinkReplacedError(Exception):
    """Another link was asked for before this one was known to be mailed."""


class PasswordLinks:
    """Sends, repeats, expires and confirms the links of a registration or recovery.

    Args:
        runner: Does the steps.
        reference: The radicado, or the reference of a recovery.
        purpose: To create a password, or to recover one.
        lifetime: How long each link can be used.
    """

    def __init__(
        self, runner: StepRunner, *, reference: str, purpose: LinkPurpose, lifetime: timedelta
    ) -> None:
        self._runner = runner
        self._reference = reference
        self._purpose = purpose
        self.lifetime = lifetime

    @property
    def first(self) -> FirstLink:
        """The link that is issued with a new account; sending the first one mails it."""
        return FirstLink(issue_key=self._issue_key(1), lifetime=self.lifetime)

    def _issue_key(self, ordinal: int) -> str:
        return message_key(self._reference, f"enlace-{ordinal}")

    async def send(
        self,
        account_id: uuid.UUID,
        *,
        number: int,
        replaced: int,
        is_another_asked: Callable[[], bool],
    ) -> SendLinkResult | None:
        """Issue and mail a link that supersedes the older ones.

        None when the address is rejected for good. A mail of unknown fate is held for hours; a person who waits for
        it may ask for another link.

        Args:
            account_id: Whose link it is.
            number: How many links of this registration or recovery count, with this one.
            replaced: How many more made way for others; the same sum of both is the same link.
            is_another_asked: Whether this one need not go out any more.

        Raises:
            LinkReplacedError: another one is due instead.
        """
        sending = asyncio.create_task(self._send(account_id, number=number, replaced=replaced))
        await self._unless(is_another_asked, sending)
        if sending.done() or not workflow.patched("held-link-replaced"):
            return await sending
        await self._give_up(sending)
        raise LinkReplacedError

    async def _unless(self, is_over: Callable[[], bool], mailing: asyncio.Task[Any]) -> None:
        """Wait for a mail, or until it need not go out any more."""
        try:
            await workflow.wait_condition(lambda: mailing.done() or is_over())
        except asyncio.CancelledError:
            mailing.cancel()
            await to_its_end(mailing)
            raise

    async def _give_up(self, mailing: asyncio.Task[Any]) -> None:
        mailing.cancel()
        await to_its_end(mailing)
        self._runner.wait_no_longer()

    async def _send(self, account_id: uuid.UUID, *, number: int, replaced: int) -> SendLinkResult | None:
        link = SendLinkInput(
            account_id=account_id,
            reference=self._reference,
            purpose=self._purpose,
            lifetime=self.lifetime,
            issue_key=self._issue_key(number + replaced),
        )
        step = steps.SEND_LINK
        if replaced % 2:
            # An id is free again only once the last attempt of the replaced link has ended.
            step = replace(step, id=f"{step.id}-otra-vez")
        result: SendLinkResult | None = await self._runner.mail(step, link)
        return result

    async def remind(
        self, account_id: uuid.UUID, *, number: int, is_another_asked: Callable[[], bool]
    ) -> None:
        """Mail the open link once more, unless another one is asked for first."""
        reminder = SendReminderInput(
            account_id=account_id,
            reference=self._reference,
            message_key=message_key(self._reference, f"recordatorio-{number}"),
        )
        reminding = asyncio.create_task(self._runner.mail(steps.SEND_REMINDER, reminder))
        await self._unless(is_another_asked, reminding)
        if reminding.done() or not workflow.patched("held-reminder-left"):
            await reminding
        else:
            await self._give_up(reminding)

    async def expire(self, account_id: uuid.UUID) -> ExpireLinkResult:
        """Close the links for good, and ask the database, not a signal, for a password."""
        request = ExpireLinkInput(account_id=account_id, reference=self._reference)
        result: ExpireLinkResult = await self._runner.do(steps.EXPIRE_LINK, request)
        return result

    async def confirm(self, account_id: uuid.UUID) -> bool:
        """Whether the database knows of a password.

        Then the confirmation has been mailed too.
        """
        request = ConfirmPasswordInput(
            account_id=account_id, message_key=message_key(self._reference, "confirmacion")
        )
        result: ConfirmPasswordResult | None = await self._runner.mail(steps.CONFIRM_PASSWORD, request)
        # Without a result the address was rejected, which only happens to a mail that was due.
        return result is None or result.password_set
