"""The steps of a password link, for workflows that send one and wait for its use."""

import uuid
from datetime import timedelta

from activities.accounts import ExpireLinkInput, ExpireLinkResult
from activities.emails import (
    ConfirmPasswordInput,
    ConfirmPasswordResult,
    SendLinkInput,
    SendLinkResult,
    SendReminderInput,
)
from mipres.domain.links import LinkPurpose
from workflows import steps
from workflows.durable_steps import StepRunner
from workflows.notices import message_key


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

    async def send(self, account_id: uuid.UUID, *, number: int) -> SendLinkResult | None:
        """Issue and mail a link that supersedes the older ones.

        None when the address is rejected for good.

        Args:
            account_id: Whose link it is.
            number: Which link of this registration or recovery it is; the same number is the same link.
        """
        link = SendLinkInput(
            account_id=account_id,
            reference=self._reference,
            purpose=self._purpose,
            lifetime=self.lifetime,
            issue_key=message_key(self._reference, f"enlace-{number}"),
        )
        result: SendLinkResult | None = await self._runner.mail(steps.SEND_LINK, link)
        return result

    async def remind(self, account_id: uuid.UUID, *, number: int) -> None:
        """Mail the open link once more."""
        reminder = SendReminderInput(
            account_id=account_id,
            reference=self._reference,
            message_key=message_key(self._reference, f"recordatorio-{number}"),
        )
        await self._runner.mail(steps.SEND_REMINDER, reminder)

    async def expire(self, account_id: uuid.UUID) -> bool:
        """Close the links for good.

        Whether the database, not a signal, knows of a password.
        """
        request = ExpireLinkInput(account_id=account_id, reference=self._reference)
        result: ExpireLinkResult = await self._runner.do(steps.EXPIRE_LINK, request)
        return result.password_set

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
