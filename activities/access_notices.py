"""Mails about changes of access, from the list that each change is put on."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.emails import EmailActivities
from activities.errors import MAIL_ADDRESS_REJECTED
from mipres.domain.access import AccessNotice
from mipres.ports import AccessNoticeList

_BATCH = 200
# One address that the server defers must not hold up the others; a server that is down refuses them all.
_FAILURES_ENOUGH = 10


class AccessNotices:
    """Served by the queue `registrations`."""

    def __init__(self, *, notices: AccessNoticeList, mails: EmailActivities) -> None:
        self._notices = notices
        self._mails = mails

    @activity.defn
    async def mail_access_changes(self) -> int:
        """Mail what has not been mailed yet, and return how many mails went out.

        Each attempt begins further down the list, so that mailboxes that are full for weeks keep no one waiting.
        """
        failures: list[ApplicationError] = []
        sent = 0
        waiting = list(await self._notices.waiting(limit=_BATCH))
        tried_before = (activity.info().attempt - 1) * _FAILURES_ENOUGH % max(len(waiting), 1)
        for notice in waiting[tried_before:] + waiting[:tried_before]:
            try:
                await self._mail(notice)
            except ApplicationError as failure:
                failures.append(failure)
                if len(failures) >= _FAILURES_ENOUGH:
                    break
            else:
                sent += 1
        if failures:
            raise _of_the_round(failures[-1])
        return sent

    async def _mail(self, notice: AccessNotice) -> None:
        try:
            await self._mails.send_notice(
                notice.mail,
                notice.contact,
                f"access-change.{notice.id}",
                {
                    "words": notice.words,
                    "about": notice.about,
                    "until": notice.until,
                },
            )
        except ApplicationError as failure:
            # The person corrects the address in miseguridadsocial; the page of the login explains the change too.
            if failure.type != MAIL_ADDRESS_REJECTED:
                raise
        await self._notices.mark_mailed(notice.id)


def _of_the_round(failure: ApplicationError) -> ApplicationError:
    """The failure of one mail, without the pause of hours that it may ask for."""
    return ApplicationError(failure.message, type=failure.type, category=failure.category)
