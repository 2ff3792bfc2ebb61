"""The same registration as a first draft would write it.

Every step a regular activity, the answer last.

It bears the names of the product's workflow, so that the product's own API can drive it in a namespace of
its own: what differs is the design of the workflow alone.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.accounts import AccountActivities, RegisterAccountResult
    from activities.emails import ConfirmPasswordInput, EmailActivities, SendLinkInput
    from activities.registries import (
        HealthTalentChecks,
        IdentityResult,
        ProfessionResult,
        SocialSecurityChecks,
    )
    from mipres.domain.accounts import FirstLink, NewRegistration, ProfileFacts
    from mipres.domain.links import LinkPurpose
    from mipres.domain.outcomes import Outcome, OutcomeStatus
    from workflows.contract import RegistrationRequest

NAMESPACE = "naive"


@workflow.defn(name="Registration")
class NaiveRegistration:
    """The straight path of a professional."""

    @workflow.init
    def __init__(self, request: RegistrationRequest) -> None:
        self._request = request
        self._outcome: Outcome | None = None
        self._password_set = asyncio.Event()

    @workflow.run
    async def run(self, request: RegistrationRequest) -> None:
        identity: IdentityResult = await _do(SocialSecurityChecks.check_person, request.submission)
        profession: ProfessionResult = await _do(HealthTalentChecks.check_profession, request.submission)
        account = await self._register(identity, profession)
        link = SendLinkInput(
            account_id=account.account_id,
            reference=request.radicado,
            purpose=LinkPurpose.CREATE,
            lifetime=timedelta(hours=request.link_hours),
            issue_key=_issue_key(),
        )
        await _do(EmailActivities.send_password_link, link)
        self._outcome = Outcome(status=OutcomeStatus.REGISTERED, email_hint=account.email_hint)
        await self._password_set.wait()
        message_key = f"{workflow.info().run_id}.confirmacion"
        confirmation = ConfirmPasswordInput(account_id=account.account_id, message_key=message_key)
        await _do(EmailActivities.confirm_password_set, confirmation)

    @workflow.update
    async def first_outcome(self) -> Outcome:
        await workflow.wait_condition(lambda: self._outcome is not None)
        return self._outcome or Outcome(status=OutcomeStatus.IN_PROGRESS)

    @workflow.signal
    def password_set(self) -> None:
        self._password_set.set()

    async def _register(
        self, identity: IdentityResult, profession: ProfessionResult
    ) -> RegisterAccountResult:
        if identity.person is None or profession.profession is None:
            raise ApplicationError("only people who pass every check are measured", non_retryable=True)
        request = NewRegistration(
            radicado=self._request.radicado,
            submission=self._request.submission,
            person=identity.person,
            facts=ProfileFacts(
                profession_code=profession.profession.code,
                profession_name=profession.profession.name,
                professional_registration=profession.profession.registration,
            ),
            consent=self._request.consent,
            first_link=FirstLink(issue_key=_issue_key(), lifetime=timedelta(hours=self._request.link_hours)),
        )
        account: RegisterAccountResult = await _do(AccountActivities.register_account, request)
        return account


def _issue_key() -> str:
    return f"{workflow.info().run_id}.enlace"


async def _do(activity: Callable[[Any, Any], Any], request: object) -> Any:
    return await workflow.execute_activity_method(
        activity, request, start_to_close_timeout=timedelta(seconds=30)
    )
