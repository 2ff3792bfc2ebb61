"""Telling both addresses of an account that one will replace the other."""

import uuid
from datetime import timedelta

from activities.emails import AddressNoticeInput, WarnAddressResult
from workflows import steps
from workflows.durable_steps import StepRunner
from workflows.notices import message_key


async def notify_addresses(runner: StepRunner, change_id: uuid.UUID, *, reference: str) -> timedelta | None:
    """Notify both addresses, each once for the change.

    The rest of the wait; None where the change waits no more.
    """
    warning = AddressNoticeInput(change_id=change_id, message_key=message_key(reference, "correo-anterior"))
    warned: WarnAddressResult = await runner.do(steps.WARN_OLD_ADDRESS, warning)
    if warned.remaining is None:
        return None
    notice = AddressNoticeInput(change_id=change_id, message_key=message_key(reference, "correo-nuevo"))
    await runner.mail(steps.NOTIFY_NEW_ADDRESS, notice)
    return warned.remaining
