"""A reset of a second factor, from its notice to its end."""

import uuid
from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.emails import EmailActivities
from activities.errors import MAIL_ADDRESS_REJECTED
from mipres.domain.accounts import AccountContact
from mipres.domain.factor_resets import ResetProgress, WaitingReset
from mipres.ports import FactorResets


@dataclass(frozen=True, kw_only=True)
class FactorResetInput:
    """One reset; nothing personal."""

    reset_id: uuid.UUID


class FactorResetActivities:
    """Served by the queue `registrations`."""

    def __init__(
        self, *, resets: FactorResets, mails: EmailActivities, support_address: str | None = None
    ) -> None:
        self._resets, self._mails, self._support_address = resets, mails, support_address

    @activity.defn
    async def notify_factor_reset(self, request: FactorResetInput) -> ResetProgress:
        """Mail the person, with a link that stops it; from then on the wait counts.

        The address in force must take the mail. One that a change replaces may be gone.
        """
        reset = await self._resets.prepare(request.reset_id)
        if reset is None:
            # An earlier attempt may have mailed it, and the person stopped it by that mail.
            return await self._resets.carry_out(request.reset_id)
        in_force, *replaced = reset.addresses
        await self._notify(reset, in_force, key=f"{request.reset_id}:vigente")
        for address in replaced:
            try:
                await self._notify(reset, address, key=f"{request.reset_id}:anterior")
            except ApplicationError as error:
                if error.type != MAIL_ADDRESS_REJECTED:
                    raise
        await self._resets.mark_notified(request.reset_id)
        return ResetProgress(remaining=reset.remaining)

    @activity.defn
    async def carry_out_factor_reset(self, request: FactorResetInput) -> ResetProgress:
        """Remove the factor if its time has come and no one stopped it."""
        return await self._resets.carry_out(request.reset_id)

    @activity.defn
    async def give_up_factor_reset(self, request: FactorResetInput) -> None:
        """Withdraw a reset whose person could not be notified."""
        await self._resets.give_up(request.reset_id)

    @activity.defn
    async def notify_reset_stopped(self, request: FactorResetInput) -> None:
        """Notify support that a person stopped a reset.

        Somebody else may have asked for it.
        """
        activity.logger.warning("a reset of a second factor was stopped by its person: %s", request.reset_id)
        if self._support_address is not None:
            desk = AccountContact.of_support(self._support_address)
            await self._mails.send_notice("support_reset_stopped", desk, f"{request.reset_id}:detenido", {})

    async def _notify(self, reset: WaitingReset, address: str, *, key: str) -> None:
        contact = AccountContact(login=reset.login, full_name=reset.full_name, email=address)
        context = {"token": reset.token, "takes_effect_at": reset.takes_effect_at}
        await self._mails.send_notice("factor_resetting", contact, key, context)
